import ClusterModel
package import Primitives

/// For how long a leader has seen nodes down, and which migrations it has seen fail, by its own boot-time clock: what
/// making replicas anew depends on. As ``Sightings``, a new leader counts from when it took over.
package struct ReplicaWatch: Sendable {
    private struct Loss: Hashable {
        var node: NodeID
        /// Tells a loss from the next one of the same node.
        var since: WallTime
    }

    private var losses: [Loss: BootTime] = [:]
    private var running: Set<ActionID> = []
    private var failures: [DatabaseID: BootTime] = [:]

    package init() {}

    /// Notes what is new, and forgets what is over; before each question.
    package mutating func look(at state: ClusterState, now: BootTime) {
        let lost = state.nodes.values.filter { $0.status == .down }.map { Loss(node: $0.id, since: $0.statusSince) }
        losses = Dictionary(uniqueKeysWithValues: lost.map { ($0, losses[$0] ?? now) })
        let migrations = state.actions.values.filter { $0.kind == .migrateShard }
        for action in migrations where action.status == .failed && running.contains(action.id) {
            failures[action.database] = now
        }
        running = Set(migrations.lazy.filter { !$0.status.isFinal }.map(\.id))
        failures = failures.filter { state.databases[$0.key] != nil }
    }

    /// The node has been down for so long.
    func isLost(_ node: NodeRecord, forSeconds span: Int64, at now: BootTime) -> Bool {
        guard let since = losses[Loss(node: node.id, since: node.statusSince)] else { return false }
        return now - since >= span * 1000
    }

    /// A migration of the database has failed within this time.
    func hasFailed(_ database: DatabaseID, withinSeconds span: Int64, at now: BootTime) -> Bool {
        failures[database].map { now - $0 < span * 1000 } ?? false
    }
}
