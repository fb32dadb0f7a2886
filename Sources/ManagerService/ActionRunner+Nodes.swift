import ClusterModel
import Logging
import ManagerCore
import Primitives

/// Migrations of shards, and the actions on nodes that are made of them.
extension ActionRunner {
    func stepMigration(
        _ action: ActionRecord, _ database: DatabaseConfiguration?, _ state: ClusterState, logger: Logger
    ) async -> Bool {
        var answers: [NodeID: NodeProgress] = [:]
        var found: [ShardID: ShardCopy] = [:]
        _ = age(ofChangeBy: action, of: database)
        if let database {
            let (nodes, epoch) = MigrationMachine.question(action, of: database, in: state)
            switch MigrationMachine.phase(of: action, in: database) {
            case .changing(let transition) where transition.phase == .hold:
                (answers, found) = await askWhileHeld(transition, of: database, nodes, action)
            case .copying(let copy):
                answers = await ask(nodes, action, epoch: epoch)
                let isFilled = answers.values.allSatisfy { if case .applied = $0 { true } else { false } }
                if isFilled { found = await inspect([database.primary(of: copy) ?? copy, copy], in: state) }
            case .changing, .replacing, .ready, .surplus, .finishing, .lost:
                answers = await ask(nodes, action, epoch: epoch)
            }
        }
        let id = action.id
        let step = MigrationMachine.next(
            action, of: database, in: state, answers: answers, copies: found, age: age(of: action),
            heldFor: age(ofChangeBy: action, of: database))
        switch step {
        case .wait(let progress, let message):
            return await report(action, progress: progress, message: message, pause: .milliseconds(20))
        case .advance:
            return await advance(action) { Planner.advanceMigration(id, in: $0, now: $1) }
        case .promote(let epoch):
            let (database, copy) = (action.database, action.shard ?? ShardID(0))
            return await advance(action) { state, time in
                Planner.promoteHeld(of: database, to: copy, drainedAt: epoch, in: state, now: time)
            }
        case .rollBack(let reason):
            logger.warning("a migration's change of primaries is rolled back", metadata: ["reason": "\(reason)"])
            return await advance(action) { Planner.rollBackMigration(id, reason: reason, in: $0, now: $1) }
        case .abandon(let reason):
            logger.warning("migration is given up", metadata: ["reason": "\(reason)"])
            return await advance(action) { Planner.abandonMigration(id, reason: reason, in: $0, now: $1) }
        case .complete:
            logger.info("shard has moved", metadata: ["shard": "\(action.shard ?? ShardID(0))"])
            return await finish(action, .completed)
        case .fail(let message): return await finish(action, .failed(message))
        }
    }

    func stepNodeAction(_ action: ActionRecord, _ state: ClusterState, logger: Logger) async -> Bool {
        let copies = await inspect(NodeActionMachine.shardsToInspect(action, in: state), in: state)
        let farewells = await farewells(action, state)
        let unsettled = await unsettled(action, state)
        let fresh = fresh()
        let next = { @Sendable (action: ActionRecord, state: ClusterState, time: WallTime) in
            NodeActionMachine.next(
                action, in: state, copies: copies, farewells: farewells, unsettled: unsettled, fresh: fresh, now: time)
        }
        switch next(action, state, now()) {
        case .wait(let progress, let message):
            return await report(action, progress: progress, message: message, pause: .milliseconds(50))
        case .commit:
            return await advance(action) { state, time in
                guard let newest = state.actions[action.id], !newest.status.isFinal,
                    case .commit(let plan) = next(newest, state, time)
                else { return nil }
                return plan
            }
        case .complete:
            logger.info("action completed", metadata: ["kind": "\(action.kind.rawValue)"])
            return await finish(action, .completed)
        case .fail(let message):
            logger.warning("action failed", metadata: ["reason": "\(message)"])
            return await finish(action, .failed(message))
        }
    }

    private func inspect(_ shards: [ShardConfiguration], in state: ClusterState) async -> [ShardID: ShardCopy] {
        await CopyInspection.look(at: shards, in: state, asking: copies)
    }

    /// What a node that leaves says of the databases that it is to serve no longer.
    private func farewells(_ action: ActionRecord, _ state: ClusterState) async -> [DatabaseID: NodeProgress] {
        guard action.kind == .removeNode else { return [:] }
        guard let node = action.node, let databases = NodeActionMachine.farewells(action, in: state) else {
            return state.databases.mapValues { _ in .unreachable("not asked") }
        }
        return await withTaskGroup(of: (DatabaseID, NodeProgress).self) { group in
            for database in databases {
                group.addTask { (database.id, await ask(node, about: database)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Who may still hold a lease by a majority that counts the node that leaves.
    private func unsettled(_ action: ActionRecord, _ state: ClusterState) async -> Set<NodeID> {
        guard action.kind == .removeNode, let leaving = action.node else { return [] }
        let counts = counts
        return await dissenters(among: JoinWatch.witnesses(of: leaving, in: state)) { await counts($0, leaving) }
    }
}
