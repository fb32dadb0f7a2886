import Glibc

/// Small whole files and directories.
enum HostFile {
    /// Nil when there is no such file.
    static func read(_ path: String) throws(WatchdogError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ESRCH { return nil }
            throw .system("read \(path)")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                // A process may vanish between the opening of its file in /proc and the reading.
                if errno == ESRCH { return nil }
                if errno == EINTR { continue }
                throw .system("read \(path)")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    /// The file has its old or its new content at any moment. Not synced to disk: the state lives in `run`, and
    /// means nothing after a reboot.
    static func replace(_ path: String, with bytes: [UInt8]) throws(WatchdogError) {
        let temporary = path + ".tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("write \(temporary)") }
        defer { close(descriptor) }
        try write(bytes, to: descriptor, named: temporary)
        guard rename(temporary, path) == 0 else { throw .system("replace \(path)") }
    }

    /// For files of /proc, which cannot be replaced.
    static func overwrite(_ path: String, with text: String) throws(WatchdogError) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("write \(path)") }
        defer { close(descriptor) }
        try write(Array(text.utf8), to: descriptor, named: path)
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32, named path: String) throws(WatchdogError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw .system("write \(path)")
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Empty where there is no such link.
    static func target(ofLink path: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            let count = max(0, readlink(path, start, buffer.count))
            return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    static func makeDirectory(_ path: String) throws(WatchdogError) {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw .system("make directory \(path)")
        }
        try makeDirectory(String(path[..<slash]))
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .system("make directory \(path)") }
    }
}
