package import ClusterModel
package import Primitives

extension Planner {
    /// Changes settings of a database, as CONFIG SET does. No action follows: who asks waits for the nodes himself.
    ///
    /// Runs beside an unfinished change of the database, whose action goes on towards the newer epoch: a client's
    /// settings don't wait for a replica that is being made.
    /// - Throws: `db_not_exist` (404), `not_active` (409), `invalid_setting` (406).
    package static func changeSettings(
        _ changes: [String: String], of id: DatabaseID, in state: ClusterState, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var database = try database(id, in: state)
        guard database.status == .active || database.status == .activeChangePending else {
            throw PlanError(
                "not_active", status: 409, "Database \(id) is \(database.status.rawValue) and can't be changed.")
        }
        do throws(SettingError) {
            let policy = try database.policy.changing(changes)
            guard policy != database.policy else { return Plan(changes: [], database: database) }
            database.policy = policy
        } catch {
            throw PlanError("invalid_setting", "\(error.name): \(error.text).")
        }
        database.epoch = head.raiseEpoch()
        database.changedAt = now
        return Plan(changes: [.head(head), .database(database)], database: database)
    }
}
