package import Primitives

/// Which cluster store this is. A recovery makes a new store; of two that claim to be the cluster's, the greater one
/// is.
///
/// A node keeps the identity of the store that it last belonged to in `node.json`. One that comes back with the data of
/// an older store learns of the newer from any other node, sets its data aside and follows.
package struct StoreIdentity: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    /// 0 for the store that the cluster was created with; one more with each recovery.
    package var generation: Int
    /// Tells two recoveries of the same generation apart, which only happens when two people recover at once. Empty
    /// for the first store.
    package var id: String

    package static let first = StoreIdentity(generation: 0, id: "")

    package init(generation: Int, id: String) {
        self.generation = generation
        self.id = id
    }

    package static func < (left: StoreIdentity, right: StoreIdentity) -> Bool {
        (left.generation, left.id) < (right.generation, right.id)
    }

    /// Short enough for the name of a directory.
    package var description: String { generation == 0 ? "0" : "\(generation)-\(id.prefix(8))" }
}

/// That and how the store was made anew from a snapshot; absent in a cluster that never needed it.
package struct RecoveryRecord: Hashable, Codable, Sendable {
    package var store: StoreIdentity
    package var recoveredAt: WallTime
    /// The node on which it was ordered, and which was the first voter.
    package var node: NodeID
    /// What it was made from: whose copy, of which revision of the old store, and from when.
    package var snapshotNode: NodeID
    package var snapshotRevision: Int64
    package var snapshotTakenAt: WallTime
    /// Nodes that the administrator declared to be lost: nobody waits for their consent (``WatchGroup``) until they
    /// come back and ask for it.
    package var lost: [NodeID]
    /// What was found and what was lost, in words.
    package var findings: [String]

    package init(
        store: StoreIdentity, recoveredAt: WallTime, node: NodeID, snapshotNode: NodeID, snapshotRevision: Int64,
        snapshotTakenAt: WallTime, lost: [NodeID], findings: [String]
    ) {
        self.store = store
        self.recoveredAt = recoveredAt
        self.node = node
        self.snapshotNode = snapshotNode
        self.snapshotRevision = snapshotRevision
        self.snapshotTakenAt = snapshotTakenAt
        self.lost = lost
        self.findings = findings
    }
}
