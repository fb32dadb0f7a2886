import Glibc

/// A program that runs beside the benchmark and ends with it, however it ends.
final class Child {
    let pid: Int32
    let name: String
    let log: String
    private var status: Int32?

    /// - Parameter arguments: The program first.
    init(_ arguments: [String], log: String) throws(BenchFailure) {
        name = String(arguments[0].split(separator: "/").last ?? "")
        self.log = log
        // Killed by the kernel when the benchmark dies: a redis-server left behind would hold port and memory.
        pid = try Self.spawn(["setpriv", "--pdeathsig", "KILL", "--"] + arguments, log: log)
    }

    deinit { stop() }

    /// Nil while it runs.
    func exitStatus() -> Int32? {
        if let status { return status }
        var raw: Int32 = 0
        guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
        status = raw
        return raw
    }

    func stop(_ number: Int32 = SIGKILL) {
        if status != nil { return }
        kill(pid, number)
        var raw: Int32 = 0
        while waitpid(pid, &raw, 0) < 0 && errno == EINTR {}
        status = raw
    }

    /// The last words, for messages.
    var lastLines: String {
        (Files.read(log) ?? "").split(separator: "\n").suffix(5).map { "\n  " + $0 }.joined()
    }

    /// Runs it to its end.
    ///
    /// - Returns: What it printed, or nil when it failed.
    static func output(_ arguments: [String], log: String) throws(BenchFailure) -> String? {
        unlink(log)
        let child = try Child(arguments, log: log)
        var raw: Int32 = 0
        while waitpid(child.pid, &raw, 0) < 0 && errno == EINTR {}
        child.status = raw
        return raw == 0 ? Files.read(log) : nil
    }

    private static func spawn(_ arguments: [String], log: String) throws(BenchFailure) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        let outcome = posix_spawnp(&pid, arguments[0], &actions, nil, pointers, environ)
        guard outcome == 0 else {
            throw BenchFailure("cannot run \(arguments[0]): \(String(cString: strerror(outcome)))")
        }
        return pid
    }
}
