import ClusterModel
package import ClusterStore
import FoundationEssentials
import HostControl
package import ManagementAPI
package import ManagerCore
package import Primitives
package import TLS

/// Certificates and keys of a node, in `var/lib/tarn/pki`.
package struct NodeKeys: Sendable {
    package static let authorityFile = "ca.crt"
    package static let certificateFile = "node.crt"
    package static let keyFile = "node.key"

    package var authorityPEM: String
    package var identity: TLSIdentity

    package init(authorityPEM: String, identity: TLSIdentity) {
        self.authorityPEM = authorityPEM
        self.identity = identity
    }

    package static func load(directory: String) throws -> NodeKeys {
        NodeKeys(
            authorityPEM: try read("\(directory)/\(authorityFile)"),
            identity: TLSIdentity(
                certificateChainPEM: try read("\(directory)/\(certificateFile)"),
                privateKeyPEM: try read("\(directory)/\(keyFile)")))
    }

    /// Key first, certificate last: a certificate that is there has its key.
    package func save(directory: String) throws {
        try HostFile.write(identity.privateKeyPEM.utf8, to: "\(directory)/\(Self.keyFile)", mode: 0o600)
        try HostFile.write(authorityPEM.utf8, to: "\(directory)/\(Self.authorityFile)", mode: 0o644)
        try HostFile.write(identity.certificateChainPEM.utf8, to: "\(directory)/\(Self.certificateFile)", mode: 0o644)
    }

    private static func read(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }
}

/// What the first node makes: an authority, its own certificate, and the first records.
package struct ClusterSeed: Sendable {
    package let keys: NodeKeys
    package let plan: Plan

    /// Makes everything anew; nothing is written yet.
    package init(
        clusterName: String, adminEmail: String, adminPassword: String, candidate: NodeCandidateObject, now: WallTime
    ) throws {
        let authority = try CertificateAuthority.make(clusterName: clusterName)
        let privateKey = try Certificates.makeKey()
        let request = try Certificates.makeRequest(commonName: "node1", privateKeyPEM: privateKey)
        let certificate = try authority.sign(
            requestPEM: request, commonName: "node1", dnsNames: ["node1.\(clusterName)"],
            addresses: [candidate.address], days: Admission.certificateDays)
        keys = NodeKeys(
            authorityPEM: authority.certificatePEM,
            identity: TLSIdentity(
                certificateChainPEM: certificate + authority.certificatePEM, privateKeyPEM: privateKey))
        let cluster = ClusterRecord(
            name: clusterName, createdAt: now, authorityDigest: Hex.encode(authority.digest))
        let admin = UserRecord(
            id: UserID(1), email: adminEmail, name: "Administrator", role: "admin",
            passwordHash: PasswordHash.make(adminPassword), createdAt: now, passwordChangedAt: now)
        var first = candidate
        first.publicKeyDigest = try Certificates.publicKeyDigest(ofPEM: certificate)
        plan = Planner.bootstrap(
            cluster: cluster,
            authority: AuthorityRecord(
                certificatePEM: authority.certificatePEM, privateKeyPEM: authority.privateKeyPEM),
            node: NodeCandidate(first), admin: admin, now: now)
    }

    /// Writes the first records. A store that has a head already belongs to a cluster: that is an error.
    package func commit(to store: any ClusterStore) async throws {
        let result = try await store.commit(
            try plan.changes.map(StateCoding.encode), if: [.modifiedRevision(key: StoreKey.head.path, equals: 0)])
        guard case .committed = result else {
            throw StoreError(.protocolViolation, "the new store is not empty")
        }
    }
}

extension NodeCandidate {
    package init(_ object: NodeCandidateObject, clock: WallTime? = nil) {
        self.init(
            address: object.address, hostname: object.hostname, architecture: object.architecture,
            cores: object.cores, totalMemory: object.totalMemory, softwareVersion: object.softwareVersion,
            operatingSystem: object.operatingSystem, rackID: object.rackID ?? "",
            publicKeyDigest: object.publicKeyDigest, clock: clock)
    }
}
