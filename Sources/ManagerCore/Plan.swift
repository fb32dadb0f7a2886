package import ClusterModel

/// What to commit: all changes in one transaction, on condition that `head` is still at `ClusterState.headRevision`.
///
/// A plan that raises the epoch or takes a number contains the new head, so of two plans made from the same state
/// one at most goes through; the other is made anew from the newer state.
package struct Plan: Sendable, Equatable {
    package var changes: [StateChange]
    /// The action to watch; nil when there is nothing to wait for.
    package var action: ActionRecord?
    /// The database as it will be; nil when the plan is not about one.
    package var database: DatabaseConfiguration?
    /// The node admitted or changed.
    package var node: NodeRecord?

    package init(
        changes: [StateChange], action: ActionRecord? = nil, database: DatabaseConfiguration? = nil,
        node: NodeRecord? = nil
    ) {
        self.changes = changes
        self.action = action
        self.database = database
        self.node = node
    }
}

/// Why something asked for can't be planned. The codes are the reference system's where it has one.
package struct PlanError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Snake case, stable: `insufficient_resources`, `port_unavailable`, …
    package var code: String
    /// HTTP status at the REST edge: 400, 404, 406, 409 or 501.
    package var status: Int
    /// What is wrong and what to do.
    package var message: String

    package init(code: String, status: Int, message: String) {
        self.code = code
        self.status = status
        self.message = message
    }

    init(_ code: String, status: Int = 406, _ message: String) {
        self.init(code: code, status: status, message: message)
    }

    package var description: String { message }
}

/// Fresh identifiers and secrets for one plan. Made by the caller: randomness is an argument.
package struct Fresh: Sendable {
    package var action: ActionID
    package var secrets: ShardSecrets
    /// Taken when the policy brings no password; nil: a database without one stays without one.
    package var databasePassword: String?

    package init(action: ActionID, secrets: ShardSecrets, databasePassword: String? = nil) {
        self.action = action
        self.secrets = secrets
        self.databasePassword = databasePassword
    }
}

/// How an action ended.
package enum ActionOutcome: Sendable, Equatable {
    case completed
    case failed(String)
}
