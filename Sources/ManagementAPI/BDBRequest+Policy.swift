package import ClusterModel
import Primitives

extension BDBRequest {
    /// The policy of a new database.
    /// - Throws: `missing_db_name`, `missing_memory_size`, and what ``apply(to:)`` throws.
    package func toPolicy() throws(PlanError) -> DatabasePolicy {
        guard let name, !name.isEmpty else {
            throw PlanError("missing_db_name", "name is missing: a database needs one.")
        }
        guard let memoryLimitBytes else {
            throw PlanError("missing_memory_size", "memory_size is missing: give bytes, or 0 for no limit.")
        }
        return try apply(to: DatabasePolicy(name: name, memoryLimit: ByteCount(bytes: memoryLimitBytes)))
    }

    /// The policy with what the request says changed in it. What the values mean for nodes and for other databases
    /// is the planner's to check.
    /// - Throws: The reference system's code for the option, status 406; `not_supported` (501) for what it has and
    ///   we don't have yet.
    package func apply(to policy: DatabasePolicy) throws(PlanError) -> DatabasePolicy {
        try refuseUnsupported()
        var policy = policy
        if let name { policy.name = name }
        if let memoryLimitBytes { policy.memoryLimit = ByteCount(bytes: memoryLimitBytes) }
        if let isReplicated { policy.isReplicated = isReplicated }
        if let password { policy.password = password }
        if let maximumConnections { policy.maximumConnections = maximumConnections }
        if let port { policy.requestedPort = try checked(port: port) }
        policy.shardCount = try shards(of: policy)
        policy.persistence = try persistence(over: policy.persistence)
        policy.eviction = try choice(evictionPolicy, "eviction_policy", "eviction_policy_violation") ?? policy.eviction
        policy.proxyPolicy = try choice(proxyPolicy, "proxy_policy", "invalid_proxy_policy") ?? policy.proxyPolicy
        policy.placement =
            try choice(shardsPlacement, "shards_placement", "invalid_shards_placement") ?? policy.placement
        policy.durability = try choice(durability, "durability", "invalid_durability") ?? policy.durability
        policy.keyRules = KeyRules(
            patterns: shardKeyRules?.map(\.regex) ?? policy.keyRules.patterns,
            hashesUnmatched: hashesUnmatched ?? policy.keyRules.hashesUnmatched)
        if let tags { policy.tags = try checked(tags: tags) }
        return policy
    }

    private func refuseUnsupported() throws(PlanError) {
        if let type, type != "redis" {
            throw type == "memcached"
                ? PlanError("not_supported", status: 501, "type memcached is not supported yet; use redis.")
                : PlanError("invalid_type", "type is \"\(type)\"; it must be redis.")
        }
        if let redisVersion, !RedisVersion.isSupported(redisVersion) {
            throw PlanError(
                "invalid_version", "redis_version \(redisVersion) is not installed; \(RedisVersion.provisioned) is.")
        }
        for (key, value) in others.sorted(by: { $0.key < $1.key }) {
            guard let offered = BDBDefaults.options[key], value != offered, value != .null else { continue }
            throw PlanError(
                "not_supported", status: 501,
                "\(key) can only be \(offered.text) for now (asked for: \(value.text)). Leave it out.")
        }
    }

    private func checked(port: Int) throws(PlanError) -> UInt16 {
        guard let port = UInt16(exactly: port) else {
            throw PlanError("port_unavailable", "port is \(port); use 10000-19999, or 0 for any.")
        }
        return port
    }

    /// `sharding: false` is one shard; more than one is sharding, said or not.
    private func shards(of policy: DatabasePolicy) throws(PlanError) -> Int {
        let count = shardCount ?? policy.shardCount
        guard sharding == false, count > 1 else { return count }
        throw PlanError(
            "invalid_sharding",
            "sharding is false and shards_count is \(count). Leave sharding out, or ask for one shard.")
    }

    private func persistence(over old: Persistence) throws(PlanError) -> Persistence {
        let fields = PersistenceFields(old)
        let append = appendPolicy ?? fields.appendPolicy
        guard [PersistenceFields.everySecond, PersistenceFields.always].contains(append) else {
            throw PlanError(
                "invalid_data_persistence",
                "aof_policy is \"\(append)\"; it must be \(PersistenceFields.everySecond) or "
                    + "\(PersistenceFields.always).")
        }
        switch persistence ?? fields.persistence {
        case "disabled": return .none
        case "aof": return .appendOnly(everyWrite: append == PersistenceFields.always)
        case "snapshot":
            // What the reference system's console offers first: once an hour, if anything changed.
            let rules = snapshotPolicy ?? fields.snapshotPolicy
            let chosen = rules.isEmpty ? [SnapshotRuleObject(secs: 3600, writes: 1)] : rules
            return .snapshot(chosen.map { SnapshotRule(seconds: $0.secs, writes: $0.writes) })
        case let other:
            throw PlanError(
                "invalid_data_persistence",
                "data_persistence is \"\(other)\"; it must be disabled, aof or snapshot.")
        }
    }

    private func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ value: String?, _ key: String, _ code: String
    ) throws(PlanError) -> Choice? {
        guard let value else { return nil }
        guard let choice = Choice(rawValue: value) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw PlanError(code, "\(key) is \"\(value)\"; it must be one of \(known).")
        }
        return choice
    }

    private func checked(tags: [TagObject]) throws(PlanError) -> [String: String] {
        var checked: [String: String] = [:]
        for tag in tags {
            guard !tag.key.isEmpty, checked[tag.key] == nil else {
                throw PlanError("invalid_bdb_tags", "tags need keys, each of them once (\"\(tag.key)\").")
            }
            checked[tag.key] = tag.value
        }
        return checked
    }
}
