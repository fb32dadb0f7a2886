package import Primitives

/// Which keys a full shard gives up; the names and meanings are redis' `maxmemory-policy`.
package enum EvictionPolicy: String, Codable, Sendable, CaseIterable {
    case noEviction = "noeviction"
    case allKeysLRU = "allkeys-lru"
    case allKeysLFU = "allkeys-lfu"
    case allKeysRandom = "allkeys-random"
    case volatileLRU = "volatile-lru"
    case volatileLFU = "volatile-lfu"
    case volatileRandom = "volatile-random"
    case volatileTTL = "volatile-ttl"
}

/// What a shard writes to disk.
package enum Persistence: Hashable, Codable, Sendable {
    case none
    /// Append-only file; `everyWrite` costs an fsync a write, else one a second.
    case appendOnly(everyWrite: Bool)
    case snapshot([SnapshotRule])
}

/// A snapshot is due when `seconds` have passed and at least `writes` keys changed.
package struct SnapshotRule: Hashable, Codable, Sendable {
    package var seconds: Int
    package var writes: Int

    package init(seconds: Int, writes: Int) {
        self.seconds = seconds
        self.writes = writes
    }
}

/// Which nodes' proxies serve a database's endpoint.
package enum ProxyPolicy: String, Codable, Sendable, CaseIterable {
    case single
    case allMasterShards = "all-master-shards"
    case allNodes = "all-nodes"
}

/// Whether shards fill few nodes or spread over many.
package enum ShardsPlacement: String, Codable, Sendable, CaseIterable {
    case dense, sparse
}

/// What was asked for.
package struct DatabasePolicy: Hashable, Codable, Sendable {
    package var name: String
    /// Limit over all shards and replicas together, as in the reference system.
    package var memoryLimit: ByteCount
    /// Primaries: 1 for an unsharded database, 512 at most.
    package var shardCount: Int
    package var isReplicated: Bool
    /// 0: the cluster chooses.
    package var requestedPort: UInt16
    package var eviction: EvictionPolicy
    package var persistence: Persistence
    package var proxyPolicy: ProxyPolicy
    package var placement: ShardsPlacement
    /// Password of the user `default`; empty when none is asked for.
    package var password: String
    /// 0: no limit.
    package var maximumConnections: Int
    package var tags: [String: String]
    /// What CONFIG SET changes.
    package var settings: DatabaseSettings
    /// When clients get the replies to their writes. Other than ``Durability/async`` only with replicas.
    package var durability: Durability
    /// What of a key fixes its slot.
    package var keyRules: KeyRules

    package init(
        name: String, memoryLimit: ByteCount, shardCount: Int = 1, isReplicated: Bool = false,
        requestedPort: UInt16 = 0, eviction: EvictionPolicy = .volatileLRU, persistence: Persistence = .none,
        proxyPolicy: ProxyPolicy = .allNodes, placement: ShardsPlacement = .dense, password: String = "",
        maximumConnections: Int = 0, tags: [String: String] = [:], settings: DatabaseSettings = DatabaseSettings(),
        durability: Durability = .async, keyRules: KeyRules = .standard
    ) {
        self.name = name
        self.memoryLimit = memoryLimit
        self.shardCount = shardCount
        self.isReplicated = isReplicated
        self.requestedPort = requestedPort
        self.eviction = eviction
        self.persistence = persistence
        self.proxyPolicy = proxyPolicy
        self.placement = placement
        self.password = password
        self.maximumConnections = maximumConnections
        self.tags = tags
        self.settings = settings
        self.durability = durability
        self.keyRules = keyRules
    }

    /// redis' `maxmemory` for each process, unless clients lowered it (``loweredMemoryLimitPerShard``).
    package var memoryLimitPerShard: ByteCount {
        ByteCount(bytes: memoryLimit.bytes / Int64(shardCount * (isReplicated ? 2 : 1)))
    }
}

/// One redis-server process of a database, and where it belongs.
package struct ShardConfiguration: Hashable, Codable, Sendable {
    package enum Role: String, Codable, Sendable {
        case primary, replica
    }

    package var id: ShardID
    package var role: Role
    package var node: NodeID
    package var slots: SlotRange
    /// Mutual-TLS port on the node's address, 20000-29999.
    package var port: UInt16
    /// It was a primary until a failover replaced it, perhaps without its knowledge: nobody may take its answers for
    /// those of a primary any more. Until it is one again.
    package var isFenced: Bool
    /// A replica that a migration fills: it counts for nothing, and nobody may make it a primary, until it has
    /// everything and every proxy knows that the shard has a second copy. Where writes wait for a replica, until it
    /// takes another shard's place (``DatabaseConfiguration/source(of:isLost:)``).
    package var isCopying: Bool

    package init(
        id: ShardID, role: Role, node: NodeID, slots: SlotRange, port: UInt16, isFenced: Bool = false,
        isCopying: Bool = false
    ) {
        self.isCopying = isCopying
        self.id = id
        self.role = role
        self.node = node
        self.slots = slots
        self.port = port
        self.isFenced = isFenced
    }
}

