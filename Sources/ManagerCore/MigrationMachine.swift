package import ClusterModel

/// What to do with a migration now. Holds nothing between two calls: any new leader goes on with it. The phases are
/// those of
/// ``Planner/migrate(_:to:ignoresRacks:parent:in:fresh:now:)``.
package enum MigrationMachine {
    /// How long a copy may take. A shard of 25 GB over a busy network needs minutes; a day would hide that it is stuck.
    package static let copySeconds: Int64 = 3600
    /// How long requests may be held altogether, when a replica is replaced and doesn't let go of its primary.
    /// Proxies let them wait for five seconds.
    package static let replaceSeconds: Int64 = 4
    /// Each costs clients a pause of ``SwitchoverMachine/holdSeconds``.
    package static let maximumRollbacks = 3

    package enum Phase: Sendable, Equatable {
        case copying(ShardConfiguration)
        /// Proxies hold its requests, or it has just been made the primary.
        case changing(ShardTransition)
        /// It has a replica's place, and the replica is to be gone before requests go on.
        case replacing(ShardTransition)
        /// It has everything, and the other one is the primary: after a rollback.
        case ready
        /// The old one is a replica: it is to go.
        case surplus
        /// The old one is gone from the record; nodes make it true.
        case finishing
        /// The copy is gone from the record.
        case lost
    }

    package enum Step: Sendable, Equatable {
        case wait(progress: Int, message: String)
        /// ``Planner/advanceMigration(_:in:now:)``
        case advance
        /// ``Planner/promoteHeld(of:to:drainedAt:in:now:)``
        case promote(drainedAt: Epoch)
        /// ``Planner/rollBackMigration(_:reason:in:now:)``
        case rollBack(reason: String)
        /// ``Planner/abandonMigration(_:reason:in:now:)``
        case abandon(reason: String)
        case complete
        case fail(message: String)
    }

    package static func phase(of action: ActionRecord, in database: DatabaseConfiguration) -> Phase {
        guard let copy = database.shards.first(where: { $0.id == action.shard }) else { return .lost }
        let transition = database.transition(of: copy.slots)
        if copy.isCopying, transition?.to != copy.id { return .copying(copy) }
        if let transition { return transition.phase == .replace ? .replacing(transition) : .changing(transition) }
        guard let source = database.shards.first(where: { $0.id == action.source }) else { return .finishing }
        return source.role == .primary ? .ready : .surplus
    }

    /// Who has to answer, and for which epoch.
    package static func question(
        _ action: ActionRecord, of database: DatabaseConfiguration, in state: ClusterState
    ) -> (nodes: [NodeID], epoch: Epoch) {
        let alive = { (id: NodeID) in state.nodes[id].map { $0.status != .down } ?? false }
        switch phase(of: action, in: database) {
        case .copying: return (database.involvedNodes.filter(alive).sorted(), action.epoch)
        case .replacing(let transition):
            // The primary's says that the replica is not attached any more. How long that takes to end doesn't matter.
            let copies = database.shards.filter { $0.id == transition.from || $0.id == transition.to }
            return (Set(copies.map(\.node)).filter(alive).sorted(), database.epoch)
        case .finishing:
            let nodes = database.involvedNodes.union(action.node.map { [$0] } ?? [])
            return (nodes.filter(alive).sorted(), action.epoch)
        case .changing(let transition) where transition.phase == .hold:
            return (SwitchoverMachine.nodesToAsk(transition, of: database, in: state), database.epoch)
        case .changing, .ready, .surplus, .lost: return ([], action.epoch)
        }
    }

    /// - Parameters:
    ///   - answers: To ``question(_:of:in:)``.
    ///   - copies: While requests are held: the old primary, asked after all answers had come, and the new one. Before,
    ///     when nothing else is missing, so that they aren't held for long: both, as ``CopyInspection`` concludes;
    ///     empty where nobody looks twice.
    ///   - age: Milliseconds that this leader has known of the action (``Sightings``).
    ///   - heldFor: Of its change of primaries, while that is under way.
    package static func next(
        _ action: ActionRecord, of database: DatabaseConfiguration?, in state: ClusterState,
        answers: [NodeID: NodeProgress], copies: [ShardID: ShardCopy], age: Int64, heldFor: Int64
    ) -> Step {
        guard let database else { return .fail(message: "the database is gone") }
        let isLate = age >= copySeconds * 1000
        switch phase(of: action, in: database) {
        case .lost: return .fail(message: "the copy is gone")
        case .copying(let copy):
            if let reason = hopeless(copy, action, database, in: state) { return .abandon(reason: reason) }
            guard action.rollbacks < maximumRollbacks else {
                return .abandon(reason: "its change of primaries didn't come through: \(action.message)")
            }
            let wait = unfinished(copy, action, database, in: state, answers) ?? lag(of: copy, database, copies)
            guard let wait else { return .advance }
            return isLate ? .abandon(reason: "gave up waiting: \(wait)") : .wait(progress: 10, message: wait)
        case .changing(let transition):
            guard transition.to == action.shard else {
                return .wait(progress: 50, message: "another change of the primary is under way")
            }
            return SwitchoverMachine.step(
                transition, of: database, in: state, answers: answers, copies: copies, heldFor: heldFor)
        case .replacing:
            guard let wait = open(database.epoch, answers), heldFor < replaceSeconds * 1000 else { return .advance }
            return .wait(progress: 80, message: wait)
        case .ready:
            guard action.rollbacks < maximumRollbacks else {
                return .abandon(reason: "its change of primaries didn't come through: \(action.message)")
            }
            return .advance
        case .surplus: return .advance
        case .finishing:
            guard let wait = open(action.epoch, answers) else { return .complete }
            return isLate
                ? .fail(message: "the shard has moved, but \(wait)") : .wait(progress: 90, message: wait)
        }
    }

    /// Waiting wouldn't help.
    private static func hopeless(
        _ copy: ShardConfiguration, _ action: ActionRecord, _ database: DatabaseConfiguration, in state: ClusterState
    ) -> String? {
        guard let node = state.nodes[copy.node], node.status != .down else { return "node \(copy.node) went down" }
        if node.isLeaving { return "node \(copy.node) is being removed" }
        guard let primary = database.primary(of: copy), state.nodes[primary.node]?.status == .down else { return nil }
        return database.replicas(of: primary, in: state).isEmpty
            ? "node \(primary.node) with the only copy went down" : nil
    }

    private static func unfinished(
        _ copy: ShardConfiguration, _ action: ActionRecord, _ database: DatabaseConfiguration,
        in state: ClusterState, _ answers: [NodeID: NodeProgress]
    ) -> String? {
        if let primary = database.primary(of: copy), state.nodes[primary.node]?.status == .down {
            return "node \(primary.node) of the primary is down"
        }
        // Before this migration no proxy needed a lease to write to the shard. One that is down and may still run has
        // not heard of it, so that nothing would stop its writes to a primary that was replaced.
        guard database.isLeased else {
            guard let away = database.endpoint.nodes.first(where: { state.nodes[$0]?.status == .down }) else {
                return open(action.epoch, answers) ?? "not every node has confirmed that the shard has a second copy"
            }
            return "node \(away) serves the database and is down: it has to come back or be removed first"
        }
        return open(action.epoch, answers)
    }

    private static func lag(
        of copy: ShardConfiguration, _ database: DatabaseConfiguration, _ copies: [ShardID: ShardCopy]
    ) -> String? {
        guard !copies.isEmpty, let primary = database.primary(of: copy) else { return nil }
        return NodeActionMachine.lag(of: copy.id, behind: primary.id, copies)
    }

    /// What nodes have yet to do.
    private static func open(_ wanted: Epoch, _ answers: [NodeID: NodeProgress]) -> String? {
        for (node, answer) in answers.sorted(by: { $0.key < $1.key }) {
            switch answer {
            case .applied(let epoch) where epoch >= wanted: continue
            case .applied(let epoch): return "node \(node) is at epoch \(epoch) of \(wanted)"
            case .waiting(let message), .failed(let message), .unreachable(let message): return message
            }
        }
        return nil
    }
}

extension SwitchoverMachine {
    /// The part of a change of primaries that migrations share.
    static func step(
        _ transition: ShardTransition, of database: DatabaseConfiguration, in state: ClusterState,
        answers: [NodeID: NodeProgress], copies: [ShardID: ShardCopy], heldFor: Int64
    ) -> MigrationMachine.Step {
        switch proceed(transition, of: database, in: state, answers: answers, copies: copies, heldFor: heldFor) {
        case .wait(let progress, let message): .wait(progress: progress, message: message)
        case .promote(let epoch): .promote(drainedAt: epoch)
        case .rollBack(let reason): .rollBack(reason: reason)
        case .complete: .complete
        case .fail(let message): .fail(message: message)
        }
    }
}
