import Glibc

/// Keeps a second watchdog away from a prefix. The lock ends with its process, however that ends.
package enum InstanceLock {
    /// - Returns: The locked descriptor, close-on-exec; the lock lives as long as it.
    /// - Throws: ``WatchdogError`` with code `alreadyRunning` that names the pid.
    package static func acquire(_ layout: NodeLayout) throws(WatchdogError) -> Int32 {
        let path = layout.lockFile
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system("open \(path)") }
        guard lock(descriptor) else {
            let holder = String(decoding: (try? HostFile.read(path)) ?? [], as: UTF8.self)
            close(descriptor)
            let pid = holder.split(separator: "\n").first.map(String.init) ?? "unknown"
            throw WatchdogError(
                .alreadyRunning, "a watchdog (pid \(pid)) keeps \(layout.prefix) already; leave it or stop it first")
        }
        ftruncate(descriptor, 0)
        try HostFile.write(Array("\(getpid())\n".utf8), to: descriptor, named: path)
        return descriptor
    }

    /// Tries for 200 ms: a child that a killed watchdog had just forked holds its lock until it has noticed.
    private static func lock(_ descriptor: Int32) -> Bool {
        for _ in 0..<20 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            usleep(10_000)
        }
        return false
    }
}
