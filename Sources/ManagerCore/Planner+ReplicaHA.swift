import ClusterModel
package import Primitives

/// A replica that is lost for good is made anew elsewhere, so that the next loss costs nothing either.
extension Planner {
    /// After a rebuild that failed the database is left alone for so long.
    package static let rebuildPauseSeconds: Int64 = 60

    /// The next replica to rebuild: one whose node has been down for longer than ``ReplicaHAPolicy/graceSeconds``, or
    /// one
    /// that isn't there at all. One at a time for each database, smaller databases first: they are safe again soonest.
    /// Nil when there is none, or none that a node could take.
    /// - Parameters:
    ///   - watch: Has looked at `state`.
    ///   - boot: By the clock of the watch.
    package static func rebuildLostReplica(
        in state: ClusterState, _ watch: ReplicaWatch, at boot: BootTime, fresh: Fresh, now: WallTime
    ) -> Plan? {
        guard let policy = state.cluster?.replicaHA, policy.isEnabled else { return nil }
        let databases = state.databases.values.filter { database in
            database.policy.isReplicated && database.status == .active && database.transitions.isEmpty
                && state.unfinishedActions(of: database.id).isEmpty
        }
        for database in databases.sorted(by: { ($0.policy.memoryLimit, $0.id) < ($1.policy.memoryLimit, $1.id) }) {
            guard !watch.hasFailed(database.id, withinSeconds: rebuildPauseSeconds, at: boot),
                let need = need(
                    of: database, in: state,
                    isLost: { watch.isLost($0, forSeconds: policy.graceSeconds, at: boot) })
            else { continue }
            guard let target = target(for: need.slots, leaving: need.lost, of: database, in: state) else { continue }
            let plan = try? rebuildReplica(
                of: need.slots, lost: need.lost, on: target, of: database, in: state, fresh: fresh, now: now)
            if let plan { return plan }
        }
        return nil
    }

    private static func need(
        of database: DatabaseConfiguration, in state: ClusterState, isLost: (NodeRecord) -> Bool
    ) -> (slots: SlotRange, lost: ShardConfiguration?)? {
        for primary in database.primaries where state.nodes[primary.node].map({ $0.status != .down }) ?? false {
            let replicas = database.copies(of: primary.slots).filter { $0.role == .replica }
            guard let first = replicas.first else { return (primary.slots, nil) }
            guard replicas.count == 1 else { continue }
            guard let node = state.nodes[first.node] else { return (primary.slots, first) }
            if node.status == .down, isLost(node) { return (primary.slots, first) }
        }
        return nil
    }
}
