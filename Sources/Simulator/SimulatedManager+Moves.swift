import ClusterModel
import ManagerCore
import Primitives

/// Shards that move, nodes that are drained, restored or removed, and replicas that are made anew; as `ActionRunner`
/// and `ReplicaKeeper` wire the decisions together.
extension SimulatedManager {
    // MARK: Migrations

    func driveMigration(_ action: ActionRecord, _ state: ClusterState) {
        guard let database = state.databases[action.database] else {
            let step = MigrationMachine.next(
                action, of: nil, in: state, answers: [:], copies: [:], age: sightings.age(of: action.id, at: boot),
                heldFor: 0)
            return take(step, of: action)
        }
        let (nodes, epoch) = MigrationMachine.question(action, of: database, in: state)
        let phase = MigrationMachine.phase(of: action, in: database)
        collect(nodes) {
            $0.progress(of: database.id, epoch)
        } _: { [unowned self] answers in
            let answers = answers.mapValues { $0 ?? .unreachable("no answer") }
            guard case .changing(let transition) = phase, transition.phase == .hold else {
                return take(step(of: action, database, state, answers, [:]), of: action)
            }
            copiesWhileHeld(transition, of: database) { [unowned self] copies in
                take(step(of: action, database, state, answers, copies), of: action)
            }
        }
    }

    private func step(
        of action: ActionRecord, _ database: DatabaseConfiguration, _ state: ClusterState,
        _ answers: [NodeID: NodeProgress], _ copies: [ShardID: ShardCopy]
    ) -> MigrationMachine.Step {
        MigrationMachine.next(
            action, of: database, in: state, answers: answers, copies: copies,
            age: sightings.age(of: action.id, at: boot),
            heldFor: sightings.age(ofChangeBy: action, of: database, at: boot))
    }

    private func take(_ step: MigrationMachine.Step, of action: ActionRecord) {
        let id = action.id
        edit(asLeader: true) { [unowned self] state in
            switch step {
            case .wait(let progress, let message):
                return Planner.progress(of: id, percent: progress, message: message, in: state, now: wall)
            case .advance: return Planner.advanceMigration(id, in: state, now: wall)
            case .promote(let epoch):
                return Planner.promoteHeld(
                    of: action.database, to: action.shard ?? ShardID(0), drainedAt: epoch, in: state, now: wall)
            case .rollBack(let reason): return Planner.rollBackMigration(id, reason: reason, in: state, now: wall)
            case .abandon(let reason): return Planner.abandonMigration(id, reason: reason, in: state, now: wall)
            case .complete: return finished(id, .completed, in: state)
            case .fail(let message): return finished(id, .failed(message), in: state)
            }
        } _: { [unowned self] result in
            if result == .done { tellOf(step, action) }
            askAgain(id, in: 20)
        }
    }

    private func tellOf(_ step: MigrationMachine.Step, _ action: ActionRecord) {
        let copy = action.shard.map(\.description) ?? "?"
        switch step {
        case .wait: break
        case .advance: simulation.tell(process, "migration to shard \(copy) goes on")
        case .promote: simulation.tell(process, "all hold, shard \(copy) has everything: roles swapped")
        case .rollBack(let reason): simulation.tell(process, "lets go on what was held for shard \(copy): \(reason)")
        case .abandon(let reason): simulation.tell(process, "gives up the migration to shard \(copy): \(reason)")
        case .complete: simulation.tell(process, "migration to shard \(copy) is completed")
        case .fail(let message): simulation.tell(process, "migration to shard \(copy) failed: \(message)")
        }
    }

    // MARK: Nodes

    func driveNodeAction(_ action: ActionRecord, _ state: ClusterState) {
        copies(of: NodeActionMachine.shardsToInspect(action, in: state)) { [unowned self] copies in
            farewells(action, state) { [unowned self] farewells in
                unsettled(action, state) { [unowned self] in conclude(action, state, copies, farewells, $0) }
            }
        }
    }

    /// What a node that leaves says of the databases that it serves no longer; until it is asked, that it has not
    /// answered.
    private func farewells(
        _ action: ActionRecord, _ state: ClusterState, _ then: @escaping ([DatabaseID: NodeProgress]) -> Void
    ) {
        guard let node = action.node, let databases = NodeActionMachine.farewells(action, in: state) else {
            let ids = state.databases.keys
            return then(Dictionary(uniqueKeysWithValues: ids.map { ($0, .unreachable("not asked")) }))
        }
        ask(node) { peer in
            databases.map { peer.progress(of: $0.id, $0.epoch) ?? .unreachable("no answer") }
        } _: { answers in
            let answers = answers ?? databases.map { _ in .unreachable("no answer") }
            then(Dictionary(uniqueKeysWithValues: zip(databases.map(\.id), answers)))
        }
    }

    /// Who doesn't say that it has settled the node that leaves.
    private func unsettled(
        _ action: ActionRecord, _ state: ClusterState, _ then: @escaping (Set<NodeID>) -> Void
    ) {
        guard action.kind == .removeNode, let leaving = action.node else { return then([]) }
        let others = state.sortedNodes.filter { $0.id != leaving && $0.status != .down }.map(\.id)
        collect(others) {
            $0.joins.hasSettled(leaving, at: $0.boot, profile: Self.profile)
        } _: { answers in
            then(Set(answers.filter { $0.value != true }.keys))
        }
    }

