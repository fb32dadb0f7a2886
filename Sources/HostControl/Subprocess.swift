import Glibc

/// Runs other programs, by absolute path or from the PATH, never through a shell.
package enum Subprocess {
    package struct Outcome: Sendable {
        /// Exit status, or 128 + the number of the signal that ended it, as shells count.
        package var status: Int32
        /// Standard output and standard error as they came, at most 1 MiB.
        package var output: String
    }

    /// Runs a program to its end.
    ///
    /// - Parameter timeout: It is killed after this long, and the outcome has status 137.
    /// - Throws: ``HostError`` with code `process` when it cannot be started.
    package static func run(
        _ program: String, _ arguments: [String], timeout: Duration = .seconds(60)
    ) throws(HostError) -> Outcome {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .file("make a pipe for", program) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let pid: pid_t
        do {
            pid = try spawn(program, arguments, output: ends[1])
        } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        let output = collect(ends[0], until: ContinuousClock.now + timeout, pid)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return Outcome(status: exitStatus(status), output: output)
    }

    /// Starts a program that goes on by itself, its output in a file; does not wait for it.
    package static func start(
        _ program: String, _ arguments: [String], log: String
    ) throws(HostError) -> Int32 {
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .file("open", log) }
        defer { close(descriptor) }
        return try spawn(program, arguments, output: descriptor)
    }

    /// Collects a child that was started and has ended: its exit status, or nil while it runs.
    package static func reap(_ pid: Int32) -> Int32? {
        var status: Int32 = 0
        let result = waitpid(pid, &status, WNOHANG)
        if result == pid { return exitStatus(status) }
        return result < 0 && errno == ECHILD ? 0 : nil
    }

    private static func exitStatus(_ status: Int32) -> Int32 {
        status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
    }

    private static func spawn(
        _ program: String, _ arguments: [String], output: Int32
    ) throws(HostError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        var argumentPointers: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        argumentPointers.append(nil)
        defer { for pointer in argumentPointers { free(pointer) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, program, &actions, nil, argumentPointers, environ)
        guard result == 0 else {
            throw HostError(.process, "Cannot run \(program): \(String(cString: strerror(result))).")
        }
        return pid
    }

    private static func collect(_ descriptor: Int32, until deadline: ContinuousClock.Instant, _ pid: pid_t) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
            guard left > 0 else {
                kill(pid, SIGKILL)
                break
            }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(min(left + 1, 60_000)))
            if ready <= 0 { continue }
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            if bytes.count < 1 << 20 { bytes += chunk[..<count] }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
