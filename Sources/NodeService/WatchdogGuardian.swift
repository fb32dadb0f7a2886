import Glibc
package import Logging
package import NodeLayout

/// Brings the watchdog back on a node where nobody else does (`supervisor = self`; on a server systemd restarts it).
///
/// The watchdog in turn restarts the manager, so either one is enough to bring back both. The new watchdog finds its
/// predecessor's processes and adopts them.
package struct WatchdogGuardian: Sendable {
    /// A watchdog that replaces itself by another version is away for less than this.
    private static let patience = Duration.milliseconds(500)
    private static let interval = Duration.milliseconds(250)
    /// How long a new one gets to come up before another is tried.
    private static let startSpan = Duration.seconds(3)

    private let paths: NodePaths
    private let client: WatchdogClient
    private let logger: Logger

    package init(paths: NodePaths, client: WatchdogClient, logger: Logger) {
        self.paths = paths
        self.client = client
        self.logger = logger
    }

    /// Whether this process was started by a watchdog that nobody guards.
    package static var isWanted: Bool {
        getenv("TARN_SUPERVISOR").map { String(cString: $0) } == NodeSettings.Supervisor.itself.rawValue
    }

    /// Looks four times a second until cancelled.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.interval)
            guard let gone = client.disconnectedFor, gone > Self.patience, isLockFree() else { continue }
            await spawn()
            try? await Task.sleep(for: Self.startSpan)
        }
    }

    /// The watchdog holds this lock as long as it lives, whatever happened to its socket. No file: it never ran here.
    private func isLockFree() -> Bool {
        let descriptor = open(paths.watchdogLock, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // A record lock, so that it is the watchdog's alone: a child that it left behind holds no part of it.
        var lock = Glibc.flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        return fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type == Int16(F_UNLCK)
    }

    private func spawn() async {
        let program = paths.program("tarn-watchdog")
        logger.warning("the watchdog is gone, starting it again", metadata: ["program": "\(program)"])
        do {
            let pid = try DetachedProgram.spawn(program, arguments: ["--prefix", paths.prefix, "--daemon"])
            await DetachedProgram.reap(pid)
        } catch {
            logger.error("the watchdog could not be started", metadata: ["error": "\(error)"])
        }
    }
}

/// Starts a program that goes on in the background by itself and soon ends its first process. `--daemon` closes
/// whatever of ours it inherits.
private enum DetachedProgram {
    struct SpawnError: Error, CustomStringConvertible {
        let description: String
    }

    static func spawn(_ program: String, arguments: [String]) throws(SpawnError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in 0...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var pid: pid_t = 0
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        let result = posix_spawn(&pid, program, &actions, &attributes, words, environ)
        guard result == 0 else {
            throw SpawnError(description: "\(program): \(String(cString: strerror(result)))")
        }
        return pid
    }

    /// Leaves no zombie. A program that stays is left alone after five seconds.
    static func reap(_ pid: pid_t) async {
        for _ in 0..<250 {
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == 0 else { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
