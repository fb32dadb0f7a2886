package import ClusterModel
package import Primitives

/// Whether a replica may become the primary in place of one that was lost: no proxy can write to the old one any more.
///
/// Each node that serves the endpoint has confirmed the new routes, or is settled to be down (its lease has ended), or
/// its lease must have ended: so many of its watchers that none can be granted without them have known the new fence
/// for longer than a lease lasts, and an answer of theirs is worth nothing to a node that is behind it.
package struct PromotionGate: Sendable {
    /// What a node says when it is asked.
    package struct Answer: Sendable {
        /// Its proxy routes by the epoch, or doesn't serve the database.
        package var hasApplied: Bool
        /// ``ClusterHead/fence`` as it knows it.
        package var fence: Epoch

        package init(hasApplied: Bool, fence: Epoch) {
            self.hasApplied = hasApplied
            self.fence = fence
        }
    }

    package let epoch: Epoch
    private var confirmed: Set<NodeID> = []
    private var knowsSince: [NodeID: BootTime] = [:]

    /// - Parameter epoch: The database's epoch that fences the old primary.
    package init(epoch: Epoch) {
        self.epoch = epoch
    }

    /// - Parameter now: When the answer had come.
    package mutating func answered(_ answer: Answer, by node: NodeID, at now: BootTime) {
        if answer.hasApplied { confirmed.insert(node) }
        if answer.fence >= epoch, knowsSince[node] == nil { knowsSince[node] = now }
    }

    /// Nodes that keep it shut, in order; empty: promote.
    package func waitsFor(
        _ database: DatabaseConfiguration, in nodes: [NodeID: NodeRecord], at now: BootTime, profile: DetectionProfile
    ) -> [NodeID] {
        nodes.values.filter { node in
            guard node.status != .down, !confirmed.contains(node.id) else { return false }
            let group = WatchGroup(of: node.id, in: nodes)
            let informed = group.watchers.filter { now - (knowsSince[$0] ?? now) >= profile.suspicion }
            return !group.isBlocked(by: Set(informed))
        }
        .map(\.id).sorted()
    }
}
