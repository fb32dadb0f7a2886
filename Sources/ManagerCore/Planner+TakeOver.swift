package import ClusterModel
package import Primitives

/// A person wants another primary.
extension Planner {
    /// Planned while the primary lives: clients wait for a moment, nothing is lost. Forced, or when the primary's
    /// node is
    /// down, the most advanced replica takes over at once, without what it hasn't got yet.
    ///
    /// - Parameters:
    ///   - wanted: Nil: the most advanced replica.
    ///   - copies: What the nodes of the shards say of them, the primary included.
    /// - Throws: `shard_not_exist` (404), `shard_is_slave`, `no_replica`, `invalid_replication`, `replica_down`,
    ///   `replica_not_synced`, `db_busy` (409).
    package static func takeOver(
        _ shard: ShardID, to wanted: ShardID?, isForced: Bool, copies: [ShardID: ShardCopy], in state: ClusterState,
        fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        let (database, primary) = try primary(shard, in: state)
        let replicas = try candidates(for: primary, wanted, of: database)
        let alive = replicas.filter { state.nodes[$0.node].map { $0.status != .down } ?? false }
        guard let first = alive.first else {
            let nodes = Set(replicas.map(\.node)).sorted().map { "node \($0)" }.joined(separator: ", ")
            throw PlanError(
                "replica_down", status: 409, "The replica of shard \(shard) is on \(nodes), which is down.")
        }
        let best = ReplicaChoice(persistence: .none).best(
            of: copies.filter { copy in alive.contains { $0.id == copy.key } })
        if isForced || state.nodes[primary.node]?.status == .down {
            guard let best else {
                throw PlanError("replica_down", status: 409, "Replica \(first.id) of shard \(shard) doesn't answer.")
            }
            return try failOver(shard, to: best, in: state, fresh: fresh, now: now)
        }
        let replica = best ?? first.id
        if let reason = NodeActionMachine.lag(of: replica, behind: shard, copies) {
            throw PlanError(
                "replica_not_synced", status: 409,
                "\(reason.first?.uppercased() ?? "")\(reason.dropFirst()). Try again when it has caught up, or "
                    + "force it "
                    + "and lose what the replica lacks.")
        }
        return try switchOver(shard, to: replica, in: state, fresh: fresh, now: now)
    }

    private static func primary(
        _ shard: ShardID, in state: ClusterState
    ) throws(PlanError) -> (DatabaseConfiguration, ShardConfiguration) {
        guard let (database, found) = state.shard(shard) else {
            throw PlanError("shard_not_exist", status: 404, "There is no shard \(shard).")
        }
        guard found.role == .primary else {
            let name = database.primary(of: found).map { "; its primary is shard \($0.id)" } ?? ""
            throw PlanError("shard_is_slave", status: 409, "Shard \(shard) is a replica\(name).")
        }
        return (database, found)
    }

    private static func candidates(
        for primary: ShardConfiguration, _ wanted: ShardID?, of database: DatabaseConfiguration
    ) throws(PlanError) -> [ShardConfiguration] {
        let replicas = database.copies(of: primary.slots).filter { $0.role == .replica && !$0.isCopying }
        guard !replicas.isEmpty else {
            throw PlanError(
                "no_replica", status: 409,
                "Shard \(primary.id) of database \(database.id) (\(database.policy.name)) has no replica that could "
                    + "take "
                    + "over. Give the database replicas, or move the shard to another node.")
        }
        guard let wanted else { return replicas }
        let named = replicas.filter { $0.id == wanted }
        guard !named.isEmpty else {
            let ids = replicas.map(\.id.description).joined(separator: ", ")
            throw PlanError(
                "invalid_replication", status: 409,
                "Shard \(wanted) is not a replica of shard \(primary.id); it has \(ids).")
        }
        return named
    }
}
