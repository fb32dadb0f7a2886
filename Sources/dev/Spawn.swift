import Glibc

/// posix_spawn with what dev needs of it: descriptors, environment, default signals, a session of its own for daemons.
struct Spawn {
    enum Descriptor {
        case open(String, Int32)
        case duplicate(Int32)
    }

    var arguments: [String]
    var environment: [String: String] = [:]
    /// For 0, 1, 2 in this order.
    var descriptors: [Descriptor] = []
    /// Outlives dev and its terminal.
    var isDaemon = false

    /// POSIX_SPAWN_SETSID of spawn.h, which Swift sees only with _GNU_SOURCE.
    private static let newSession: Int16 = 0x80

    func start() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in descriptors.enumerated() {
            switch descriptor {
            case .open(let path, let flags):
                posix_spawn_file_actions_addopen(&actions, Int32(number), path, flags, 0o600)
            case .duplicate(let other):
                posix_spawn_file_actions_adddup2(&actions, other, Int32(number))
            }
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A shell starts background jobs with SIGINT ignored, and that is inherited; dev ignores SIGPIPE.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT] { sigaddset(&defaults, signal) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        // Nor may it start with signals blocked, as a thread of a test process has them.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var flags = Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
        if isDaemon { flags |= Self.newSession }
        posix_spawnattr_setflags(&attributes, flags)

        let cArguments = arguments.map { strdup($0) } + [nil]
        let cEnvironment = mergedEnvironment().map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in cArguments + cEnvironment { free(text) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, arguments[0], &actions, &attributes, cArguments, cEnvironment)
        guard error == 0 else {
            throw Failure(.environment, "cannot run \(arguments[0]): \(String(cString: strerror(error)))")
        }
        return pid
    }

    private func mergedEnvironment() -> [String: String] {
        var all: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if let cut = line.firstIndex(of: "=") {
                all[String(line[..<cut])] = String(line[line.index(after: cut)...])
            }
            entry += 1
        }
        return all.merging(environment) { _, new in new }
    }
}
