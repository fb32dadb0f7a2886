package import ClusterModel
package import Primitives

extension Planner {
    /// Marks a database for deletion. Its record goes when the nodes have stopped and removed its shards.
    ///
    /// A delete that failed may be asked for again.
    /// - Throws: `db_not_exist` (404), `busy` (409).
    package static func deleteDatabase(
        _ id: DatabaseID, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var database = try database(id, in: state)
        try refuseBusy(database, in: state)
        database.epoch = head.raiseEpoch()
        database.status = .deletePending
        database.changedAt = now
        return plan(.deleteDatabase, database, head: head, action: fresh.action, now: now)
    }
}
