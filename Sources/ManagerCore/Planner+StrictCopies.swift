import ClusterModel
import Primitives

/// Replicas of databases that take no writes without one (durability `replica`). A node that is drained is about to be
/// stopped, and would take their writes along, so they leave it too, if another node has room; and come back with it.
extension Planner {
    /// Replicas on a node that goes into maintenance, and where each would go; nil: nowhere, so it stays.
    static func strictReplicas(
        on node: NodeID, in state: ClusterState
    ) -> [(database: DatabaseConfiguration, replica: ShardConfiguration, target: NodeID?)] {
        state.databases.values.sorted { $0.id < $1.id }.filter { $0.hasData && $0.policy.durability == .replica }
            .flatMap { database in
                database.shards.filter { $0.node == node && $0.role == .replica && !$0.isCopying }.map {
                    (database, $0, target(for: $0.slots, leaving: $0, of: database, in: state))
                }
            }
    }

    /// What leaves the node with its replicas, and with primaries that become replicas first.
    static func strictCopies(on node: NodeID, in state: ClusterState) -> [MaintenanceRecord.Copy] {
        let primaries = primaries(on: node, in: state).filter { database, primary in
            database.policy.durability == .replica && successor(of: primary, of: database, in: state) != nil
        }
        return (strictReplicas(on: node, in: state).map { ($0.database, $0.replica) } + primaries).map {
            MaintenanceRecord.Copy(database: $0.id, slots: $1.slots)
        }
    }

    /// The replica that stands in for a copy that left the node; nil: the copy is there, or can't come back.
    static func standIn(
        for copy: MaintenanceRecord.Copy, of node: NodeID, in state: ClusterState
    ) -> (database: DatabaseConfiguration, replica: ShardConfiguration)? {
        guard let database = state.databases[copy.database], database.hasData,
            !database.copies(of: copy.slots).contains(where: { $0.node == node }),
            let primary = database.primaries.first(where: { $0.slots == copy.slots }),
            state.nodes[primary.node]?.status != .down,
            let replica = database.replicas(of: primary, in: state).first(where: {
                !isHome($0.node, of: copy, in: state)
            })
        else { return nil }
        return (database, replica)
    }

    /// Whether the node had this before, and comes back: two that come back at the same time would take it from each
    /// other for ever.
    private static func isHome(_ node: NodeID, of copy: MaintenanceRecord.Copy, in state: ClusterState) -> Bool {
        recordOfReturn(node, in: state)?.copies?.contains(copy) ?? false
    }

    /// The same of a primary.
    static func isHome(_ node: NodeID, of moved: MaintenanceRecord.Moved, in state: ClusterState) -> Bool {
        recordOfReturn(node, in: state)?.moved.contains { $0.database == moved.database && $0.slots == moved.slots }
            ?? false
    }

    /// Nil: the node doesn't come back from maintenance.
    private static func recordOfReturn(_ node: NodeID, in state: ClusterState) -> MaintenanceRecord? {
        state.nodes[node].flatMap { $0.acceptsShards ? $0.maintenance : nil }
    }

    /// The drain is over, with replicas left that found no place.
    static func drained(
        _ action: ActionRecord, leaving count: Int, in state: ClusterState, now: WallTime
    ) -> Plan {
        var action = action
        action.status = .completed
        action.progress = 100
        action.message =
            "\(count) replicas of databases with durability replica stay, for want of room on other nodes: "
            + "their primaries take no writes while this node is stopped"
        action.changedAt = now
        return Plan(changes: [.action(action)], action: action)
    }
}
