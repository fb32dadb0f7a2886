package import ClusterModel

/// A node of the cluster.
package struct NodeObject: Codable, Sendable, Hashable {
    package var uid: NodeID
    package var address: String
    package var hostname: String
    package var acceptsShards: Bool
    package var architecture: String
    package var cores: Int
    package var totalMemoryBytes: Int64
    /// `active`, `decommissioning`, `down`, `provisioning`.
    package var status: String
    package var shardList: [ShardID]
    package var rackID: String
    package var maximumEndpoints: Int
    package var maximumShards: Int
    package var softwareVersion: String
    package var operatingSystem: String
    /// `client`, `learner` or `voter`: its part in the configuration store.
    package var storeRole: String
    /// Nil when the node doesn't answer.
    package var uptimeSeconds: Int64?
    package var isInMaintenance: Bool

    private enum CodingKeys: String, CodingKey {
        case uid
        case address = "addr"
        case hostname
        case acceptsShards = "accept_servers"
        case architecture, cores
        case totalMemoryBytes = "total_memory"
        case status
        case shardList = "shard_list"
        case rackID = "rack_id"
        case maximumEndpoints = "max_listeners"
        case maximumShards = "max_redis_servers"
        case softwareVersion = "software_version"
        case operatingSystem = "os_version"
        case storeRole = "store_role"
        case uptimeSeconds = "uptime"
        case isInMaintenance = "in_maintenance"
    }

    package init(
        _ node: NodeRecord, databases: [DatabaseID: DatabaseConfiguration], report: NodeReportObject?
    ) {
        uid = node.id
        address = node.address
        hostname = node.hostname
        acceptsShards = node.acceptsShards
        architecture = node.architecture
        cores = node.cores
        totalMemoryBytes = node.totalMemory.bytes
        status = node.status.rawValue
        shardList = databases.values.flatMap(\.shards).filter { $0.node == node.id }.map(\.id).sorted()
        rackID = node.rackID
        maximumEndpoints = node.maximumEndpoints
        maximumShards = node.maximumShards
        softwareVersion = report?.softwareVersion ?? node.softwareVersion
        operatingSystem = node.operatingSystem
        storeRole = node.storeRole.rawValue
        uptimeSeconds = report?.uptimeSeconds
        isInMaintenance = node.maintenance != nil
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        uid = try container.decode(NodeID.self, forKey: .uid)
        address = try container.decode(String.self, forKey: .address)
        hostname = try container.decodeIfPresent(String.self, forKey: .hostname) ?? ""
        acceptsShards = try container.decodeIfPresent(Bool.self, forKey: .acceptsShards) ?? true
        architecture = try container.decodeIfPresent(String.self, forKey: .architecture) ?? ""
        cores = try container.decodeIfPresent(Int.self, forKey: .cores) ?? 0
        totalMemoryBytes = try container.decodeIfPresent(Int64.self, forKey: .totalMemoryBytes) ?? 0
        status = try container.decodeIfPresent(String.self, forKey: .status) ?? "unknown"
        shardList = try container.decodeIfPresent([ShardID].self, forKey: .shardList) ?? []
        rackID = try container.decodeIfPresent(String.self, forKey: .rackID) ?? ""
        maximumEndpoints = try container.decodeIfPresent(Int.self, forKey: .maximumEndpoints) ?? 0
        maximumShards = try container.decodeIfPresent(Int.self, forKey: .maximumShards) ?? 0
        softwareVersion = try container.decodeIfPresent(String.self, forKey: .softwareVersion) ?? ""
        operatingSystem = try container.decodeIfPresent(String.self, forKey: .operatingSystem) ?? ""
        storeRole = try container.decodeIfPresent(String.self, forKey: .storeRole) ?? ""
        uptimeSeconds = try container.decodeIfPresent(Int64.self, forKey: .uptimeSeconds)
        isInMaintenance = try container.decodeIfPresent(Bool.self, forKey: .isInMaintenance) ?? false
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(uid, forKey: .uid)
        try container.encode(address, forKey: .address)
        try container.encode(hostname, forKey: .hostname)
        try container.encode(acceptsShards, forKey: .acceptsShards)
        try container.encode(architecture, forKey: .architecture)
        try container.encode(cores, forKey: .cores)
        try container.encode(totalMemoryBytes, forKey: .totalMemoryBytes)
        try container.encode(status, forKey: .status)
        try container.encode(shardList, forKey: .shardList)
        try container.encode(rackID, forKey: .rackID)
        try container.encode(maximumEndpoints, forKey: .maximumEndpoints)
        try container.encode(maximumShards, forKey: .maximumShards)
        try container.encode(softwareVersion, forKey: .softwareVersion)
        try container.encode(operatingSystem, forKey: .operatingSystem)
        try container.encode(storeRole, forKey: .storeRole)
        try container.encode(uptimeSeconds ?? 0, forKey: .uptimeSeconds)
        try container.encode(isInMaintenance, forKey: .isInMaintenance)
        try encodeConstants(to: encoder)
    }

    private func encodeConstants(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: JSONKey.self)
        let constants: [String: JSONValue] = [
            "external_addr": [], "shard_count": .integer(Int64(shardList.count)),
            "ram_shard_count": .integer(Int64(shardList.count)), "flash_shard_count": 0, "second_rack_id": "",
            "max_redis_forks": -1, "max_slave_full_syncs": -1, "bigstore_enabled": false,
            "use_internal_ipv6": false, "fips_enabled": false, "supported_database_versions": RedisVersion.supported,
        ]
        for (key, value) in constants { try container.encode(value, forKey: JSONKey(key)) }
    }
}
