package import ClusterModel

/// A database, with every key that the reference system's server answers with.
///
/// Keys that we interpret are properties; the others stand in ``BDBDefaults`` with the value that describes what we
/// do, and are only written.
package struct BDBObject: Codable, Sendable, Hashable {
    package var uid: DatabaseID
    package var name: String
    /// `pending`, `active`, `active-change-pending`, `delete-pending`, `creation-failed`.
    package var status: String
    /// Over all shards and replicas; 0: no limit.
    package var memoryLimitBytes: Int64
    package var shardCount: Int
    /// What of a key fixes its slot: the standard rules where there are no others; empty for an unsharded database.
    package var shardKeyRules: [ShardKeyRule]
    /// Keys that no rule matches are hashed whole.
    package var hashesUnmatched: Bool
    package var isReplicated: Bool
    /// As asked for: 0 when the cluster chose. The port that serves is `endpoints[0].port`.
    package var port: UInt16
    package var evictionPolicy: String
    /// `disabled`, `aof`, `snapshot`.
    package var persistence: String
    package var appendPolicy: String
    package var snapshotPolicy: [SnapshotRuleObject]
    package var proxyPolicy: String
    package var shardsPlacement: String
    package var password: String
    package var maximumConnections: Int
    package var tags: [TagObject]
    package var endpoints: [EndpointObject]
    package var shardList: [ShardID]
    package var createdTime: String
    package var lastChangedTime: String
    /// `async`, `replica`, `replica-degrade`. Not the reference system's.
    package var durability: String
    /// The action that changes it now, to be watched at `/v1/actions/<uid>`.
    package var actionUID: String?

    package init(
        _ database: DatabaseConfiguration, nodes: [NodeID: NodeRecord], clusterName: String,
        action: ActionRecord? = nil
    ) {
        let policy = database.policy
        uid = database.id
        name = policy.name
        status = database.status.rawValue
        memoryLimitBytes = policy.memoryLimit.bytes
        shardCount = policy.shardCount
        shardKeyRules =
            policy.keyRules.areHashTags && policy.shardCount > 1
            ? ShardKeyRule.standard : policy.keyRules.patterns.map(ShardKeyRule.init)
        hashesUnmatched = policy.keyRules.hashesUnmatched
        isReplicated = policy.isReplicated
        port = policy.requestedPort
        evictionPolicy = policy.eviction.rawValue
        let persistence = PersistenceFields(policy.persistence)
        self.persistence = persistence.persistence
        appendPolicy = persistence.appendPolicy
        snapshotPolicy = persistence.snapshotPolicy
        proxyPolicy = policy.proxyPolicy.rawValue
        shardsPlacement = policy.placement.rawValue
        password = policy.password
        maximumConnections = policy.maximumConnections
        tags = policy.tags.sorted { $0.key < $1.key }.map { TagObject(key: $0.key, value: $0.value) }
        endpoints = [EndpointObject(database, nodes: nodes, clusterName: clusterName)]
        shardList = database.shards.map(\.id)
        createdTime = database.createdAt.description
        lastChangedTime = database.changedAt.description
        durability = policy.durability.rawValue
        actionUID = action?.id.description
    }
}

/// `data_persistence` and its two companions.
struct PersistenceFields {
    var persistence = "disabled"
    var appendPolicy = Self.everySecond
    var snapshotPolicy: [SnapshotRuleObject] = []

    static let everySecond = "appendfsync-every-sec"
    static let always = "appendfsync-always"

    init(_ persistence: Persistence) {
        switch persistence {
        case .none: break
        case .appendOnly(let everyWrite):
            self.persistence = "aof"
            appendPolicy = everyWrite ? Self.always : Self.everySecond
        case .snapshot(let rules):
            self.persistence = "snapshot"
            snapshotPolicy = rules.map { SnapshotRuleObject(secs: $0.seconds, writes: $0.writes) }
        }
    }
}

package struct SnapshotRuleObject: Codable, Sendable, Hashable {
    package var secs: Int
    package var writes: Int

    package init(secs: Int, writes: Int) {
        self.secs = secs
        self.writes = writes
    }
}

package struct TagObject: Codable, Sendable, Hashable {
    package var key: String
    package var value: String

    package init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// One rule that finds the part of a key that fixes its slot.
package struct ShardKeyRule: Codable, Sendable, Hashable {
    package var regex: String

    package init(regex: String) {
        self.regex = regex
    }

    /// What hash tags mean in Redis, as the reference system writes it down.
    package static let standard = KeyRules.standardPatterns.map(ShardKeyRule.init)
}
