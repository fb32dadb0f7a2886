package import ClusterModel
package import Logging
package import ManagerCore
package import Primitives

/// Asks a node how far it is with an epoch of a database. Answers within the given span at the latest.
package typealias ProgressProbe =
    @Sendable (NodeID, DatabaseID, Epoch, _ within: Duration) async -> NodeProgress

/// While this node leads: takes every unfinished action from the state where it stands and drives it to its end.
///
/// The action's record and the database's epoch say all there is to know, so a new leader goes on by asking the
/// nodes the same questions.
package struct ActionRunner: Sendable {
    /// How long a node may hold a question open. Long enough that waiting costs next to nothing.
    private static let probeSpan = Duration.seconds(2)
    private static let retryPause = Duration.milliseconds(200)

    private let editor: ClusterEditor
    private let probe: ProgressProbe
    private let now: @Sendable () -> WallTime
    private let logger: Logger

    package init(
        editor: ClusterEditor, probe: @escaping ProgressProbe, now: @escaping @Sendable () -> WallTime,
        logger: Logger
    ) {
        self.editor = editor
        self.probe = probe
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
            }
            group.cancelAll()
        }
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
        let database = state.databases[current.database]
        let nodes = current.nodesToAsk(in: state)
        let answers = await ask(nodes, current)
        let decision = ActionMachine.next(current, database: database, answers: answers, now: now())
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

    private func ask(_ nodes: [NodeID], _ action: ActionRecord) async -> [NodeID: NodeProgress] {
        await withTaskGroup(of: (NodeID, NodeProgress).self) { group in
            for node in nodes {
                group.addTask { (node, await probe(node, action.database, action.epoch, Self.probeSpan)) }
            }
            var answers: [NodeID: NodeProgress] = [:]
            for await (node, answer) in group { answers[node] = answer }
            return answers
        }
    }

    private func report(_ action: ActionRecord, progress: Int, message: String) async -> Bool {
        let time = now()
        do {
            try await editor.edit { state throws(PlanError) in
                Planner.progress(of: action.id, percent: progress, message: message, in: state, now: time)
            }
            // A node that is unreachable answers at once: without this the loop would spin on it.
            return await tryAgain()
        } catch {
            return await afterFailure(error)
        }
    }

    private func finish(_ action: ActionRecord, _ outcome: ActionOutcome) async -> Bool {
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

    private func tryAgain() async -> Bool {
        try? await Task.sleep(for: Self.retryPause)
        return !Task.isCancelled
    }
}
