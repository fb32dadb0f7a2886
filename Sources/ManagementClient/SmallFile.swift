import FoundationEssentials
import Glibc

/// Reading and writing of the few small files that a client keeps or looks at.
enum SmallFile {
    /// Without white space at its ends; nil when it can't be read.
    static func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        let text = String(decoding: data, as: UTF8.self)
        return String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }

    /// Only its owner may read it, from the first byte on; the old content or the new, never half.
    static func writeSecret(_ text: String, to path: String) throws(ClientFailure) {
        let temporary = "\(path).new-\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        let bytes = Array(text.utf8)
        let written = write(descriptor, bytes, bytes.count)
        let isWhole = written == bytes.count && fchmod(descriptor, 0o600) == 0
        close(descriptor)
        guard isWhole, rename(temporary, path) == 0 else {
            let error = failure(path)
            unlink(temporary)
            throw error
        }
    }

    private static func failure(_ path: String) -> ClientFailure {
        ClientFailure(.refused, "file", "can't write \(path): \(String(cString: strerror(errno)))")
    }
}
