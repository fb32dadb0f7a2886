import Glibc

/// The processes of one prefix, found in /proc by the path of their program.
struct NodeProcesses {
    let prefix: String

    /// By program name; pids ascending. Zombies do not count, they hold nothing but a number.
    func byProgram() -> [String: [Int]] {
        var found: [String: [Int]] = [:]
        for pid in Files.list("/proc").compactMap({ Int($0) }).sorted() {
            guard let program = program(of: pid) else { continue }
            found[program, default: []].append(pid)
        }
        return found
    }

    var pids: [Int] { byProgram().values.flatMap { $0 }.sorted() }

    private func program(of pid: Int) -> String? {
        guard let path = Self.link("/proc/\(pid)/exe"), path.hasPrefix(prefix + "/opt/tarn/") else { return nil }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        // An unlinked program is still this program.
        let plain = name.hasSuffix(" (deleted)") ? String(name.dropLast(10)) : name
        // Several programs may be one file with links by name: then the name is in the command line.
        guard plain.hasPrefix("tarn"), let command = Files.read("/proc/\(pid)/cmdline") else { return plain }
        let first = String(decoding: command.prefix { $0 != 0 }, as: UTF8.self)
        let called = first.split(separator: "/").last.map(String.init) ?? plain
        return called.hasPrefix("tarn") ? called : plain
    }

    static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// The path with all links followed; itself when it does not exist.
    static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }
}