    private func conclude(
        _ action: ActionRecord, _ state: ClusterState, _ copies: [ShardID: ShardCopy],
        _ farewells: [DatabaseID: NodeProgress], _ unsettled: Set<NodeID>
    ) {
        let (id, fresh) = (action.id, simulation.fresh())
        let step = NodeActionMachine.next(
            action, in: state, copies: copies, farewells: farewells, unsettled: unsettled, fresh: fresh, now: wall)
        edit(asLeader: true) { [unowned self] state in
            switch step {
            case .wait(let progress, let message):
                return Planner.progress(of: id, percent: progress, message: message, in: state, now: wall)
            case .commit:
                guard let newest = state.actions[id], !newest.status.isFinal,
                    case .commit(let plan) = NodeActionMachine.next(
                        newest, in: state, copies: copies, farewells: farewells, unsettled: unsettled, fresh: fresh,
                        now: wall)
                else { return nil }
                return plan
            case .complete: return finished(id, .completed, in: state)
            case .fail(let message): return finished(id, .failed(message), in: state)
            }
        } _: { [unowned self] result in
            if result == .done { tellOf(step, action) }
            askAgain(id, in: 50)
        }
    }

    private func tellOf(_ step: NodeActionMachine.Step, _ action: ActionRecord) {
        let what = "\(action.kind.rawValue) of node \(action.node.map(\.description) ?? "?")"
        switch step {
        case .wait: break
        case .commit(let plan):
            let part = plan.action.map { "\($0.kind.rawValue) of database \($0.database)" } ?? "an empty primary"
            simulation.tell(process, "\(what): \(plan.action?.id == action.id ? "is done" : part)")
        case .complete: simulation.tell(process, "\(what) is completed")
        case .fail(let message): simulation.tell(process, "\(what) failed: \(message)")
        }
    }

    /// Notes which nodes keep a member of the store, one at a time; a node that leaves hands its membership over first.
    func keepVoters(_ snapshot: SimulatedStore.Snapshot) {
        for node in snapshot.nodes where node.status != .provisioning {
            if node.isLeaving, simulation.node(node.id).isVoter {
                let staying = snapshot.nodes.filter { !$0.isLeaving && $0.status == .active }.map(\.id)
                guard simulation.store.handOver(from: node.id, to: staying, asked: process.node) else { continue }
                simulation.tell(process, "node \(node.id) keeps no member of the store any more")
            }
            let role: NodeRecord.StoreRole = simulation.node(node.id).isVoter ? .voter : .client
            guard node.storeRole != role else { continue }
            return edit(asLeader: true) { Planner.setStoreRole(role, of: node.id, in: $0) }
        }
    }

    // MARK: Replicas

    /// As `ReplicaKeeper` does, every second.
    func keepReplicas(_ state: ClusterState) {
        guard lookedAtReplicas.map({ boot - $0 >= 1000 }) ?? true else { return }
        lookedAtReplicas = boot
        replicaWatch.look(at: state, now: boot)
        let (fresh, watch, seen) = (simulation.fresh(), replicaWatch, boot)
        guard Planner.rebuildLostReplica(in: state, watch, at: seen, fresh: fresh, now: wall) != nil else { return }
        edit(asLeader: true) { [unowned self] state in
            Planner.rebuildLostReplica(in: state, watch, at: seen, fresh: fresh, now: wall)
        } _: { [unowned self] result in
            if result == .done { simulation.tell(process, "has a lost replica made anew") }
        }
    }

    // MARK: Parts

    func finished(_ id: ActionID, _ outcome: ActionOutcome, in state: ClusterState) -> Plan? {
        guard let newest = state.actions[id] else { return nil }
        return Planner.finish(newest, outcome: outcome, in: state, now: wall)
    }

    func askAgain(_ id: ActionID, in milliseconds: Int64) {
        simulation.after(clock.span(milliseconds), for: process) { [unowned self] in askedActions.remove(id) }
    }

    /// The primary after all proxies have answered, the replica after the primary.
    func copiesWhileHeld(
        _ transition: ShardTransition, of database: DatabaseConfiguration,
        _ then: @escaping ([ShardID: ShardCopy]) -> Void
    ) {
        copies(of: database.shards.filter { $0.id == transition.from }) { [unowned self] primary in
            copies(of: database.shards.filter { $0.id == transition.to }) { replica in
                then(primary.merging(replica) { $1 })
            }
        }
    }

    /// What the nodes of these shards say of them; who doesn't answer is left out.
    func copies(of shards: [ShardConfiguration], _ then: @escaping ([ShardID: ShardCopy]) -> Void) {
        var found: [ShardID: ShardCopy] = [:]
        var open = shards.count
        guard open > 0 else { return then(found) }
        for shard in shards {
            ask(shard.node, within: 500) {
                $0.copy(of: shard.id)
            } _: { copy in
                found[shard.id] = copy
                open -= 1
                if open == 0 { then(found) }
            }
        }
    }
}
