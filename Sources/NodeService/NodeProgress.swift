package import ClusterModel
package import WatchdogProtocol

/// How far this node is with an epoch of a database.
package enum NodeProgress: Hashable, Codable, Sendable {
    /// Everything that this epoch (the one given, at least) asks of the node is true.
    case applied(Epoch)
    /// Not yet; what is missing, in words.
    case waiting(String)
    /// It won't come true by waiting: a port is taken, a shard dies right after each start.
    case failed(String)
}

/// A shard as its node sees it at this moment.
package struct ShardReport: Hashable, Codable, Sendable {
    package enum State: String, Codable, Sendable {
        case ok
        /// Reading its data.
        case loading
        /// A replica that has no link to its primary, or copies from it for the first time.
        case syncing
        /// Runs and doesn't answer in time.
        case busy
        case down
        /// A dead primary that waits for the cluster to decide between its replica and itself.
        case held
    }

    package var shard: ShardID
    package var database: DatabaseID
    /// What the process says; what the configuration says when it can't be asked.
    package var role: ShardConfiguration.Role
    package var state: State
    /// 0 when it isn't running.
    package var pid: Int32
    package var usedMemoryBytes: Int64
    package var keys: Int64
    package var linkUp: Bool
    package var replicationOffset: Int64
    package var uptimeSeconds: Int64
    /// Saving to disk fails: full, most likely.
    package var isPersistenceFailing: Bool

    package init(
        shard: ShardID, database: DatabaseID, role: ShardConfiguration.Role, state: State, pid: Int32,
        usedMemoryBytes: Int64 = 0, keys: Int64 = 0, linkUp: Bool = false, replicationOffset: Int64 = 0,
        uptimeSeconds: Int64 = 0, isPersistenceFailing: Bool = false
    ) {
        self.shard = shard
        self.database = database
        self.role = role
        self.state = state
        self.pid = pid
        self.usedMemoryBytes = usedMemoryBytes
        self.keys = keys
        self.linkUp = linkUp
        self.replicationOffset = replicationOffset
        self.uptimeSeconds = uptimeSeconds
        self.isPersistenceFailing = isPersistenceFailing
    }
}

/// A shard of the configuration has ended without being asked to.
package struct ShardExit: Hashable, Sendable {
    package var shard: ShardID
    package var database: DatabaseID
    package var role: ShardConfiguration.Role
    /// `.unknown` also when it was found dead, after a reboot for example.
    package var exit: ProcessExit
    /// Shards that could take a primary's place. Not empty: the agent does not start the primary again by itself for
    /// now (``RestartPolicy``); a new epoch decides.
    package var replicaCandidates: [ShardID]

    package init(
        shard: ShardID, database: DatabaseID, role: ShardConfiguration.Role, exit: ProcessExit,
        replicaCandidates: [ShardID]
    ) {
        self.shard = shard
        self.database = database
        self.role = role
        self.exit = exit
        self.replicaCandidates = replicaCandidates
    }
}
