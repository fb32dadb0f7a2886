package import ClusterModel
package import Primitives

extension Planner {
    /// The first records of a cluster: itself, its head, its authority, node 1 as a voter, the administrator.
    ///
    /// Committed on condition that there is no head yet (revision 0), so a second bootstrap of the same store does
    /// nothing. The administrator gets number 1, whatever the record says.
    package static func bootstrap(
        cluster: ClusterRecord, authority: AuthorityRecord, node: NodeCandidate, admin: UserRecord, now: WallTime
    ) -> Plan {
        var head = ClusterHead()
        _ = head.raiseEpoch()
        let first = node.record(id: head.takeNode(), storeRole: .voter, joinedAt: now)
        var user = admin
        user.id = head.takeUser()
        return Plan(
            changes: [.cluster(cluster), .head(head), .authority(authority), .node(first), .user(user)], node: first)
    }
}
