package import ClusterModel
package import Logging
package import ManagerCore
package import Primitives
import Synchronization

/// Asks a node how far it is with an epoch of a database. Answers within the given span at the latest.
package typealias ProgressProbe =
    @Sendable (NodeID, DatabaseID, Epoch, _ within: Duration) async -> NodeProgress

/// What the nodes of these shards say of them, in a bounded time; who doesn't answer is left out.
package typealias CopyProbe = @Sendable ([ShardConfiguration]) async -> [ShardID: ShardCopy]

/// While this node leads: takes every unfinished action from the state where it stands and drives it to its end.
///
/// The action's record and the database's epoch say all there is to know, so a new leader goes on by asking the
/// nodes the same questions.
package struct ActionRunner: Sendable {
    /// How long a node may hold a question open. Long enough that waiting costs next to nothing.
    static let probeSpan = Duration.seconds(2)
    static let retryPause = Duration.milliseconds(200)

    private let editor: ClusterEditor
    private let probe: ProgressProbe
    let copies: CopyProbe
    let counts: NewcomerProbe
    let fresh: @Sendable () -> Fresh
    let now: @Sendable () -> WallTime
    private let bootTime: @Sendable () -> BootTime
    private let sightings = SharedSightings()
    private let logger: Logger

    package init(
        editor: ClusterEditor, probe: @escaping ProgressProbe, copies: @escaping CopyProbe,
        counts: @escaping NewcomerProbe, fresh: @escaping @Sendable () -> Fresh,
        now: @escaping @Sendable () -> WallTime,
        bootTime: @escaping @Sendable () -> BootTime, logger: Logger
    ) {
        self.bootTime = bootTime
        self.fresh = fresh
        self.editor = editor
        self.probe = probe
        self.copies = copies
        self.counts = counts
        self.now = now
        self.logger = logger
    }

    /// Runs until cancelled (the lease is lost) or `states` ends.
    package func run(states: AsyncStream<ClusterState>) async {
        await withDiscardingTaskGroup { group in
            // Ids are never used again, so one that was taken up needs no second look.
            var takenUp: Set<ActionID> = []
            for await state in states {
                if Task.isCancelled { break }
                for action in state.actions.values where !action.status.isFinal {
                    guard takenUp.insert(action.id).inserted else { continue }
                    group.addTask { await drive(action) }
                }
                takenUp.formIntersection(state.actions.keys)
                sightings.value.withLock { $0.forget(exceptIn: state) }
            }
            group.cancelAll()
        }
    }

    func age(of action: ActionRecord) -> Int64 {
        sightings.value.withLock { $0.age(of: action.id, at: bootTime()) }
    }

    func age(ofChangeBy action: ActionRecord, of database: DatabaseConfiguration?) -> Int64 {
        sightings.value.withLock { $0.age(ofChangeBy: action, of: database, at: bootTime()) }
    }

    private func drive(_ action: ActionRecord) async {
        var logger = logger
        logger[metadataKey: "action"] = "\(action.id)"
        logger[metadataKey: "database"] = "\(action.database)"
        logger.info("action runs", metadata: ["kind": "\(action.kind.rawValue)"])
        while !Task.isCancelled {
            guard await step(action, logger: logger) else { return }
        }
    }

    /// Asks the nodes once and acts on what they say. False only when the action has ended: whatever else goes wrong
    /// is tried again until the term is over, as nobody else takes the action up meanwhile.
    private func step(_ action: ActionRecord, logger: Logger) async -> Bool {
        guard let state = await editor.state else { return await tryAgain() }
        guard let current = state.actions[action.id], !current.status.isFinal else { return false }
        // Counted from the first look on, before the nodes take their time to answer.
        _ = age(of: current)
        let database = state.databases[current.database]
        switch current.kind {
        case .switchover:
            if let database { return await stepSwitchover(current, database, state, logger: logger) }
        case .migrateShard:
            return await stepMigration(current, database, state, logger: logger)
        case .maintenanceOn, .maintenanceOff, .removeNode:
            return await stepNodeAction(current, state, logger: logger)
        case .createDatabase, .updateDatabase, .deleteDatabase, .failover: break
        }
        let nodes = current.nodesToAsk(in: state)
        let answers = await ask(nodes, current)
        let decision = ActionMachine.next(
            current, database: database, answers: answers, down: state.lostNodes, age: age(of: current))
        switch decision {
        case .wait(let progress, let message):
            return await report(current, progress: progress, message: message)
        case .complete:
            logger.info("action completed", metadata: ["kind": "\(current.kind.rawValue)"])
            return await finish(current, .completed)
        case .fail(let message):
            logger.warning("action failed", metadata: ["reason": "\(message)"])
            return await finish(current, .failed(message))
        }
    }

    private func stepSwitchover(
        _ action: ActionRecord, _ database: DatabaseConfiguration, _ state: ClusterState, logger: Logger
    ) async -> Bool {
        let target = action.shard ?? ShardID(0)
        _ = age(ofChangeBy: action, of: database)
        var answers: [NodeID: NodeProgress] = [:]
        var found: [ShardID: ShardCopy] = [:]
        if let transition = database.transitions.first(where: { $0.to == target && $0.phase == .hold }) {
            let nodes = SwitchoverMachine.nodesToAsk(transition, of: database, in: state)
            (answers, found) = await askWhileHeld(transition, of: database, nodes, action)
        }
        let step = SwitchoverMachine.next(
            action, of: database, in: state, answers: answers, copies: found,
            heldFor: age(ofChangeBy: action, of: database))
        switch step {
        case .wait(let progress, let message):
            return await report(action, progress: progress, message: message, pause: .milliseconds(5))
        case .promote(let epoch):
            return await advance(action) { state, time in
                Planner.promoteHeld(of: database.id, to: target, drainedAt: epoch, in: state, now: time)
            }
        case .rollBack(let reason):
            logger.warning("switchover is rolled back", metadata: ["reason": "\(reason)"])
            _ = await report(action, progress: 20, message: reason, pause: .zero)
            return await advance(action) { state, time in
                Planner.rollBack(of: database.id, to: target, in: state, now: time)
            }
        case .complete: return await finish(action, .completed)
        case .fail(let message): return await finish(action, .failed(message))
        }
    }

    /// The old primary is asked when all have said that they hold, and the replica after it: what it lacks then it will
    /// never be sent.
    func askWhileHeld(
        _ transition: ShardTransition, of database: DatabaseConfiguration, _ nodes: [NodeID], _ action: ActionRecord
    ) async -> ([NodeID: NodeProgress], [ShardID: ShardCopy]) {
        let answers = await ask(nodes, action, epoch: database.epoch, within: .milliseconds(500))
        var found: [ShardID: ShardCopy] = [:]
        for shard in [transition.from, transition.to] {
            found.merge(await copies(database.shards.filter { $0.id == shard })) { $1 }
        }
        return (answers, found)
    }

    func advance(
        _ action: ActionRecord, _ plan: @Sendable (ClusterState, WallTime) -> Plan?
    ) async -> Bool {
        let time = now()
        do {
            let (done, _) = try await editor.edit { state throws(PlanError) in plan(state, time) }
            // Nothing to do means that the state has changed since it was looked at; without a pause this could spin.
            return done == nil ? await tryAgain(after: .milliseconds(20)) : true
        } catch {
            return await afterFailure(error)
        }
    }

    func ask(
        _ nodes: [NodeID], _ action: ActionRecord, epoch: Epoch? = nil, within span: Duration = probeSpan
    ) async -> [NodeID: NodeProgress] {
        await withTaskGroup(of: (NodeID, NodeProgress).self) { group in
            for node in nodes {
                group.addTask { (node, await probe(node, action.database, epoch ?? action.epoch, span)) }
            }
            var answers: [NodeID: NodeProgress] = [:]
            for await (node, answer) in group { answers[node] = answer }
            return answers
        }
    }

    func ask(_ node: NodeID, about database: DatabaseConfiguration) async -> NodeProgress {
        await probe(node, database.id, database.epoch, .milliseconds(500))
    }

    func report(
        _ action: ActionRecord, progress: Int, message: String, pause: Duration = retryPause
    ) async -> Bool {
        let time = now()
        do {
            try await editor.edit { state throws(PlanError) in
                Planner.progress(of: action.id, percent: progress, message: message, in: state, now: time)
            }
            // A node that is unreachable answers at once: without this the loop would spin on it.
            return await tryAgain(after: pause)
        } catch {
            return await afterFailure(error)
        }
    }

    func finish(_ action: ActionRecord, _ outcome: ActionOutcome) async -> Bool {
        let time = now()
        do {
            try await editor.edit { state throws(PlanError) in
                guard let newest = state.actions[action.id] else { return nil }
                return Planner.finish(newest, outcome: outcome, in: state, now: time)
            }
            return false
        } catch {
            return await afterFailure(error)
        }
    }

    private func afterFailure(_ error: any Error) async -> Bool {
        if case EditError.notLeader = error {
            // The end of a term shows in the task's cancellation, not here: a term may also be between two renewals.
        } else if !(error is CancellationError) {
            logger.warning("could not record an action's progress, trying again", metadata: ["error": "\(error)"])
        }
        return await tryAgain()
    }

    private func tryAgain(after pause: Duration = retryPause) async -> Bool {
        try? await Task.sleep(for: pause)
        return !Task.isCancelled
    }
}

/// Actions are driven side by side.
private final class SharedSightings: Sendable {
    let value = Mutex(Sightings())
}
