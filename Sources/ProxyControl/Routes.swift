package import ClusterModel
package import Primitives

/// How a proxy reaches one primary.
package enum ShardAddress: Hashable, Sendable {
    /// Absolute path of the unix socket of a shard on this node. May be longer than a socket address holds (108
    /// bytes): connect through a descriptor of its directory (`LocalSocket`).
    case local(path: String)
    /// Mutual TLS to another node.
    case remote(host: String, port: UInt16)
}

/// One run of slots and the primary that owns it.
package struct ShardRoute: Hashable, Sendable {
    package var shard: ShardID
    package var slots: SlotRange
    package var address: ShardAddress
    /// Requests for these slots wait until newer routes release them. What was sent before is let finish, and the
    /// routes count as applied only when it has: then nobody writes to the shard.
    package var isHeld: Bool

    package init(shard: ShardID, slots: SlotRange, address: ShardAddress, isHeld: Bool = false) {
        self.shard = shard
        self.slots = slots
        self.address = address
        self.isHeld = isHeld
    }
}

/// Everything that one node's proxy has to know of one database, as of one epoch.
package struct DatabaseRoutes: Hashable, Sendable {
    package var database: DatabaseID
    package var epoch: Epoch
    package var name: String
    /// Where the proxy listens for this database; nil when this node doesn't serve its endpoint.
    package var listenHost: String?
    package var port: UInt16
    /// Cover all 16384 slots without overlap, in order.
    package var shards: [ShardRoute]
    /// Password of the user `default`; empty: none asked for.
    package var password: String
    /// With which the proxy logs in to the shards, as user `proxy`.
    package var shardPassword: String
    /// 0: no limit.
    package var maximumConnections: Int
    /// Limit over the whole database in bytes, below which clients may set theirs; replicas not counted. 0: none.
    package var memoryLimitBytes: Int64
    /// What CONFIG SET changed, by redis' names; what is not named has its default. The shards have theirs from their
    /// node's agent: here they are for the proxy's own (`timeout`, `tcp-keepalive`), for CONFIG GET and INFO.
    package var settings: [String: String]
    /// Another copy may be promoted when this node is cut off, so writes need the serving lease
    /// (``ProxyCommand/lease(until:)``).
    package var needsLease: Bool
    /// Shards that a failover took out of the routes: what was sent to them and not answered is not waited for, and
    /// whatever they still answer is nobody's. Applied means that no such answer is passed on any more.
    package var fenced: [ShardID]
    /// When clients get the replies to their writes.
    package var durability: Durability
    /// What of a key fixes its slot; of no concern to a database of one shard.
    package var keyRules: KeyRules

    package init(
        database: DatabaseID, epoch: Epoch, name: String, listenHost: String?, port: UInt16, shards: [ShardRoute],
        password: String, shardPassword: String, maximumConnections: Int, memoryLimitBytes: Int64,
        settings: [String: String] = [:], needsLease: Bool = false, fenced: [ShardID] = [],
        durability: Durability = .async, keyRules: KeyRules = .standard
    ) {
        self.database = database
        self.epoch = epoch
        self.name = name
        self.listenHost = listenHost
        self.port = port
        self.shards = shards
        self.password = password
        self.shardPassword = shardPassword
        self.maximumConnections = maximumConnections
        self.memoryLimitBytes = memoryLimitBytes
        self.settings = settings
        self.needsLease = needsLease
        self.fenced = fenced
        self.durability = durability
        self.keyRules = keyRules
    }

    /// `maxmemory` as clients see it.
    package var memoryLimitInForce: ByteCount {
        DatabaseSettings(settings).memoryLimit(within: ByteCount(bytes: memoryLimitBytes))
    }
}