/// A change of the primary of some slots that is under way. While it is, proxies hold requests for these slots.
///
/// ```
///  planned:   hold ────▶ promote ────▶ (gone)         failover:   promote ────▶ (gone)
///               └──────▶ replace ────▶ (gone)         of a replica that confirms writes
/// ```
package struct ShardTransition: Hashable, Codable, Sendable {
    package enum Phase: String, Codable, Sendable {
        /// The old primary is the primary still. Proxies let finish what it was sent, the replica catches up; then the
        /// roles are swapped. Rolled back when that takes too long.
        case hold
        /// Roles are swapped in the record. Goes forward only: the new primary is promoted, then the transition ends.
        case promote
        /// `to` has all that the primary was sent, and the place of the replica that confirmed writes so far. Held
        /// until that one is not attached to the primary any more: it could confirm what `to` lacks.
        case replace
    }

    package var slots: SlotRange
    package var from: ShardID
    package var to: ShardID
    /// The old primary lives and takes part; nothing has to be fenced.
    package var isPlanned: Bool
    package var phase: Phase
    package var since: WallTime

    package init(
        slots: SlotRange, from: ShardID, to: ShardID, isPlanned: Bool, phase: Phase, since: WallTime
    ) {
        self.slots = slots
        self.from = from
        self.to = to
        self.isPlanned = isPlanned
        self.phase = phase
        self.since = since
    }
}

/// Passwords of the three users that a database's shards know. No user of the database ever sees them.
package struct ShardSecrets: Hashable, Codable, Sendable {
    package var manager: String
    package var proxy: String
    package var replica: String

    package init(manager: String, proxy: String, replica: String) {
        self.manager = manager
        self.proxy = proxy
        self.replica = replica
    }
}

/// Where clients reach a database.
package struct EndpointConfiguration: Hashable, Codable, Sendable {
    package var port: UInt16
    /// Nodes whose proxies listen there, in order of their ids.
    package var nodes: [NodeID]

    package init(port: UInt16, nodes: [NodeID]) {
        self.port = port
        self.nodes = nodes
    }
}

/// A database as agreed: policy, shards with their places, endpoint. Immutable within one epoch.
package struct DatabaseConfiguration: Hashable, Codable, Sendable {
    package enum Status: String, Codable, Sendable {
        case pending, active
        case activeChangePending = "active-change-pending"
        case deletePending = "delete-pending"
        case creationFailed = "creation-failed"
    }

    package var id: DatabaseID
    /// Epoch of the plan that last changed what executors have to do; a change of `status` alone leaves it.
    package var epoch: Epoch
    package var policy: DatabasePolicy
    package var status: Status
    package var shards: [ShardConfiguration]
    /// One for each range of slots at most.
    package var transitions: [ShardTransition]
    /// Epoch of the last failover. A proxy that routes by an older one may write to a primary that was replaced.
    package var fence: Epoch
    /// Every proxy is known to write to it with the serving lease only. Not so for a while after replicas were added: a
    /// proxy that hasn't heard of them needs no lease, and nothing but its confirmation tells that it stops.
    package var isLeased: Bool
    package var endpoint: EndpointConfiguration
    package var secrets: ShardSecrets
    package var createdAt: WallTime
    package var changedAt: WallTime

    package init(
        id: DatabaseID, epoch: Epoch, policy: DatabasePolicy, status: Status, shards: [ShardConfiguration],
        transitions: [ShardTransition] = [], fence: Epoch = .zero, isLeased: Bool = true,
        endpoint: EndpointConfiguration,
        secrets: ShardSecrets, createdAt: WallTime, changedAt: WallTime
    ) {
        self.id = id
        self.epoch = epoch
        self.policy = policy
        self.status = status
        self.shards = shards
        self.transitions = transitions
        self.fence = fence
        self.isLeased = isLeased
        self.endpoint = endpoint
        self.secrets = secrets
        self.createdAt = createdAt
        self.changedAt = changedAt
    }

    package var primaries: [ShardConfiguration] { shards.filter { $0.role == .primary } }

    /// The primary that owns the same slots as `shard`, itself for a primary.
    package func primary(of shard: ShardConfiguration) -> ShardConfiguration? {
        shards.first { $0.role == .primary && $0.slots == shard.slots }
    }

    package func transition(of slots: SlotRange) -> ShardTransition? { transitions.first { $0.slots == slots } }

    /// Some shard has or gets a second copy, for good or while it moves: then a proxy writes to it under the serving
    /// lease only.
    package var needsLease: Bool { policy.isReplicated || shards.contains { $0.role == .replica } }

    /// Every node that has something to do for this database: hosts a shard or serves the endpoint.
    package var involvedNodes: Set<NodeID> { Set(shards.map(\.node)).union(endpoint.nodes) }
}
