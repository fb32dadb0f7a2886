package import ClusterModel

/// What to do with a planned change of a primary now. Holds nothing between two calls: any new leader goes on with it.
///
/// ```
///   hold ── all proxies drained, replica has everything ──▶ promote ──▶ done
///     └──── not so within ``holdSeconds`` ────────────────▶ rolled back
/// ```
package enum SwitchoverMachine {
    /// Proxies let requests wait for five seconds; a change that hasn't come through by then would cost errors.
    package static let holdSeconds: Int64 = 3

    package enum Step: Sendable, Equatable {
        case wait(progress: Int, message: String)
        /// ``Planner/promoteHeld(of:to:drainedAt:in:now:)``
        case promote(drainedAt: Epoch)
        /// ``Planner/rollBack(of:to:in:now:)``; ask again afterwards.
        case rollBack(reason: String)
        case complete
        case fail(message: String)
    }

    /// Nodes whose proxies may still send something to the old primary, and those of both copies.
    ///
    /// Not only those that serve the endpoint: it may have moved away from a node that hasn't heard of it, and whose
    /// proxy goes on with its lease.
    package static func nodesToAsk(
        _ transition: ShardTransition, of database: DatabaseConfiguration, in state: ClusterState
    ) -> [NodeID] {
        let copies = database.shards.filter { $0.id == transition.from || $0.id == transition.to }.map(\.node)
        let proxies = state.nodes.values.filter { $0.status != .down }.map(\.id)
        return Set(copies + proxies).sorted()
    }

    /// - Parameters:
    ///   - answers: Of ``nodesToAsk(_:of:in:)``, for the epoch of `database`.
    ///   - copies: The old primary, asked after all answers had come, and the replica, asked after the primary.
    ///   - heldFor: Milliseconds that this leader has known of the change under way (``Sightings``).
    package static func next(
        _ action: ActionRecord, of database: DatabaseConfiguration, in state: ClusterState,
        answers: [NodeID: NodeProgress], copies: [ShardID: ShardCopy], heldFor: Int64
    ) -> Step {
        guard let target = action.shard else { return .fail(message: "the action names no shard") }
        guard let transition = database.transitions.first(where: { $0.to == target }) else {
            if database.shards.contains(where: { $0.id == target && $0.role == .primary }) { return .complete }
            return .fail(message: "rolled back: \(action.message.isEmpty ? "it was overtaken" : action.message)")
        }
        return proceed(transition, of: database, in: state, answers: answers, copies: copies, heldFor: heldFor)
    }

    /// While a transition is there.
    static func proceed(
        _ transition: ShardTransition, of database: DatabaseConfiguration, in state: ClusterState,
        answers: [NodeID: NodeProgress], copies: [ShardID: ShardCopy], heldFor: Int64
    ) -> Step {
        guard transition.phase == .hold else {
            return .wait(progress: 80, message: "shard \(transition.to) is becoming the primary")
        }
        let reason = obstacle(transition, database, in: state, answers, copies)
        guard let reason else { return .promote(drainedAt: database.epoch) }
        if heldFor >= holdSeconds * 1000 { return .rollBack(reason: reason) }
        return .wait(progress: 20, message: reason)
    }

    private static func obstacle(
        _ transition: ShardTransition, _ database: DatabaseConfiguration, in state: ClusterState,
        _ answers: [NodeID: NodeProgress], _ copies: [ShardID: ShardCopy]
    ) -> String? {
        for node in nodesToAsk(transition, of: database, in: state) {
            switch answers[node] ?? .unreachable("no answer") {
            case .applied(let epoch) where epoch == database.epoch: continue
            case .applied(let epoch): return "node \(node) is at epoch \(epoch) of \(database.epoch)"
            case .waiting(let message), .failed(let message), .unreachable(let message): return message
            }
        }
        guard let primary = copies[transition.from], let replica = copies[transition.to] else {
            return "a copy doesn't answer"
        }
        guard replica.isRunning, replica.offset >= primary.offset else {
            return "shard \(transition.to) lacks \(primary.offset - replica.offset) bytes of the stream"
        }
        return nil
    }
}
