import ClusterModel

extension BDBObject {
    enum CodingKeys: String, CodingKey {
        case uid, name, status, replication, port, tags, endpoints, sharding, version, durability
        case memoryLimitBytes = "memory_size"
        case shardCount = "shards_count"
        case shardKeyRules = "shard_key_regex"
        case hashesUnmatched = "implicit_shard_key"
        case evictionPolicy = "eviction_policy"
        case persistence = "data_persistence"
        case appendPolicy = "aof_policy"
        case snapshotPolicy = "snapshot_policy"
        case proxyPolicy = "proxy_policy"
        case shardsPlacement = "shards_placement"
        case password = "authentication_redis_pass"
        case maximumConnections = "max_connections"
        case shardList = "shard_list"
        case createdTime = "created_time"
        case lastChangedTime = "last_changed_time"
        case actionUID = "action_uid"
        case redisVersion = "redis_version"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        uid = try container.decode(DatabaseID.self, forKey: .uid)
        name = try container.decodeIfPresent(String.self, forKey: .name) ?? ""
        status = try container.decodeIfPresent(String.self, forKey: .status) ?? "unknown"
        memoryLimitBytes = try container.decodeIfPresent(Int64.self, forKey: .memoryLimitBytes) ?? 0
        shardCount = try container.decodeIfPresent(Int.self, forKey: .shardCount) ?? 1
        shardKeyRules = try container.decodeIfPresent([ShardKeyRule].self, forKey: .shardKeyRules) ?? []
        hashesUnmatched = try container.decodeIfPresent(Bool.self, forKey: .hashesUnmatched) ?? false
        isReplicated = try container.decodeIfPresent(Bool.self, forKey: .replication) ?? false
        port = try container.decodeIfPresent(UInt16.self, forKey: .port) ?? 0
        evictionPolicy = try container.decodeIfPresent(String.self, forKey: .evictionPolicy) ?? ""
        persistence = try container.decodeIfPresent(String.self, forKey: .persistence) ?? "disabled"
        appendPolicy = try container.decodeIfPresent(String.self, forKey: .appendPolicy) ?? ""
        snapshotPolicy = try container.decodeIfPresent([SnapshotRuleObject].self, forKey: .snapshotPolicy) ?? []
        proxyPolicy = try container.decodeIfPresent(String.self, forKey: .proxyPolicy) ?? ""
        shardsPlacement = try container.decodeIfPresent(String.self, forKey: .shardsPlacement) ?? ""
        password = try container.decodeIfPresent(String.self, forKey: .password) ?? ""
        maximumConnections = try container.decodeIfPresent(Int.self, forKey: .maximumConnections) ?? 0
        tags = try container.decodeIfPresent([TagObject].self, forKey: .tags) ?? []
        endpoints = try container.decodeIfPresent([EndpointObject].self, forKey: .endpoints) ?? []
        shardList = try container.decodeIfPresent([ShardID].self, forKey: .shardList) ?? []
        createdTime = try container.decodeIfPresent(String.self, forKey: .createdTime) ?? ""
        lastChangedTime = try container.decodeIfPresent(String.self, forKey: .lastChangedTime) ?? ""
        actionUID = try container.decodeIfPresent(String.self, forKey: .actionUID)
        durability = try container.decodeIfPresent(String.self, forKey: .durability) ?? Durability.async.rawValue
    }

    package func encode(to encoder: any Encoder) throws {
        var constants = encoder.container(keyedBy: JSONKey.self)
        for (key, value) in BDBDefaults.all { try constants.encode(value, forKey: JSONKey(key)) }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(uid, forKey: .uid)
        try container.encode(name, forKey: .name)
        try container.encode(status, forKey: .status)
        try container.encode(memoryLimitBytes, forKey: .memoryLimitBytes)
        try container.encode(shardCount, forKey: .shardCount)
        try container.encode(shardCount > 1, forKey: .sharding)
        try container.encode(shardKeyRules, forKey: .shardKeyRules)
        try container.encode(hashesUnmatched, forKey: .hashesUnmatched)
        try container.encode(isReplicated, forKey: .replication)
        try container.encode(port, forKey: .port)
        try container.encode(evictionPolicy, forKey: .evictionPolicy)
        try container.encode(persistence, forKey: .persistence)
        try container.encode(appendPolicy, forKey: .appendPolicy)
        try container.encode(snapshotPolicy, forKey: .snapshotPolicy)
        try container.encode(proxyPolicy, forKey: .proxyPolicy)
        try container.encode(shardsPlacement, forKey: .shardsPlacement)
        try container.encode(password, forKey: .password)
        try container.encode(maximumConnections, forKey: .maximumConnections)
        try container.encode(tags, forKey: .tags)
        try container.encode(endpoints, forKey: .endpoints)
        try container.encode(shardList, forKey: .shardList)
        try container.encode(createdTime, forKey: .createdTime)
        try container.encode(lastChangedTime, forKey: .lastChangedTime)
        try container.encode(RedisVersion.provisioned, forKey: .redisVersion)
        try container.encode(RedisVersion.provisioned + ".0", forKey: .version)
        try container.encode(durability, forKey: .durability)
        try container.encodeIfPresent(actionUID, forKey: .actionUID)
    }
}
