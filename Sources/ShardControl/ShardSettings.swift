package import ClusterModel
package import Primitives

/// Everything that makes one shard's redis-server what it is.
package struct ShardSettings: Hashable, Sendable {
    package var shard: ShardID
    /// Absolute path of the shard's own directory.
    package var directory: String
    /// IPv4 address of the node, to which the mutual-TLS port is bound.
    package var address: String
    package var port: UInt16
    /// Absolute paths of PEM files: the node's certificate chain, its key, the cluster's CA.
    package var certificatePath: String
    package var privateKeyPath: String
    package var authorityPath: String
    /// Nil for a primary.
    package var primary: ShardPeer?
    /// redis' `maxmemory`, unless it was lowered; 0: none.
    package var memoryLimit: ByteCount
    package var eviction: EvictionPolicy
    package var persistence: Persistence
    package var secrets: ShardSecrets
    /// What clients or an administrator changed for the database, by redis' names.
    package var settings: DatabaseSettings
    /// Writes are refused, before anything of them is done, while no replica is there. Otherwise each would be done and
    /// then waited for in vain.
    package var refusesWritesAlone: Bool
    /// `maxmemory` where clients want less than ``memoryLimit``, by which everything else is measured.
    package var loweredMemoryLimit: ByteCount?

    package init(
        shard: ShardID, directory: String, address: String, port: UInt16, certificatePath: String,
        privateKeyPath: String, authorityPath: String, primary: ShardPeer?, memoryLimit: ByteCount,
        eviction: EvictionPolicy, persistence: Persistence, secrets: ShardSecrets,
        settings: DatabaseSettings = DatabaseSettings(), refusesWritesAlone: Bool = false,
        loweredMemoryLimit: ByteCount? = nil
    ) {
        self.shard = shard
        self.directory = directory
        self.address = address
        self.port = port
        self.certificatePath = certificatePath
        self.privateKeyPath = privateKeyPath
        self.authorityPath = authorityPath
        self.primary = primary
        self.memoryLimit = memoryLimit
        self.eviction = eviction
        self.persistence = persistence
        self.secrets = secrets
        self.settings = settings
        self.refusesWritesAlone = refusesWritesAlone
        self.loweredMemoryLimit = loweredMemoryLimit
    }
}

/// One directive of redis.conf that a running shard takes by CONFIG SET.
package struct ShardParameter: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension ShardSettings {
    /// 1 % of the shard's memory, 1 to 250 MB, as the reference system's `repl_backlog_size: auto`.
    package var replicationBacklog: ByteCount {
        min(max(ByteCount(bytes: memoryLimit.bytes / 100), .megabytes(1)), .megabytes(250))
    }

    /// What may change while the shard runs. Always complete, so that going back to a default is a change as well; the
    /// database's own settings are never taken back, only changed.
    package var runtimeParameters: [ShardParameter] {
        [
            ShardParameter("maxmemory", String((loweredMemoryLimit ?? memoryLimit).bytes)),
            ShardParameter("maxmemory-policy", eviction.rawValue),
            ShardParameter("save", snapshotRules),
            ShardParameter("appendonly", isAppendOnly ? "yes" : "no"),
            ShardParameter("appendfsync", persistence == .appendOnly(everyWrite: true) ? "always" : "everysec"),
            ShardParameter("repl-backlog-size", String(replicationBacklog.bytes)),
            ShardParameter("masterauth", secrets.replica),
            ShardParameter("min-replicas-to-write", refusesWritesAlone ? "1" : "0"),
            // Replicas report each second. With less, one late report stops the writes; with more, writes to a replica
            // that is gone wait for longer in the proxy before they are refused at once.
            ShardParameter("min-replicas-max-lag", "3"),
        ] + settings.forShards.map { ShardParameter($0.name, $0.value) }
    }

    /// The ACL users, as `user` lines of redis.conf and as arguments of ACL SETUSER (behind `reset`).
    package var users: [ShardUser] {
        [
            ShardUser(name: "default", rules: ["off"]),
            ShardUser(name: "manager", rules: ["on", ">\(secrets.manager)", "~*", "&*", "+@all"]),
            ShardUser(name: "proxy", rules: ["on", ">\(secrets.proxy)"] + ShardUser.proxyRules),
            // The three commands that redis' documentation asks of a replication user; no keys, no channels.
            ShardUser(name: "replica", rules: ["on", ">\(secrets.replica)", "+psync", "+replconf", "+ping"]),
        ]
    }

    private var isAppendOnly: Bool {
        if case .appendOnly = persistence { true } else { false }
    }

    private var snapshotRules: String {
        guard case .snapshot(let rules) = persistence else { return "" }
        return rules.map { "\($0.seconds) \($0.writes)" }.joined(separator: " ")
    }
}

/// One ACL user of a shard. There is no user that a client of the database could log in as: clients speak to the
/// proxy, which checks them and logs in as `proxy`.
package struct ShardUser: Hashable, Sendable {
    package var name: String
    package var rules: [String]

    package init(name: String, rules: [String]) {
        self.name = name
        self.rules = rules
    }

    /// All keys, all data commands; nothing that configures, replicates, saves, stops or spies. `@admin` and
    /// `@dangerous` are taken away whole, so that a newer server's additions stay out, and what the proxy needs to
    /// answer for the database is given back one by one.
    static let proxyRules = [
        "~*", "&*", "+@all", "-@admin", "-@dangerous",
        // Data commands that redis calls dangerous for being slow or thorough.
        "+keys", "+flushall", "+flushdb", "+sort", "+sort_ro", "+restore", "+swapdb",
        // Answered for the whole database from every shard's answer.
        "+info", "+role", "+lastsave", "+monitor", "+config|get", "+config|resetstat", "+slowlog|get", "+slowlog|len",
        "+slowlog|reset",
        "+latency|histogram", "+latency|history", "+latency|latest", "+latency|reset",
        // To end a blocking command of a client that went away without closing the upstream.
        "+client|unblock",
    ]
}
