package import ClusterModel
package import Primitives

/// How far a node is on its way into a cluster, and what it is.
package struct BootstrapObject: Codable, Sendable, Hashable {
    package struct Status: Codable, Sendable, Hashable {
        /// `idle`, `initiated`, `creating_cluster`, `joining_cluster`, `error`, `completed`.
        package var state: String
        /// ISO 8601.
        package var startTime: String?
        package var endTime: String?
        /// Set in state `error`.
        package var errorCode: String?
        package var errorDetails: String?

        private enum CodingKeys: String, CodingKey {
            case state
            case startTime = "start_time"
            case endTime = "end_time"
            case errorCode = "error_code"
            case errorDetails = "error_details"
        }

        package init(
            state: String, startTime: String? = nil, endTime: String? = nil, errorCode: String? = nil,
            errorDetails: String? = nil
        ) {
            self.state = state
            self.startTime = startTime
            self.endTime = endTime
            self.errorCode = errorCode
            self.errorDetails = errorDetails
        }
    }

    package var status: Status
    package var localNode: LocalNodeObject

    private enum CodingKeys: String, CodingKey {
        case status = "bootstrap_status"
        case localNode = "local_node_info"
    }

    package init(status: Status, localNode: LocalNodeObject) {
        self.status = status
        self.localNode = localNode
    }

    package init(
        state: String, startedAt: WallTime? = nil, endedAt: WallTime? = nil, errorCode: String? = nil,
        errorDescription: String? = nil, localNode: LocalNodeObject
    ) {
        self.init(
            status: Status(
                state: state, startTime: startedAt?.description, endTime: endedAt?.description,
                errorCode: errorCode, errorDetails: errorDescription),
            localNode: localNode)
    }
}

/// A node as it sees itself, in a cluster or not.
package struct LocalNodeObject: Codable, Sendable, Hashable {
    package struct Address: Codable, Sendable, Hashable {
        package var address: String
        package var format: String
        package var interface: String
        package var isPrivate: Bool

        private enum CodingKeys: String, CodingKey {
            case address, format
            case interface = "if_name"
            case isPrivate = "private"
        }

        package init(address: String, interface: String, isPrivate: Bool) {
            self.address = address
            format = "ipv4"
            self.interface = interface
            self.isPrivate = isPrivate
        }
    }

    /// A text here, unlike in `/v1/nodes`; nil while in no cluster.
    package var uid: String?
    package var addresses: [Address]
    package var architecture: String
    package var cores: Int
    package var totalMemoryBytes: Int64
    package var uptimeSeconds: Int64
    package var softwareVersion: String
    package var operatingSystem: String
    package var hostname: String

    private enum CodingKeys: String, CodingKey {
        case uid, architecture, cores
        // The reference's documents have the first name, its server answers with the second: both are sent.
        case documentedAddresses = "available_addrs"
        case addresses = "available_addresses"
        case totalMemoryBytes = "total_memory"
        case uptimeSeconds = "uptime"
        case softwareVersion = "software_version"
        case operatingSystem = "os_version"
        case hostname = "short_hostname"
        case databaseVersions = "supported_database_versions"
    }

    package init(
        uid: NodeID?, addresses: [Address], architecture: String, cores: Int, totalMemoryBytes: Int64,
        uptimeSeconds: Int64, softwareVersion: String, operatingSystem: String, hostname: String
    ) {
        self.uid = uid?.description
        self.addresses = addresses
        self.architecture = architecture
        self.cores = cores
        self.totalMemoryBytes = totalMemoryBytes
        self.uptimeSeconds = uptimeSeconds
        self.softwareVersion = softwareVersion
        self.operatingSystem = operatingSystem
        self.hostname = hostname
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        uid = try container.decodeIfPresent(String.self, forKey: .uid)
        addresses =
            try container.decodeIfPresent([Address].self, forKey: .addresses)
            ?? container.decodeIfPresent([Address].self, forKey: .documentedAddresses) ?? []
        architecture = try container.decodeIfPresent(String.self, forKey: .architecture) ?? ""
        cores = try container.decodeIfPresent(Int.self, forKey: .cores) ?? 0
        totalMemoryBytes = try container.decodeIfPresent(Int64.self, forKey: .totalMemoryBytes) ?? 0
        uptimeSeconds = try container.decodeIfPresent(Int64.self, forKey: .uptimeSeconds) ?? 0
        softwareVersion = try container.decodeIfPresent(String.self, forKey: .softwareVersion) ?? ""
        operatingSystem = try container.decodeIfPresent(String.self, forKey: .operatingSystem) ?? ""
        hostname = try container.decodeIfPresent(String.self, forKey: .hostname) ?? ""
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(uid, forKey: .uid)
        try container.encode(addresses, forKey: .addresses)
        try container.encode(addresses, forKey: .documentedAddresses)
        try container.encode(architecture, forKey: .architecture)
        try container.encode(cores, forKey: .cores)
        try container.encode(totalMemoryBytes, forKey: .totalMemoryBytes)
        try container.encode(uptimeSeconds, forKey: .uptimeSeconds)
        try container.encode(softwareVersion, forKey: .softwareVersion)
        try container.encode(operatingSystem, forKey: .operatingSystem)
        try container.encode(hostname, forKey: .hostname)
        try container.encode(RedisVersion.supported, forKey: .databaseVersions)
    }
}
