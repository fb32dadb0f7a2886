import Glibc
package import NodeLayout

/// Keeps a second watchdog away from a prefix. The lock ends with its process, however that ends.
///
/// A record lock, not `flock`: a child that has just been forked when its watchdog is killed would hold the latter
/// on, and the next watchdog would refuse to start. It outlives `exec`, as long as the descriptor is handed on.
package enum InstanceLock {
    /// - Returns: The locked descriptor, close-on-exec. Nothing else in this process may open and close the file:
    ///   that would end the lock.
    /// - Throws: ``WatchdogError`` with code `alreadyRunning` that names the pid.
    package static func acquire(_ paths: NodePaths) throws(WatchdogError) -> Int32 {
        let path = paths.watchdogLock
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system("open \(path)") }
        var record = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
        guard fcntl(descriptor, F_SETLK, &record) == 0 else {
            defer { close(descriptor) }
            guard errno == EACCES || errno == EAGAIN else { throw .system("lock \(path)") }
            _ = fcntl(descriptor, F_GETLK, &record)
            throw WatchdogError(
                .alreadyRunning,
                "a watchdog (pid \(record.l_pid)) keeps \(paths.prefix) already; leave it or stop it first")
        }
        ftruncate(descriptor, 0)
        try HostFile.write(Array("\(getpid())\n".utf8), to: descriptor, named: path)
        return descriptor
    }
}
