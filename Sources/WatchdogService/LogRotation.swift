import Glibc

/// Moves a log that has grown too large aside without disturbing who writes it.
///
/// Writers hold the file open and append, so it is copied to `.1` and emptied in place; what is written between the
/// end of the copy and the emptying (microseconds) is lost. Copying goes in steps, so that one large log does not
/// delay the report of a process' end.
package final class LogRotation {
    package static let limitBytes: Int64 = 20 << 20
    package static let kept = 5
    private static let stepBytes = 4 << 20
    /// A writer faster than the copy would keep it going for ever; beyond this the log is cut.
    private static let largestCopyBytes: Int64 = 256 << 20

    private let path: String
    private let source: Int32
    private let target: Int32
    private var copied: Int64 = 0

    /// Nil when the log does not need rotation, or cannot be rotated.
    package init?(of path: String, limitBytes: Int64) {
        var facts = stat()
        guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size > limitBytes else {
            return nil
        }
        self.path = path
        source = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        target = open("\(path).tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard source >= 0, target >= 0 else {
            Journal.note("log cannot be rotated", ["path": path, "error": String(cString: strerror(errno))])
            return nil
        }
    }

    deinit {
        if source >= 0 { close(source) }
        if target >= 0 { close(target) }
    }

    /// Does one step.
    ///
    /// - Returns: Whether another one is needed.
    package func step() -> Bool {
        var count = sendfile(target, source, nil, Self.stepBytes)
        if count > 0 {
            copied += Int64(count)
            if copied < Self.largestCopyBytes, !isAtEnd { return true }
        }
        // What has been written during the last step, so that only the emptying itself can lose something.
        while count > 0, copied < Self.largestCopyBytes {
            count = sendfile(target, source, nil, Self.stepBytes)
            copied += Int64(max(0, count))
        }
        finish(failed: count < 0)
        return false
    }

    private var isAtEnd: Bool {
        var facts = stat()
        return fstat(source, &facts) != 0 || facts.st_size <= copied
    }

    private func finish(failed: Bool) {
        if failed {
            // A full disk, most likely: then keeping the newest lines matters more than the old ones.
            Journal.note("log could not be copied", ["path": path, "error": String(cString: strerror(errno))])
        }
        ftruncate(source, 0)
        for index in (1..<Self.kept).reversed() { rename("\(path).\(index)", "\(path).\(index + 1)") }
        rename("\(path).tmp", "\(path).1")
    }
}
