package import ClusterModel
package import Primitives

extension Planner {
    /// Ends an action and settles what follows for its database: a create makes it active or `creation-failed`, a
    /// delete removes its record, and a change makes it active again, whether it went well or not.
    ///
    /// Nil when it has ended already, so that a late or repeated report does no harm.
    package static func finish(
        _ action: ActionRecord, outcome: ActionOutcome, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var record = state.actions[action.id], !record.status.isFinal, record.epoch == action.epoch else {
            return nil
        }
        record.changedAt = now
        switch outcome {
        case .completed:
            record.status = .completed
            record.progress = 100
            record.message = ""
        case .failed(let message):
            record.status = .failed
            record.message = message
        }
        guard let database = state.databases[action.database] else {
            return Plan(changes: [.action(record)], action: record)
        }
        return settle(database, after: record, in: state)
    }

    private static func settle(
        _ database: DatabaseConfiguration, after action: ActionRecord, in state: ClusterState
    ) -> Plan {
        if action.kind == .deleteDatabase, action.status == .completed {
            return Plan(changes: [.action(action), .removed(.database(database.id))], action: action)
        }
        var settled = database
        settled.status = status(of: database, after: action, in: state)
        guard settled != database, let head = state.head else {
            return Plan(changes: [.action(action)], action: action, database: database)
        }
        settled.changedAt = action.changedAt
        // With the head, or a failover planned by another node from the record before would bring it back.
        return Plan(changes: [.head(head), .action(action), .database(settled)], action: action, database: settled)
    }

    private static func status(
        of database: DatabaseConfiguration, after action: ActionRecord, in state: ClusterState
    ) -> DatabaseConfiguration.Status {
        switch action.kind {
        case .createDatabase:
            if action.status == .failed { return .creationFailed }
        case .deleteDatabase:
            // It failed: the record stays as it is, and deleting may be asked for again.
            return database.status
        case .maintenanceOn, .maintenanceOff, .removeNode:
            return database.status
        case .updateDatabase, .failover, .switchover, .migrateShard:
            guard database.status == .activeChangePending else { return database.status }
        }
        let others = state.unfinishedActions(of: database.id).contains { $0.id != action.id }
        return others ? .activeChangePending : .active
    }

    /// Notes how far an action is. Nil when that is known already, or it has ended.
    /// - Parameter percent: 0...100; an action's progress never falls.
    package static func progress(
        of id: ActionID, percent: Int, message: String, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var action = state.actions[id], !action.status.isFinal else { return nil }
        let percent = max(action.progress, min(percent, 100))
        guard action.progress != percent || action.message != message || action.status == .pending else { return nil }
        action.status = .active
        action.progress = percent
        action.message = message
        action.changedAt = now
        return Plan(changes: [.action(action)], action: action)
    }

    /// Forgets the oldest ended actions beyond `keeping`. Nil when there are none; repeat until then.
    package static func forgetActions(keeping: Int, in state: ClusterState) -> Plan? {
        let ended = state.actions.values.filter(\.status.isFinal)
            .sorted { ($0.changedAt, $0.id.description) < ($1.changedAt, $1.id.description) }
        let surplus = ended.dropLast(keeping).prefix(maximumChanges)
        return surplus.isEmpty ? nil : Plan(changes: surplus.map { .removed(.action($0.id)) })
    }
}
