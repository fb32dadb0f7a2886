package import ClusterModel

/// How a node is, in one answer for all nodes: `/v1/nodes/status` maps uids to these.
package struct NodeStatusObject: Codable, Sendable, Hashable {
    package var hostname: String
    /// `master` for the leader, `slave` for the others: the reference system's words.
    package var role: String
    package var nodeStatus: String
    package var cores: Int
    /// Nil when the node doesn't answer.
    package var freeMemoryBytes: Int64?
    /// What may still be promised to shards; below 0 on a node that lost memory.
    package var freeProvisionalBytes: Int64
    package var totalMemoryBytes: Int64
    package var totalProvisionalBytes: Int64
    package var overbookingBytes: Int64
    package var primaryShards: [ShardID]
    package var replicaShards: [ShardID]
    package var softwareVersion: String

    private enum CodingKeys: String, CodingKey {
        case hostname, role
        case nodeStatus = "node_status"
        case cores
        case freeMemoryBytes = "free_ram"
        case freeProvisionalBytes = "free_provisional_ram"
        case totalMemoryBytes = "total_memory"
        case totalProvisionalBytes = "total_provisional_ram"
        case overbookingBytes = "node_overbooking_depth"
        case primaryShards = "master_shards"
        case replicaShards = "slave_shards"
        case softwareVersion = "software_version"
    }

    /// Share of a node's memory that may be promised to shards, as the planner has it.
    package static let provisionalPercent: Int64 = 90

    package init(
        _ node: NodeRecord, isLeader: Bool, databases: [DatabaseID: DatabaseConfiguration], report: NodeReportObject?
    ) {
        var promised: Int64 = 0
        var primaries: [ShardID] = []
        var replicas: [ShardID] = []
        for database in databases.values {
            for shard in database.shards where shard.node == node.id {
                promised += database.policy.memoryLimitPerShard.bytes
                if shard.role == .primary { primaries.append(shard.id) } else { replicas.append(shard.id) }
            }
        }
        hostname = node.hostname
        role = isLeader ? "master" : "slave"
        nodeStatus = node.status.rawValue
        cores = node.cores
        freeMemoryBytes = report?.freeMemory.bytes
        totalMemoryBytes = node.totalMemory.bytes
        totalProvisionalBytes = node.totalMemory.bytes / 100 * Self.provisionalPercent
        freeProvisionalBytes = totalProvisionalBytes - promised
        overbookingBytes = max(0, promised - totalProvisionalBytes)
        primaryShards = primaries.sorted()
        replicaShards = replicas.sorted()
        softwareVersion = report?.softwareVersion ?? node.softwareVersion
    }
}
