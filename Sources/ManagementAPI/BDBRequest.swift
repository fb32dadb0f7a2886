package import ClusterModel

/// The body of a create (`POST /v1/bdbs`) or a partial change (`PUT /v1/bdbs/<uid>`): whatever is not there is not
/// asked for. Unknown keys are ignored; known ones with a value that we can't give are refused.
package struct BDBRequest: Sendable, Hashable {
    package var uid: DatabaseID?
    package var name: String?
    package var type: String?
    /// Bytes over all shards and replicas; 0: no limit.
    package var memoryLimitBytes: Int64?
    package var sharding: Bool?
    package var shardCount: Int?
    package var shardKeyRules: [ShardKeyRule]?
    /// Keys that no rule matches are hashed whole.
    package var hashesUnmatched: Bool?
    package var isReplicated: Bool?
    package var persistence: String?
    package var appendPolicy: String?
    package var snapshotPolicy: [SnapshotRuleObject]?
    package var evictionPolicy: String?
    package var proxyPolicy: String?
    package var shardsPlacement: String?
    package var port: Int?
    package var password: String?
    package var maximumConnections: Int?
    package var tags: [TagObject]?
    package var redisVersion: String?
    /// `async`, `replica`, `replica-degrade`. Not the reference system's.
    package var durability: String?
    /// Options that we know and don't offer, by key.
    package private(set) var others: [String: JSONValue] = [:]

    package init() {}
}

extension BDBRequest: Codable {
    private enum CodingKeys: String, CodingKey {
        case uid, name, type, sharding, port, tags, durability
        case memoryLimitBytes = "memory_size"
        case shardCount = "shards_count"
        case shardKeyRules = "shard_key_regex"
        case hashesUnmatched = "implicit_shard_key"
        case isReplicated = "replication"
        case persistence = "data_persistence"
        case appendPolicy = "aof_policy"
        case snapshotPolicy = "snapshot_policy"
        case evictionPolicy = "eviction_policy"
        case proxyPolicy = "proxy_policy"
        case shardsPlacement = "shards_placement"
        case password = "authentication_redis_pass"
        case maximumConnections = "max_connections"
        case redisVersion = "redis_version"
    }

    /// - Throws: `DecodingError` that names the key and what was expected there.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        uid = try container.decodeIfPresent(DatabaseID.self, forKey: .uid)
        name = try container.decodeIfPresent(String.self, forKey: .name)
        type = try container.decodeIfPresent(String.self, forKey: .type)
        memoryLimitBytes = try container.decodeIfPresent(Int64.self, forKey: .memoryLimitBytes)
        sharding = try container.decodeIfPresent(Bool.self, forKey: .sharding)
        shardCount = try container.decodeIfPresent(Int.self, forKey: .shardCount)
        shardKeyRules = try container.decodeIfPresent([ShardKeyRule].self, forKey: .shardKeyRules)
        hashesUnmatched = try container.decodeIfPresent(Bool.self, forKey: .hashesUnmatched)
        isReplicated = try container.decodeIfPresent(Bool.self, forKey: .isReplicated)
        persistence = try container.decodeIfPresent(String.self, forKey: .persistence)
        appendPolicy = try container.decodeIfPresent(String.self, forKey: .appendPolicy)
        snapshotPolicy = try container.decodeIfPresent([SnapshotRuleObject].self, forKey: .snapshotPolicy)
        evictionPolicy = try container.decodeIfPresent(String.self, forKey: .evictionPolicy)
        proxyPolicy = try container.decodeIfPresent(String.self, forKey: .proxyPolicy)
        shardsPlacement = try container.decodeIfPresent(String.self, forKey: .shardsPlacement)
        port = try container.decodeIfPresent(Int.self, forKey: .port)
        password = try container.decodeIfPresent(String.self, forKey: .password)
        maximumConnections = try container.decodeIfPresent(Int.self, forKey: .maximumConnections)
        tags = try container.decodeIfPresent([TagObject].self, forKey: .tags)
        redisVersion = try container.decodeIfPresent(String.self, forKey: .redisVersion)
        durability = try container.decodeIfPresent(String.self, forKey: .durability)
        let all = try decoder.container(keyedBy: JSONKey.self)
        for key in all.allKeys where BDBDefaults.options[key.stringValue] != nil {
            others[key.stringValue] = try all.decode(JSONValue.self, forKey: key)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var all = encoder.container(keyedBy: JSONKey.self)
        for (key, value) in others { try all.encode(value, forKey: JSONKey(key)) }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(uid, forKey: .uid)
        try container.encodeIfPresent(name, forKey: .name)
        try container.encodeIfPresent(type, forKey: .type)
        try container.encodeIfPresent(memoryLimitBytes, forKey: .memoryLimitBytes)
        try container.encodeIfPresent(sharding, forKey: .sharding)
        try container.encodeIfPresent(shardCount, forKey: .shardCount)
        try container.encodeIfPresent(shardKeyRules, forKey: .shardKeyRules)
        try container.encodeIfPresent(hashesUnmatched, forKey: .hashesUnmatched)
        try container.encodeIfPresent(isReplicated, forKey: .isReplicated)
        try container.encodeIfPresent(persistence, forKey: .persistence)
        try container.encodeIfPresent(appendPolicy, forKey: .appendPolicy)
        try container.encodeIfPresent(snapshotPolicy, forKey: .snapshotPolicy)
        try container.encodeIfPresent(evictionPolicy, forKey: .evictionPolicy)
        try container.encodeIfPresent(proxyPolicy, forKey: .proxyPolicy)
        try container.encodeIfPresent(shardsPlacement, forKey: .shardsPlacement)
        try container.encodeIfPresent(port, forKey: .port)
        try container.encodeIfPresent(password, forKey: .password)
        try container.encodeIfPresent(maximumConnections, forKey: .maximumConnections)
        try container.encodeIfPresent(tags, forKey: .tags)
        try container.encodeIfPresent(redisVersion, forKey: .redisVersion)
        try container.encodeIfPresent(durability, forKey: .durability)
    }
}
