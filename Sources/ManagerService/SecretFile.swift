package import Glibc

/// A file could not be written.
package struct FileError: Error, CustomStringConvertible {
    package var path: String
    package var errorNumber: Int32
    package var description: String { "\(path): \(String(cString: strerror(errorNumber)))" }
}

/// Files that are either there as a whole or not at all, and that nobody else may read.
package enum SecretFile {
    /// Writes beside the file, syncs, renames. The mode holds from the first byte on.
    package static func write(_ text: String, to path: String, mode: mode_t = 0o600) throws(FileError) {
        let temporary = "\(path).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileError(path: temporary, errorNumber: errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw FileError(path: temporary, errorNumber: errno) }
            written += count
        }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw FileError(path: path, errorNumber: errno)
        }
    }
}
