import ClusterModel
import KeyMatching
import Primitives

/// What a policy must satisfy whatever the nodes look like.
enum PolicyRules {
    /// A redis-server needs about this much before it holds a single key; below it every write is refused.
    static let minimumMemoryPerShard = ByteCount.megabytes(1)
    static let shardCounts = 1...512
    static let maximumNameLength = 63

    /// - Parameter id: The database that has the policy already; nil for a new one.
    static func check(_ policy: DatabasePolicy, as id: DatabaseID?, in state: ClusterState) throws(PlanError) {
        try checkName(policy.name, as: id, in: state)
        guard shardCounts.contains(policy.shardCount) else {
            throw PlanError("invalid_sharding", "shards_count is \(policy.shardCount); it must lie in 1...512.")
        }
        try checkMemory(policy)
        try checkPersistence(policy.persistence)
        guard policy.isReplicated || !policy.durability.waitsForReplica else {
            throw PlanError(
                "invalid_durability",
                "durability \(policy.durability.rawValue) needs replicas that confirm writes: set replication to true, "
                    + "or durability to async.")
        }
        do throws(KeyRuleError) {
            try policy.keyRules.check()
        } catch {
            throw PlanError("invalid_shard_key_regex", "shard_key_regex: \(error).")
        }
        guard policy.maximumConnections >= 0 else {
            throw PlanError("invalid_max_connections", "max_connections must be 0 (no limit) or more.")
        }
    }

    private static func checkName(_ name: String, as id: DatabaseID?, in state: ClusterState) throws(PlanError) {
        guard !name.isEmpty else { throw PlanError("missing_db_name", "A database needs a name.") }
        guard name.utf8.count <= maximumNameLength, name.utf8.allSatisfy({ isAlphanumeric($0) || $0 == dash }),
            isAlphanumeric(name.utf8.first ?? dash), isAlphanumeric(name.utf8.last ?? dash)
        else {
            throw PlanError(
                "name_violation",
                "\"\(name)\" can't be a database name: use 1 to 63 letters, digits and hyphens, with a letter or a "
                    + "digit at both ends.")
        }
        if let taken = state.usage.names[name], taken != id {
            throw PlanError("name_violation", status: 409, "Database \(taken) is called \(name) already.")
        }
    }

    private static let dash = UInt8(ascii: "-")

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func checkMemory(_ policy: DatabasePolicy) throws(PlanError) {
        guard policy.memoryLimit >= .zero else {
            throw PlanError("invalid_memory_size", "memory_size must be 0 (no limit) or more.")
        }
        guard policy.memoryLimit > .zero, policy.memoryLimitPerShard < minimumMemoryPerShard else { return }
        let processes = Int64(policy.shardCount * (policy.isReplicated ? 2 : 1))
        throw PlanError(
            "invalid_memory_size",
            "memory_size of \(policy.memoryLimit) leaves \(policy.memoryLimitPerShard) for each of \(processes) "
                + "shards and replicas; each needs at least \(minimumMemoryPerShard). Ask for "
                + "\(ByteCount(bytes: minimumMemoryPerShard.bytes * processes)) or more.")
    }

    private static func checkPersistence(_ persistence: Persistence) throws(PlanError) {
        guard case .snapshot(let rules) = persistence else { return }
        guard !rules.isEmpty, rules.allSatisfy({ $0.seconds > 0 && $0.writes > 0 }) else {
            throw PlanError(
                "invalid_data_persistence", "A snapshot policy needs rules with secs and writes of 1 or more.")
        }
    }
}
