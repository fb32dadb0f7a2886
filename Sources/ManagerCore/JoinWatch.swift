package import ClusterModel
package import Primitives

/// One node's part in taking others in: since when it has counted each newcomer.
///
/// A newcomer is `provisioning` until all ``witnesses(of:in:)`` say that it ``hasSettled(_:at:profile:)``; then
/// ``Planner/settleJoin(of:in:now:)`` makes it active and the circle without it is gone. A node says so when it has
/// gone by both circles for as long as a lease lasts: no lease of its proxy is older than that. One that had a lease
/// for ever, from a group too small to outvote it, gives it up for one of that length when it first sees the newcomer.
/// A node that leaves goes when all others say the same of it: nobody has a lease then that it had a part in alone.
///
/// Meanwhile the newcomer works as any other node does: only who is counted waits.
package struct JoinWatch: Sendable {
    private var since: [NodeID: BootTime] = [:]

    package init() {}

    /// Who has to count it: every node that isn't down. Not the newcomer itself, which never knew a group without it,
    /// and which needn't have come up for the others to know where they stand.
    package static func witnesses(of newcomer: NodeID, in state: ClusterState) -> [NodeID] {
        state.sortedNodes.filter { $0.status != .down && $0.id != newcomer }.map(\.id)
    }

    /// Call it with every copy of the configuration by which the lease has been told anew.
    package mutating func saw(_ state: ClusterState, at now: BootTime) {
        for (id, node) in state.nodes where node.isBetween && since[id] == nil { since[id] = now }
        since = since.filter { state.nodes[$0.key]?.isBetween == true }
    }

    package func hasSettled(_ node: NodeID, at now: BootTime, profile: DetectionProfile) -> Bool {
        since[node].map { now - $0 >= profile.lease } ?? false
    }
}
