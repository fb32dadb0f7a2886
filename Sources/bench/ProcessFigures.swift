import Glibc

/// What the kernel knows of a process's use of the machine.
enum ProcessFigures {
    /// CPU time of all its threads in nanoseconds, as the scheduler counts it: no ticks.
    static func cpuNanoseconds(_ pid: Int32) -> Int {
        var total = 0
        for task in Files.list("/proc/\(pid)/task") {
            guard let text = Files.read("/proc/\(pid)/task/\(task)/schedstat"),
                let first = text.split(separator: " ").first
            else { continue }
            total += Int(first) ?? 0
        }
        return total
    }

    /// User and system time in ticks of 10 ms: good for the share of each, too coarse for the sum.
    static func ticks(_ pid: Int32) -> (user: Int, system: Int) {
        // The name in parentheses may hold spaces, so fields are counted from behind it.
        let fields = (Files.read("/proc/\(pid)/stat") ?? "").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return (0, 0) }
        return (user, system)
    }

    static func residentBytes(_ pid: Int32) -> Int {
        let lines = (Files.read("/proc/\(pid)/status") ?? "").split(separator: "\n")
        let line = lines.first { $0.hasPrefix("VmRSS:") }
        let number = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        return (number.flatMap { Int($0) } ?? 0) << 10
    }

    /// Nanoseconds that all processors together were busy; in steps of 10 ms.
    static func machineBusyNanoseconds() -> Int {
        let line = (Files.read("/proc/stat") ?? "").split(separator: "\n").first ?? ""
        let fields = line.split(separator: " ").dropFirst().compactMap { Int($0) }
        guard fields.count >= 8 else { return 0 }
        return (fields[0..<8].reduce(0, +) - fields[3] - fields[4]) * 10_000_000
    }
}

/// The few things of files that the benchmark needs.
enum Files {
    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func write(_ text: String, to path: String) throws(BenchFailure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw BenchFailure("cannot write \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw BenchFailure("cannot write \(path): \(String(cString: strerror(errno)))") }
            bytes = bytes.dropFirst(count)
        }
    }

    static func list(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    static func makeDirectory(_ path: String) {
        var built = path.hasPrefix("/") ? "" : "."
        for component in path.split(separator: "/") {
            built += "/" + component
            mkdir(built, 0o755)
        }
    }
}
