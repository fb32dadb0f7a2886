package import Primitives

/// A member of the cluster as the store remembers it. What changes from second to second is not here.
package struct NodeRecord: Hashable, Codable, Sendable {
    /// Where a node stands in its life.
    package enum Status: String, Codable, Sendable {
        case active, decommissioning, down, provisioning
    }

    /// The node's part in the cluster configuration store.
    package enum StoreRole: String, Codable, Sendable {
        /// Talks to the voters.
        case client
        /// Told to start a member that copies the log and has no vote yet.
        case learner
        case voter
        /// Its member is beyond repair: it is to be removed, then the node can become a learner again.
        case broken
    }

    package var id: NodeID
    /// IPv4 address that other nodes and clients reach it by.
    package var address: String
    package var hostname: String
    package var architecture: String
    package var cores: Int
    package var totalMemory: ByteCount
    package var softwareVersion: String
    package var operatingSystem: String
    package var status: Status
    package var acceptsShards: Bool
    package var rackID: String
    package var maximumShards: Int
    package var maximumEndpoints: Int
    package var storeRole: StoreRole
    /// SHA-256 of the node's public key in hexadecimal: tells a returning node from an impostor.
    package var publicKeyDigest: String
    package var joinedAt: WallTime
    /// When `status` changed last.
    package var statusSince: WallTime
    /// It is being removed, whatever its status: it gets no new work.
    package var isLeaving: Bool
    /// Nil: it is not in maintenance.
    package var maintenance: MaintenanceRecord?

    package init(
        id: NodeID, address: String, hostname: String, architecture: String, cores: Int, totalMemory: ByteCount,
        softwareVersion: String, operatingSystem: String, status: Status = .active, acceptsShards: Bool = true,
        rackID: String = "", maximumShards: Int = 500, maximumEndpoints: Int = 1000, storeRole: StoreRole = .client,
        publicKeyDigest: String = "", joinedAt: WallTime, statusSince: WallTime? = nil, isLeaving: Bool = false,
        maintenance: MaintenanceRecord? = nil
    ) {
        self.isLeaving = isLeaving
        self.maintenance = maintenance
        self.id = id
        self.address = address
        self.hostname = hostname
        self.architecture = architecture
        self.cores = cores
        self.totalMemory = totalMemory
        self.softwareVersion = softwareVersion
        self.operatingSystem = operatingSystem
        self.status = status
        self.acceptsShards = acceptsShards
        self.rackID = rackID
        self.maximumShards = maximumShards
        self.maximumEndpoints = maximumEndpoints
        self.storeRole = storeRole
        self.publicKeyDigest = publicKeyDigest
        self.joinedAt = joinedAt
        self.statusSince = statusSince ?? joinedAt
    }
}

/// What was taken off a node for its maintenance, so that it can be put back.
package struct MaintenanceRecord: Hashable, Codable, Sendable {
    /// A primary that was on the node.
    package struct Moved: Hashable, Codable, Sendable {
        package var database: DatabaseID
        package var slots: SlotRange
        /// It had a replica, which took over; else the shard was moved away.
        package var hadReplica: Bool

        package init(database: DatabaseID, slots: SlotRange, hadReplica: Bool) {
            self.database = database
            self.slots = slots
            self.hadReplica = hadReplica
        }
    }

    /// A copy that was on the node, of a database that takes no writes without a replica.
    package struct Copy: Hashable, Codable, Sendable {
        package var database: DatabaseID
        package var slots: SlotRange

        package init(database: DatabaseID, slots: SlotRange) {
            self.database = database
            self.slots = slots
        }
    }

    package var since: WallTime
    /// Whether the node accepted shards before.
    package var acceptedShards: Bool
    package var moved: [Moved]
    /// Copies that left the node, or would have if another one had room; nil for none.
    package var copies: [Copy]?

    package init(since: WallTime, acceptedShards: Bool, moved: [Moved] = [], copies: [Copy]? = nil) {
        self.since = since
        self.acceptedShards = acceptedShards
        self.moved = moved
        self.copies = copies
    }
}
