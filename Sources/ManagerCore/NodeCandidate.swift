package import ClusterModel
package import Primitives

/// What a machine tells of itself when it asks to become a node.
package struct NodeCandidate: Sendable, Equatable {
    /// IPv4 address that others will reach it by.
    package var address: String
    package var hostname: String
    package var architecture: String
    package var cores: Int
    package var totalMemory: ByteCount
    package var softwareVersion: String
    package var operatingSystem: String
    package var rackID: String
    /// SHA-256 of its public key in hexadecimal. The key outlives a failed attempt to join: write it to disk first.
    package var publicKeyDigest: String
    /// Its clock when it asked; nil when it didn't say. Certificates and leases need clocks that agree.
    package var clock: WallTime?

    package init(
        address: String, hostname: String, architecture: String, cores: Int, totalMemory: ByteCount,
        softwareVersion: String, operatingSystem: String, rackID: String = "", publicKeyDigest: String,
        clock: WallTime? = nil
    ) {
        self.address = address
        self.hostname = hostname
        self.architecture = architecture
        self.cores = cores
        self.totalMemory = totalMemory
        self.softwareVersion = softwareVersion
        self.operatingSystem = operatingSystem
        self.rackID = rackID
        self.publicKeyDigest = publicKeyDigest
        self.clock = clock
    }

    /// - Throws: `bad_request` (400) for what can't be a rack's name.
    package static func checkRack(_ name: String) throws(PlanError) -> String {
        guard name.utf8.count <= 63, name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw PlanError(
                "bad_request", status: 400, "rack_id is up to 63 visible characters without blanks; '' for no rack.")
        }
        return name
    }

    package func record(id: NodeID, storeRole: NodeRecord.StoreRole, joinedAt: WallTime) -> NodeRecord {
        NodeRecord(
            id: id, address: address, hostname: hostname, architecture: architecture, cores: cores,
            totalMemory: totalMemory, softwareVersion: softwareVersion, operatingSystem: operatingSystem,
            rackID: rackID, storeRole: storeRole, publicKeyDigest: publicKeyDigest, joinedAt: joinedAt)
    }
}
