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

/// Lives with the model, because requests at the REST edge are refused in the same words.
package typealias PlanError = ClusterModel.PlanError

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
