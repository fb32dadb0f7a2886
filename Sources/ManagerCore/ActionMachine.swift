package import ClusterModel

/// What a node says about a database at an epoch.
package enum NodeProgress: Sendable, Equatable {
    /// It did all that the epoch asks of it; a later epoch counts too.
    case applied(Epoch)
    /// It can't, and trying again won't help.
    case failed(String)
    /// It is at it; what it waits for.
    case waiting(String)
    case unreachable(String)
}

/// What the leader does with an action now.
package enum ActionStep: Sendable, Equatable {
    /// Ask again. `progress` is 0...99.
    case wait(progress: Int, message: String)
    case complete
    case fail(message: String)
}

/// Follows the nodes until an action is done. Holds nothing between two calls, so any new leader goes on with it.
package enum ActionMachine {
    /// How long an action may take before it is called failed. A shard that loads a large file takes minutes; below
    /// that a node that is away for a restart would fail creates that would have come through.
    package static let deadlineSeconds: Int64 = 300

    /// - Parameters:
    ///   - database: Nil when its record is gone: then nothing is left to do.
    ///   - answers: By node. A node that should have answered and is not in it counts as unreachable.
    ///   - down: Nodes that are settled to be lost: nobody waits for them, they catch up when they are back.
    ///   - age: Milliseconds that this leader has known of the action (``Sightings``).
    package static func next(
        _ action: ActionRecord, database: DatabaseConfiguration?, answers: [NodeID: NodeProgress],
        down: Set<NodeID> = [], age: Int64
    ) -> ActionStep {
        guard let database else { return .complete }
        let isLate = age >= deadlineSeconds * 1000
        let tally = Tally(action, database, answers, down: down)
        switch action.kind {
        case .deleteDatabase: return tally.delete(isLate: isLate)
        case .createDatabase, .updateDatabase: return tally.change(isLate: isLate, givesUp: true)
        // Nobody is helped by giving up on the first failure: the replica is the only copy that is left.
        case .failover, .switchover:
            // All nodes hold, or route to a primary that isn't one yet: that is the middle of it.
            guard let transition = database.transitions.first else {
                return tally.change(isLate: isLate, givesUp: false)
            }
            return tally.wait("the primary of slots \(transition.slots) is being changed", isLate: isLate)
        // Driven by ``MigrationMachine`` and ``NodeActionMachine``.
        case .migrateShard, .maintenanceOn, .maintenanceOff, .removeNode:
            return .wait(progress: action.progress, message: action.message)
        }
    }
}

extension ActionRecord {
    /// Nodes whose answers the action depends on, in order of their ids.
    package func nodesToAsk(in state: ClusterState) -> [NodeID] {
        (state.databases[database]?.involvedNodes ?? [])
            .filter { state.nodes[$0].map { $0.status != .down } ?? false }.sorted()
    }
}

/// Answers sorted by what they mean for an action.
private struct Tally {
    private var done = 0
    private var expected = 0
    private var failures: [String] = []
    private var waits: [String] = []
    /// Nodes that can't be reached and host a shard; proxies alone catch up when they come back.
    private var absentHosts: [String] = []
    private var isServed: Bool

    init(
        _ action: ActionRecord, _ database: DatabaseConfiguration, _ answers: [NodeID: NodeProgress],
        down: Set<NodeID>
    ) {
        let hosts = Set(database.shards.map(\.node))
        isServed = database.endpoint.nodes.isEmpty
        for node in database.involvedNodes.union(answers.keys).subtracting(down).sorted() {
            expected += 1
            switch answers[node] ?? .unreachable("no answer") {
            case .applied(let epoch) where epoch >= action.epoch:
                done += 1
                if database.endpoint.nodes.contains(node) { isServed = true }
            case .applied(let epoch): waits.append("node \(node) is at epoch \(epoch) of \(action.epoch)")
            case .failed(let message): failures.append("node \(node): \(message)")
            case .waiting(let message): waits.append("node \(node): \(message)")
            case .unreachable(let message):
                if hosts.contains(node) { absentHosts.append("node \(node) can't be reached: \(message)") }
                expected -= hosts.contains(node) ? 0 : 1
            }
        }
    }

    func change(isLate: Bool, givesUp: Bool) -> ActionStep {
        if let failure = failures.first, givesUp || isLate { return .fail(message: failure) }
        let open = failures + waits + absentHosts + (isServed ? [] : ["no proxy serves the endpoint yet"])
        guard let first = open.first else { return .complete }
        return isLate ? .fail(message: "gave up waiting: \(first)") : .wait(progress: progress, message: first)
    }

    func wait(_ message: String, isLate: Bool) -> ActionStep {
        isLate ? .fail(message: "gave up waiting: \(message)") : .wait(progress: progress, message: message)
    }

    /// A dead node doesn't hold up a delete: when it comes back it finds shards that belong to nobody and removes
    /// them.
    func delete(isLate: Bool) -> ActionStep {
        guard let first = (failures + waits).first else { return .complete }
        return isLate ? .fail(message: "gave up waiting: \(first)") : .wait(progress: progress, message: first)
    }

    private var progress: Int { min(99, done * 100 / max(1, expected)) }
}
