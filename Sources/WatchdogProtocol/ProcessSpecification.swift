/// A process that the watchdog keeps.
package struct ProcessSpecification: Hashable, Sendable {
    package enum Restart: UInt8, Hashable, Sendable {
        /// Started again by the watchdog itself, with back-off: etcd, manager, proxy.
        case always
        /// Its end is reported and its manager decides: shards, whose restart could lose data.
        case never
    }

    /// Unique on the node, `[a-z0-9-]`, e.g. `shard-12`, `etcd`; also the name of its log file.
    package var name: String
    /// Absolute path.
    package var executable: String
    /// Without the program's own name.
    package var arguments: [String]
    /// Added to a minimal environment (PATH, HOME, LANG).
    package var environment: [String: String]
    package var workingDirectory: String
    package var restart: Restart
    /// Limit of the address space (RLIMIT_AS); 0: none.
    package var addressSpaceLimitBytes: UInt64
    /// Limit of open files (RLIMIT_NOFILE), cut to what the watchdog itself may have; 0: inherited.
    package var openFileLimit: UInt64
    /// Linux' oom_score_adj, -1000...1000: higher dies first.
    package var outOfMemoryScore: Int32
    /// Sent to stop it; SIGKILL follows after `stopTimeoutMilliseconds`.
    package var stopSignal: Int32
    package var stopTimeoutMilliseconds: UInt32
    /// Orderly stop goes through the phases from low to high: proxy 10, manager 20, shards 30, etcd 40.
    package var stopPhase: UInt8

    package init(
        name: String, executable: String, arguments: [String] = [], environment: [String: String] = [:],
        workingDirectory: String = "/", restart: Restart, addressSpaceLimitBytes: UInt64 = 0,
        openFileLimit: UInt64 = 0, outOfMemoryScore: Int32 = 0, stopSignal: Int32 = 15,
        stopTimeoutMilliseconds: UInt32 = 10_000, stopPhase: UInt8 = 30
    ) {
        self.name = name
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.restart = restart
        self.addressSpaceLimitBytes = addressSpaceLimitBytes
        self.openFileLimit = openFileLimit
        self.outOfMemoryScore = outOfMemoryScore
        self.stopSignal = stopSignal
        self.stopTimeoutMilliseconds = stopTimeoutMilliseconds
        self.stopPhase = stopPhase
    }
}

/// What the watchdog knows of a process.
package struct ProcessStatus: Hashable, Sendable {
    package enum State: UInt8, Hashable, Sendable {
        case running
        /// Ended; will be started again when the back-off is over.
        case waitingToRestart
        /// Asked to end, not gone yet.
        case stopping
        /// Ended and left to its manager (``ProcessSpecification/Restart/never``).
        case ended
    }

    package var name: String
    package var state: State
    /// 0 unless running or stopping.
    package var pid: Int32
    /// Starts after the first one.
    package var restarts: UInt32
    /// How it last ended, if it did.
    package var lastExit: ProcessExit?

    package init(name: String, state: State, pid: Int32, restarts: UInt32, lastExit: ProcessExit?) {
        self.name = name
        self.state = state
        self.pid = pid
        self.restarts = restarts
        self.lastExit = lastExit
    }
}

/// How a process ended.
package enum ProcessExit: Hashable, Sendable {
    case status(Int32)
    case signal(Int32)
    /// It was adopted after the watchdog itself had been killed, so nobody could collect its status.
    case unknown
}
