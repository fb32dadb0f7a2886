package import ClusterModel
package import Primitives

extension Planner {
    /// The primary's process died: it and its replica swap roles, under a new epoch.
    ///
    /// Runs beside an unfinished create or update of the database (a dead primary can't wait for it), whose action
    /// goes on towards the newer epoch. A report of an earlier life is refused: the shard is no longer primary.
    /// - Throws: `shard_not_exist` (404), `shard_is_slave`, `invalid_replication`, `db_busy` (409).
    package static func failOver(
        _ shard: ShardID, to replica: ShardID, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        guard let found = state.shard(shard) else {
            throw PlanError("shard_not_exist", status: 404, "There is no shard \(shard).")
        }
        var database = found.database
        guard found.shard.role == .primary else {
            throw PlanError("shard_is_slave", status: 409, "Shard \(shard) is a replica; only a primary fails over.")
        }
        guard database.status != .deletePending else {
            throw PlanError("db_busy", status: 409, "Database \(database.id) is being deleted.")
        }
        guard let old = database.shards.firstIndex(where: { $0.id == shard }),
            let new = database.shards.firstIndex(where: { $0.id == replica && $0.slots == found.shard.slots }),
            database.shards[new].role == .replica
        else {
            throw PlanError("invalid_replication", status: 409, "Shard \(replica) is not a replica of \(shard).")
        }
        database.shards[old].role = .replica
        database.shards[new].role = .primary
        database.endpoint.nodes = EndpointRules.nodes(
            for: database.policy.proxyPolicy, shards: database.shards, in: state)
        database.epoch = head.raiseEpoch()
        if database.status == .active { database.status = .activeChangePending }
        database.changedAt = now
        return plan(.failover, database, head: head, action: fresh.action, now: now)
    }
}
