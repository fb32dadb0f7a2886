import ClusterModel
import Primitives

/// Turns what is asked for and what is known into the next cluster configuration.
///
/// Pure: the same state and arguments give the same plan on any machine. Whoever calls commits the plan on condition
/// that the head is unchanged and, on a conflict, plans again from the newer state.
package enum Planner {
    /// etcd takes 128 operations in a transaction unless told otherwise (`--max-txn-ops`); room is left for the head.
    static let maximumChanges = 100

    static func head(of state: ClusterState) throws(PlanError) -> ClusterHead {
        guard let head = state.head else {
            throw PlanError("no_cluster", status: 503, "This node is not in a cluster yet: create one or join one.")
        }
        return head
    }

    static func database(_ id: DatabaseID, in state: ClusterState) throws(PlanError) -> DatabaseConfiguration {
        guard let database = state.databases[id] else {
            throw PlanError("db_not_exist", status: 404, "There is no database \(id).")
        }
        return database
    }

    /// A change of a database waits for the one before it.
    static func refuseBusy(_ database: DatabaseConfiguration, in state: ClusterState) throws(PlanError) {
        guard let running = state.unfinishedActions(of: database.id).first else { return }
        throw PlanError(
            "busy", status: 409,
            "Database \(database.id) (\(database.policy.name)) is being changed: action \(running.id), "
                + "\(running.progress) % done. Wait until it has ended and try again.")
    }

    /// The plan that makes `database` the agreed one, with an action that follows the nodes until they did it.
    static func plan(
        _ kind: ActionRecord.Kind, _ database: DatabaseConfiguration, head: ClusterHead, action id: ActionID,
        shard: ShardID? = nil, parent: ActionID? = nil, now: WallTime
    ) -> Plan {
        let action = ActionRecord(
            id: id, kind: kind, database: database.id, epoch: database.epoch, status: .pending, shard: shard,
            parent: parent, createdAt: now, changedAt: now)
        return Plan(
            changes: [.head(head), .database(database), .action(action)], action: action, database: database)
    }
}

extension ClusterHead {
    mutating func raiseEpoch() -> Epoch {
        epoch = epoch.next
        return epoch
    }

    mutating func takeShard() -> ShardID {
        defer { nextShard = ShardID(nextShard.rawValue + 1) }
        return nextShard
    }

    mutating func takeNode() -> NodeID {
        defer { nextNode = NodeID(nextNode.rawValue + 1) }
        return nextNode
    }

    mutating func takeUser() -> UserID {
        defer { nextUser = UserID(nextUser.rawValue + 1) }
        return nextUser
    }

    /// The id asked for, or the next number. Numbers handed out later lie above any that was asked for.
    mutating func takeDatabase(_ wanted: DatabaseID?) -> DatabaseID {
        let id = wanted ?? nextDatabase
        nextDatabase = max(nextDatabase, DatabaseID(id.rawValue + 1))
        return id
    }
}
