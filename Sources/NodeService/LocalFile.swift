import FoundationEssentials
import Glibc

/// The few things that the agent does with files. All are small, so they may block.
enum LocalFile {
    /// Nil when the file can't be read; `errno` says why.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }

    /// Replaces the file as a whole, mode 0600. Not synchronised to disk: what is written here is made again from
    /// the configuration whenever it isn't as it should be.
    static func replace(_ path: String, with text: String) throws(LocalFileError) {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw LocalFileError("create", temporary) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                let error = LocalFileError("write", temporary)
                close(descriptor)
                unlink(temporary)
                throw error
            }
            rest = rest.dropFirst(count)
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else { throw LocalFileError("replace", path) }
    }

    /// Makes the directory (mode 0700) and what is missing above it.
    static func makeDirectory(_ path: String) throws(LocalFileError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw LocalFileError("make the directory", path)
        }
        try makeDirectory(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw LocalFileError("make the directory", path) }
    }

    /// Removes a directory with all it holds. None there is fine.
    static func removeTree(_ path: String) throws(LocalFileError) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            guard exists(path) else { return }
            throw LocalFileError("remove", path)
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func names(in directory: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    }
}

struct LocalFileError: Error, CustomStringConvertible {
    let description: String

    /// Takes `errno` as it stands.
    init(_ operation: String, _ path: String) {
        description = "could not \(operation) \(path): \(String(cString: strerror(errno)))"
    }
}
