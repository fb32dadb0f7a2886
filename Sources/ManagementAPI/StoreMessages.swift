package import ClusterModel
package import Primitives

extension InternalPath {
    /// GET: which store a node belongs to. POST: that there is a newer one.
    package static let store = "/internal/v1/store"
    /// The node's copy of the configuration, as text.
    package static let snapshot = "/internal/v1/store/snapshot"
    /// A node that has another address now.
    package static let address = "/internal/v1/address"
}

/// What a node says of the cluster store.
package struct StoreReportObject: Codable, Sendable, Hashable {
    package var node: NodeID
    package var store: StoreIdentity
    /// Where the voters of that store are.
    package var voterAddresses: [String]
    /// The node's newest copy; nil when it has none.
    package var snapshot: SnapshotObject?
    /// A recovery was ordered here and hasn't ended.
    package var isRecovering: Bool

    package init(
        node: NodeID, store: StoreIdentity, voterAddresses: [String], snapshot: SnapshotObject?, isRecovering: Bool
    ) {
        self.node = node
        self.store = store
        self.voterAddresses = voterAddresses
        self.snapshot = snapshot
        self.isRecovering = isRecovering
    }
}

package struct SnapshotObject: Codable, Sendable, Hashable {
    package var store: StoreIdentity
    package var revision: Int64
    package var epoch: Epoch
    package var takenAt: WallTime

    package init(store: StoreIdentity, revision: Int64, epoch: Epoch, takenAt: WallTime) {
        self.store = store
        self.revision = revision
        self.epoch = epoch
        self.takenAt = takenAt
    }
}

/// A node comes back with another address; its certificate shows that it is that node.
package struct MoveObject: Codable, Sendable, Hashable {
    package var node: NodeID
    package var address: String
    /// For a certificate with the new address, PEM.
    package var certificateRequest: String

    package init(node: NodeID, address: String, certificateRequest: String) {
        self.node = node
        self.address = address
        self.certificateRequest = certificateRequest
    }
}

/// There is a newer store: belong to it.
package struct StoreNewsObject: Codable, Sendable, Hashable {
    package var store: StoreIdentity
    package var voterAddresses: [String]

    package init(store: StoreIdentity, voterAddresses: [String]) {
        self.store = store
        self.voterAddresses = voterAddresses
    }
}

/// What a recovery would do, and whether it was begun: the answer of `POST /v1/bootstrap/recover_cluster`.
package struct RecoveryPlanObject: Codable, Sendable, Hashable {
    package struct Node: Codable, Sendable, Hashable {
        package var uid: NodeID
        package var address: String
        package var answers: Bool
        /// Of its copy.
        package var revision: Int64?
        package var takenAt: String?
        package var generation: Int?

        private enum CodingKeys: String, CodingKey {
            case uid
            case address = "addr"
            case answers
            case revision = "snapshot_revision"
            case takenAt = "snapshot_time"
            case generation = "store_generation"
        }

        package init(
            uid: NodeID, address: String, answers: Bool, revision: Int64?, takenAt: String?, generation: Int?
        ) {
            self.uid = uid
            self.address = address
            self.answers = answers
            self.revision = revision
            self.takenAt = takenAt
            self.generation = generation
        }
    }

    package var cluster: String
    /// The node that would keep the new store.
    package var node: NodeID
    package var nodes: [Node]
    /// Whose copy is the newest, and how old it is.
    package var snapshotNode: NodeID
    package var snapshotRevision: Int64
    package var snapshotTime: String
    package var snapshotAgeSeconds: Int64
    package var databases: Int
    package var findings: [String]
    package var hasBegun: Bool

    private enum CodingKeys: String, CodingKey {
        case cluster = "name"
        case node = "node_uid"
        case nodes
        case snapshotNode = "snapshot_node_uid"
        case snapshotRevision = "snapshot_revision"
        case snapshotTime = "snapshot_time"
        case snapshotAgeSeconds = "snapshot_age_seconds"
        case databases
        case findings
        case hasBegun = "begun"
    }

    package init(
        cluster: String, node: NodeID, nodes: [Node], snapshotNode: NodeID, snapshotRevision: Int64,
        snapshotTime: String, snapshotAgeSeconds: Int64, databases: Int, findings: [String], hasBegun: Bool
    ) {
        self.cluster = cluster
        self.node = node
        self.nodes = nodes
        self.snapshotNode = snapshotNode
        self.snapshotRevision = snapshotRevision
        self.snapshotTime = snapshotTime
        self.snapshotAgeSeconds = snapshotAgeSeconds
        self.databases = databases
        self.findings = findings
        self.hasBegun = hasBegun
    }
}
