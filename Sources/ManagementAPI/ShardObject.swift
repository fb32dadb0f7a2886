package import ClusterModel

/// One redis-server process. Its numbers are texts, as in the reference system, except the database's.
package struct ShardObject: Codable, Sendable, Hashable {
    package var uid: String
    package var databaseID: DatabaseID
    package var nodeUID: String
    /// `master` or `slave`: the reference system's words.
    package var role: String
    package var assignedSlots: String
    /// `active` or `inactive`.
    package var status: String
    /// `ok`, `loading`, `down`, `unknown`.
    package var detailedStatus: String
    /// Nil when its node hasn't said.
    package var pid: Int32?
    package var usedMemoryBytes: Int64?
    package var keyCount: Int?
    /// Mutual-TLS port on its node.
    package var port: UInt16

    private enum CodingKeys: String, CodingKey {
        case uid
        case databaseID = "bdb_uid"
        case nodeUID = "node_uid"
        case role
        case assignedSlots = "assigned_slots"
        case status
        case detailedStatus = "detailed_status"
        case loading, backup, sync
        case redisInfo = "redis_info"
        case pid
        case usedMemoryBytes = "used_memory"
        case keyCount = "no_of_keys"
        case port
    }

    package init(_ shard: ShardConfiguration, of database: DatabaseConfiguration, report: ShardReportObject?) {
        uid = shard.id.description
        databaseID = database.id
        nodeUID = shard.node.description
        role = shard.role == .primary ? "master" : "slave"
        assignedSlots = shard.slots.description
        detailedStatus = report?.state ?? "unknown"
        status = report == nil || report?.state == "down" ? "inactive" : "active"
        pid = report?.pid
        usedMemoryBytes = report?.usedMemory.bytes
        keyCount = report?.keys
        port = shard.port
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        uid = try container.decode(String.self, forKey: .uid)
        databaseID = try container.decode(DatabaseID.self, forKey: .databaseID)
        nodeUID = try container.decode(String.self, forKey: .nodeUID)
        role = try container.decode(String.self, forKey: .role)
        assignedSlots = try container.decodeIfPresent(String.self, forKey: .assignedSlots) ?? ""
        status = try container.decodeIfPresent(String.self, forKey: .status) ?? "unknown"
        detailedStatus = try container.decodeIfPresent(String.self, forKey: .detailedStatus) ?? "unknown"
        pid = try container.decodeIfPresent(Int32.self, forKey: .pid)
        usedMemoryBytes = try container.decodeIfPresent(Int64.self, forKey: .usedMemoryBytes)
        keyCount = try container.decodeIfPresent(Int.self, forKey: .keyCount)
        port = try container.decodeIfPresent(UInt16.self, forKey: .port) ?? 0
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(uid, forKey: .uid)
        try container.encode(databaseID, forKey: .databaseID)
        try container.encode(nodeUID, forKey: .nodeUID)
        try container.encode(role, forKey: .role)
        try container.encode(assignedSlots, forKey: .assignedSlots)
        try container.encode(status, forKey: .status)
        try container.encode(detailedStatus, forKey: .detailedStatus)
        let isLoading = detailedStatus == "loading"
        try container.encode(["status": isLoading ? "loading" : "idle"], forKey: .loading)
        try container.encode(["status": "idle"], forKey: .backup)
        try container.encode(["status": "idle"], forKey: .sync)
        try container.encode([String: String](), forKey: .redisInfo)
        try container.encodeIfPresent(pid, forKey: .pid)
        try container.encodeIfPresent(usedMemoryBytes, forKey: .usedMemoryBytes)
        try container.encodeIfPresent(keyCount, forKey: .keyCount)
        try container.encode(port, forKey: .port)
    }
}
