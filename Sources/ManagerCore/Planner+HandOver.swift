package import ClusterModel
package import Primitives

/// A node is being stopped, without maintenance: its primaries go to replicas elsewhere first.
extension Planner {
    /// Shards whose place a replica on a node that stays could take, and the replica.
    package static func handOvers(
        by node: NodeID, in state: ClusterState
    ) -> [(primary: ShardConfiguration, replica: ShardConfiguration)] {
        primaries(on: node, in: state).compactMap { database, primary in
            guard database.transition(of: primary.slots) == nil else { return nil }
            return successor(of: primary, of: database, in: state).map { (primary, $0) }
        }
    }

    /// Whether a primary of the node is being replaced; it has to be there until that is over.
    package static func isHandingOver(_ node: NodeID, in state: ClusterState) -> Bool {
        state.databases.values.contains { database in
            database.transitions.contains { transition in
                database.shards.contains { $0.id == transition.from && $0.node == node }
            }
        }
    }

    /// As ``switchOver(_:to:parent:in:fresh:now:)``, when the replica has nearly all that the primary has. Nil when
    /// somebody else was quicker.
    package static func handOver(
        _ primary: ShardID, to replica: ShardID, copies: [ShardID: ShardCopy], in state: ClusterState, fresh: Fresh,
        now: WallTime
    ) throws(PlanError) -> Plan? {
        guard let (database, shard) = state.shard(primary), shard.role == .primary,
            database.transition(of: shard.slots) == nil
        else { return nil }
        if let reason = NodeActionMachine.lag(of: replica, behind: primary, copies) {
            throw PlanError("replica_not_synced", status: 409, reason)
        }
        return try switchOver(primary, to: replica, in: state, fresh: fresh, now: now)
    }
}
