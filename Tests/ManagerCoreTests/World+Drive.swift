import ClusterModel
import ManagerCore
import Primitives
import Testing

/// What a leader and its nodes do with actions, without machines under them: every node that isn't down has done what
/// it
/// was asked for, and every replica has everything.
extension World {
    /// One step of one action, in order of their ids; false when none could go on.
    @discardableResult
    mutating func stepOnce(except stuck: Set<ActionID> = []) -> Bool {
        if let plan = Planner.rebindEndpoints(in: state, now: now) {
            commit(plan)
            return true
        }
        for node in state.sortedNodes where node.isLeaving && node.storeRole != .client {
            commit(Planner.setStoreRole(.client, of: node.id, in: state)!)
            return true
        }
        for database in state.databases.values.sorted(by: { $0.id < $1.id }) {
            // Every node of the cluster confirms, those that are down included.
            if !database.isLeased, state.nodes.values.allSatisfy({ $0.status != .down }),
                let plan = Planner.noteLeased(database.id, by: database.epoch, in: state, now: now)
            {
                commit(plan)
                return true
            }
            for transition in database.transitions where transition.phase == .promote {
                let target = database.shards.first { $0.id == transition.to }
                guard let target, state.nodes[target.node]?.status != .down else { continue }
                commit(Planner.endTransition(of: database.id, to: transition.to, in: state, now: now)!)
                return true
            }
        }
        let running = state.actions.values.filter { !$0.status.isFinal && !stuck.contains($0.id) }
        for action in running.sorted(by: { $0.createdAt == $1.createdAt && $0.id.description < $1.id.description }) {
            if let plan = plan(for: action) {
                commit(plan)
                return true
            }
        }
        return false
    }

    /// Until nothing is left to do.
    mutating func drive(except stuck: Set<ActionID> = []) {
        for _ in 0..<2000 where stepOnce(except: stuck) {}
    }

    /// Nil: it waits.
    private mutating func plan(for action: ActionRecord) -> Plan? {
        switch action.kind {
        case .createDatabase, .updateDatabase, .deleteDatabase, .failover:
            return Planner.finish(action, outcome: .completed, in: state, now: now)
        case .switchover: return switchover(action)
        case .migrateShard: return migration(action)
        case .maintenanceOn, .maintenanceOff, .removeNode:
            let copies = inSync(NodeActionMachine.shardsToInspect(action, in: state))
            let step = NodeActionMachine.next(
                action, in: state, copies: copies, farewells: nil, unsettled: [], fresh: fresh(), now: now)
            switch step {
            case .wait: return nil
            case .commit(let plan): return plan
            case .complete: return Planner.finish(action, outcome: .completed, in: state, now: now)
            case .fail(let message): return Planner.finish(action, outcome: .failed(message), in: state, now: now)
            }
        }
    }

    private func switchover(_ action: ActionRecord) -> Plan? {
        guard let database = state.databases[action.database], let target = action.shard else { return nil }
        switch SwitchoverMachine.next(
            action, of: database, in: state, answers: answers(database.epoch), copies: inSync(database.shards),
            heldFor: 0)
        {
        case .wait: return nil
        case .promote(let epoch):
            return Planner.promoteHeld(of: database.id, to: target, drainedAt: epoch, in: state, now: now)
        case .rollBack: return Planner.rollBack(of: database.id, to: target, in: state, now: now)
        case .complete: return Planner.finish(action, outcome: .completed, in: state, now: now)
        case .fail(let message): return Planner.finish(action, outcome: .failed(message), in: state, now: now)
        }
    }

    func migrationStep(_ action: ActionRecord) -> MigrationMachine.Step {
        let database = state.databases[action.database]
        let epoch = database.map { MigrationMachine.question(action, of: $0, in: state).epoch } ?? .zero
        return MigrationMachine.next(
            action, of: database, in: state, answers: answers(epoch), copies: inSync(database?.shards ?? []), age: 0,
            heldFor: 0)
    }

    private func migration(_ action: ActionRecord) -> Plan? {
        switch migrationStep(action) {
        case .wait: return nil
        case .advance: return Planner.advanceMigration(action.id, in: state, now: now)
        case .promote(let epoch):
            return Planner.promoteHeld(
                of: action.database, to: action.shard!, drainedAt: epoch, in: state, now: now)
        case .rollBack(let reason): return Planner.rollBackMigration(action.id, reason: reason, in: state, now: now)
        case .abandon(let reason): return Planner.abandonMigration(action.id, reason: reason, in: state, now: now)
        case .complete: return Planner.finish(action, outcome: .completed, in: state, now: now)
        case .fail(let message): return Planner.finish(action, outcome: .failed(message), in: state, now: now)
        }
    }

    private func answers(_ epoch: Epoch) -> [NodeID: NodeProgress] {
        state.nodes.filter { $0.value.status != .down }.mapValues { _ in .applied(epoch) }
    }

    func inSync(_ shards: [ShardConfiguration]) -> [ShardID: ShardCopy] {
        let alive = shards.filter { state.nodes[$0.node]?.status != .down }
        return Dictionary(uniqueKeysWithValues: alive.map { ($0.id, ShardCopy(offset: 100, isRunning: true)) })
    }

    mutating func fail(_ node: Int) {
        commit(Planner.setStatus(.down, of: NodeID(node), in: state, now: now)!)
        for id in Planner.databasesWithLostPrimaries(in: state) {
            let state = state
            let plan = Planner.failOverLost(
                of: id, to: { state.databases[id]!.replicas(of: $0, in: state).first?.id }, in: state, fresh: fresh(),
                now: now)
            if let plan { commit(plan) }
        }
    }

    mutating func bringBack(_ node: Int) {
        commit(Planner.readmit(NodeID(node), in: state, now: now)!)
    }

    /// Rules that hold whatever happens: all slots have one primary, no two copies share a node, none is left half
    /// made.
    func brokenRules() -> [String] {
        state.databases.values.flatMap { database -> [String] in
            var broken: [String] = []
            if database.primaries.map(\.slots.count).reduce(0, +) != HashSlot.count {
                broken.append("slots are missing")
            }
            for primary in database.primaries {
                let nodes = database.copies(of: primary.slots).map(\.node)
                if Set(nodes).count != nodes.count { broken.append("copies of \(primary.slots) on \(nodes)") }
            }
            if state.unfinishedActions(of: database.id).isEmpty {
                if database.shards.contains(where: \.isCopying) { broken.append("a copy is left half made") }
                if !database.transitions.isEmpty { broken.append("a transition is left") }
                if database.status != .active { broken.append("it is \(database.status)") }
            }
            return broken.map { "database \(database.id): \($0)" }
        }
    }
}

extension World {
    /// Up to the end of an action, from every state on the way: the node is lost and comes back. The cluster comes to
    /// rest with two copies of the shard and no rests.
    mutating func lose(
        _ node: Int, onTheWayOf action: ActionRecord, copiesOf shard: ShardConfiguration, _ database: DatabaseID
    ) {
        while let running = state.actions[action.id], !running.status.isFinal {
            var branch = self
            branch.fail(node)
            branch.drive()
            branch.bringBack(node)
            branch.drive()
            #expect(branch.brokenRules().isEmpty, "lost at \(running.message)")
            #expect(branch.state.databases[database]?.copies(of: shard.slots).count == 2)
            let hasMoved = stepOnce()
            #expect(hasMoved)
        }
    }
}
