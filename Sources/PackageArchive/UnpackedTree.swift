import FoundationEssentials
import Glibc

/// A new directory that files of a package are laid down in.
///
/// Every component is opened from its parent's descriptor without following links, so nobody who can write beside
/// the directory can lead a file elsewhere while it is unpacked.
final class UnpackedTree {
    private let path: String
    private let descriptor: Int32
    private var directories: Set<String> = []

    init(creating path: String) throws(PackageError) {
        guard mkdir(path, 0o755) == 0 else { throw .file("make the directory", path) }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else {
            let error = PackageError.file("open", path)
            rmdir(path)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        // The umask of the caller must not decide who may run the programs.
        fchmod(descriptor, 0o755)
    }

    deinit {
        close(descriptor)
    }

    func create(_ name: String, mode: UInt32) throws(PackageError) -> UnpackedFile {
        let parts = name.split(separator: "/").map(String.init)
        let parent = try openDirectory(parts.dropLast())
        defer { close(parent) }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = openat(parent, parts[parts.count - 1], flags, mode)
        guard file >= 0 else { throw .file("create", "\(path)/\(name)") }
        return UnpackedFile(descriptor: file, path: "\(path)/\(name)")
    }

    func write(_ name: String, _ bytes: [UInt8]) throws(PackageError) {
        let file = try create(name, mode: 0o644)
        let result = bytes.withUnsafeBytes { piece in
            Result { () throws(PackageError) in try file.write(piece) }
        }
        try result.get()
        try file.finish(mode: 0o644)
    }

    /// Puts the directories themselves on disk; the files already are.
    func finish() throws(PackageError) {
        for name in directories.sorted().reversed() {
            let directory = try openDirectory(name.split(separator: "/").map(String.init)[...])
            defer { close(directory) }
            guard fsync(directory) == 0 else { throw .file("synchronise", "\(path)/\(name)") }
        }
        guard fsync(descriptor) == 0 else { throw .file("synchronise", path) }
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    private func openDirectory(_ parts: ArraySlice<String>) throws(PackageError) -> Int32 {
        var current = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard current >= 0 else { throw .file("open", path) }
        var name = ""
        for part in parts {
            name += name.isEmpty ? part : "/\(part)"
            let isNew = directories.insert(name).inserted
            if isNew { mkdirat(current, part, 0o755) }
            let next = openat(current, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            let number = errno
            close(current)
            guard next >= 0 else { throw .file("make the directory", "\(path)/\(name)", number) }
            if isNew { fchmod(next, 0o755) }
            current = next
        }
        return current
    }
}

/// One file on its way to disk.
final class UnpackedFile {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(PackageError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .file("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    func finish(mode: UInt32) throws(PackageError) {
        guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0 else { throw .file("write", path) }
    }
}
