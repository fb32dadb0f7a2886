import Glibc
package import Primitives

/// Whole small files and the atomic changes that an installation is made of.
package enum HostFile {
    /// - Parameter limitBytes: A longer file is an error, so a wrong path cannot fill the memory.
    package static func read(_ path: String, limitBytes: Int = 256 << 20) throws(HostError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file("open", path) }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw .file("read", path) }
        // Files of /proc say 0 bytes; the loop below reads them all the same.
        var bytes = [UInt8](repeating: 0, count: max(Int(information.st_size), 4096) + 1)
        var used = 0
        while true {
            let room = bytes.count - used
            let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + used, room) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .file("read", path) }
            guard count > 0 else { break }
            used += count
            guard used <= limitBytes else { throw HostError(.file, "\(path) is longer than \(limitBytes) bytes.") }
            if used == bytes.count { bytes.append(contentsOf: repeatElement(0, count: used)) }
        }
        bytes.removeSubrange(used...)
        return bytes
    }

    /// The text of a file to the letter; nil when it cannot be read.
    package static func content(_ path: String) -> String? {
        (try? read(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The text of a file without white space at its ends; nil when it cannot be read.
    package static func text(_ path: String) -> String? {
        guard let bytes = try? read(path) else { return nil }
        let blank: Set<UInt8> = [0x20, 0x0A, 0x09, 0x0D, 0]
        let start = bytes.firstIndex { !blank.contains($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !blank.contains($0) }.map { $0 + 1 } ?? start
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// Replaces the file as a whole: a reader, or the next start after a crash, sees the old one or the new one.
    ///
    /// - Parameter isDurable: Whether a power cut may not undo it; waits for the disk, which can take seconds on a
    ///   busy one.
    package static func write(
        _ bytes: some Sequence<UInt8>, to path: String, mode: UInt32, isDurable: Bool = true
    ) throws(HostError) {
        let temporary = "\(path).new-\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .file("write", temporary) }
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress!, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw abandon(descriptor, temporary, "write") }
            rest = rest.dropFirst(count)
        }
        guard fchmod(descriptor, mode) == 0, !isDurable || fsync(descriptor) == 0 else {
            throw abandon(descriptor, temporary, "write")
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else { throw .file("replace", path) }
        if isDurable { try synchronize(directory: parent(of: path)) }
    }

    /// Makes the directory and those above it that are missing. An existing one keeps its mode.
    package static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(HostError) {
        var information = stat()
        if stat(path, &information) == 0 {
            guard information.st_mode & S_IFMT == S_IFDIR else {
                throw HostError(.file, "\(path) is in the way: a directory is needed there.")
            }
            return
        }
        let above = parent(of: path)
        if above != path { try makeDirectory(above) }
        guard mkdir(path, mode) == 0 || errno == EEXIST else { throw .file("make the directory", path) }
        // Without this the umask of the caller would decide.
        guard chmod(path, mode) == 0 else { throw .file("set the mode of", path) }
    }

    /// Makes `path` a symbolic link to `target` in one step, whatever was there before.
    package static func replaceLink(at path: String, with target: String) throws(HostError) {
        let temporary = "\(path).new-\(getpid())"
        unlink(temporary)
        guard symlink(target, temporary) == 0 else { throw .file("make the link", temporary) }
        guard rename(temporary, path) == 0 else { throw .file("replace the link", path) }
        try synchronize(directory: parent(of: path))
    }

    /// The target of a symbolic link as it is written there; nil when there is none.
    package static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes {
            readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// Names in a directory without `.` and `..`, sorted; empty when it cannot be read.
    package static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Nil when there is no such file.
    package static func modificationTime(_ path: String) -> WallTime? {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        return WallTime(milliseconds: Int64(information.st_mtim.tv_sec) * 1000)
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// A rename survives a power cut only once its directory is on disk too.
    package static func synchronize(directory: String) throws(HostError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .file("synchronise", directory) }
    }

    private static func abandon(_ descriptor: Int32, _ temporary: String, _ operation: String) -> HostError {
        let error = HostError.file(operation, temporary)
        close(descriptor)
        unlink(temporary)
        return error
    }
}
