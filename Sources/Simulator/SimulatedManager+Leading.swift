import ClusterModel
import ManagerCore
import Primitives

/// What the one manager does that holds the leader's lease: follow actions, drive planned changes, bind endpoints.
extension SimulatedManager {
    /// Of the two seconds that the store gives, so much is used.
    private static let termSpan: Int64 = 1750

    var leads: Bool { term.map { boot < $0.until } ?? false }

    func lead(_ snapshot: SimulatedStore.Snapshot) {
        let state = snapshot.state
        guard snapshot.members.contains(node) else { return }
        guard leads, let term else {
            self.term = nil
            return campaign(state)
        }
        if boot - term.until > -1100 { renew(term.revision) }
        for action in snapshot.unfinished { drive(action, state) }
        for newcomer in snapshot.newcomers { settleJoin(newcomer, state) }
        keepVoters(snapshot)
        keepReplicas(state)
        for database in snapshot.databases {
            if !database.isLeased { noteLeased(database, state) }
        }
        if boundRevision != snapshot.revision {
            boundRevision = snapshot.revision
            edit(asLeader: true) {
                [unowned self] in
                Planner.rebindEndpoints(in: $0, now: wall)
            } _: { [unowned self] result in
                if result == .failed { boundRevision = -1 }
            }
        }
        if state.actions.count > 30 {
            edit(asLeader: true) { Planner.forgetActions(keeping: 10, in: $0) }
        }
    }

    private func campaign(_ state: ClusterState) {
        guard state.leader == nil, !isCampaigning else { return }
        isCampaigning = true
        let asked = boot
        let condition = SimulatedStore.Condition(key: .leader, revision: 0)
        simulation.store.commit([.leader(node)], if: [condition], from: process) { [unowned self] answer in
            isCampaigning = false
            guard case .committed(let snapshot) = answer else { return }
            simulation.tell(process, "leads")
            saw(snapshot)
            askedActions = []
            boundRevision = -1
            askedLeases = []
            lookedAtReplicas = nil
            sightings = Sightings()
            replicaWatch = ReplicaWatch()
            term = (snapshot.revision, asked + Self.termSpan)
        }
    }

    private func renew(_ revision: Int64) {
        guard !isRenewing else { return }
        isRenewing = true
        let asked = boot
        simulation.store.renewLeader(revision, from: process) { [unowned self] isRenewed in
            isRenewing = false
            if isRenewed, term?.revision == revision { term = (revision, asked + Self.termSpan) }
        }
    }

    /// All nodes are asked, those that are down too: a proxy that lives on there would write without a lease.
    private func noteLeased(_ database: DatabaseConfiguration, _ state: ClusterState) {
        guard askedLeases.insert(database.id).inserted else { return }
        let nodes = state.sortedNodes.map(\.id)
        collect(nodes) {
            $0.hasApplied(database.id, database.epoch)
        } _: { [unowned self] answers in
            let end: () -> Void = { [unowned self] in
                simulation.after(clock.span(100), for: process) { [unowned self] in askedLeases.remove(database.id) }
            }
            guard answers.values.allSatisfy({ $0 == true }) else { return end() }
            edit(asLeader: true) { [unowned self] state in
                Planner.noteLeased(database.id, by: database.epoch, in: state, now: wall)
            } _: { _ in
                end()
            }
        }
    }

    private func settleJoin(_ newcomer: NodeID, _ state: ClusterState) {
        guard askedJoins.insert(newcomer).inserted else { return }
        collect(JoinWatch.witnesses(of: newcomer, in: state)) {
            $0.joins.hasSettled(newcomer, at: $0.boot, profile: Self.profile)
        } _: {
            [unowned self] answers in
            let end: () -> Void = { [unowned self] in
                simulation.after(clock.span(200), for: process) { [unowned self] in askedJoins.remove(newcomer) }
            }
            guard answers.values.allSatisfy({ $0 == true }) else { return end() }
            edit(asLeader: true) { [unowned self] state in
                Planner.settleJoin(of: newcomer, in: state, now: wall)
            } _: { [unowned self] result in
                if result == .done { simulation.tell(process, "node \(newcomer) is taken in") }
                end()
            }
        }
    }

    // MARK: Actions

    private func drive(_ action: ActionRecord, _ state: ClusterState) {
        guard askedActions.insert(action.id).inserted else { return }
        switch action.kind {
        case .switchover:
            if let database = state.databases[action.database] { return driveSwitchover(action, of: database, state) }
        case .migrateShard: return driveMigration(action, state)
        case .maintenanceOn, .maintenanceOff, .removeNode: return driveNodeAction(action, state)
        case .createDatabase, .updateDatabase, .deleteDatabase, .failover: break
        }
        let nodes = action.nodesToAsk(in: state)
        collect(nodes) { peer in
            peer.progress(of: action.database, action.epoch)
        } _: { [unowned self] answers in
            let answers = answers.mapValues { $0 ?? .unreachable("no answer") }
            guard let state = self.state else { return }
            let step = ActionMachine.next(
                action, database: state.databases[action.database], answers: answers, down: state.lostNodes,
                age: sightings.age(of: action.id, at: boot))
            edit(asLeader: true) { [unowned self] state in
                switch step {
                case .wait(let progress, let message):
                    Planner.progress(of: action.id, percent: progress, message: message, in: state, now: wall)
                case .complete: Planner.finish(action, outcome: .completed, in: state, now: wall)
                case .fail(let message): Planner.finish(action, outcome: .failed(message), in: state, now: wall)
                }
            } _: { [unowned self] result in
                if result == .done {
                    switch step {
                    case .wait: break
                    case .complete: simulation.tell(process, "action \(action.id) \(action.kind.rawValue) is completed")
                    case .fail(let message): simulation.tell(process, "action \(action.id) failed: \(message)")
                    }
                }
                askAgain(action.id, in: 200)
            }
        }
    }

    func collect<Answer>(
        _ nodes: [NodeID], _ question: @escaping (SimulatedManager) -> Answer?,
        _ then: @escaping ([NodeID: Answer?]) -> Void
    ) {
        var answers: [NodeID: Answer?] = [:]
        guard !nodes.isEmpty else { return then(answers) }
        for node in nodes {
            ask(node, question) { answer in
                answers[node] = .some(answer)
                if answers.count == nodes.count { then(answers) }
            }
        }
    }

    // MARK: Planned changes

    private func driveSwitchover(_ action: ActionRecord, of database: DatabaseConfiguration, _ state: ClusterState) {
        guard let target = action.shard, let transition = database.transitions.first(where: { $0.to == target }),
            transition.phase == .hold
        else { return conclude(action, of: database, [:], [:]) }
        let nodes = SwitchoverMachine.nodesToAsk(transition, of: database, in: state)
        let epoch = database.epoch
        collect(nodes) {
            $0.progress(of: database.id, epoch)
        } _: { [unowned self] answers in
            copiesWhileHeld(transition, of: database) { [unowned self] copies in
                conclude(action, of: database, answers.mapValues { $0 ?? .unreachable("no answer") }, copies)
            }
        }
    }

    private func conclude(
        _ action: ActionRecord, of database: DatabaseConfiguration, _ answers: [NodeID: NodeProgress],
        _ copies: [ShardID: ShardCopy]
    ) {
        let end: () -> Void = { [unowned self] in
            askAgain(action.id, in: 20)
        }
        guard let state, let current = state.actions[action.id], !current.status.isFinal else { return end() }
        let newest = state.databases[database.id] ?? database
        let isSame = newest.epoch == database.epoch
        let step = SwitchoverMachine.next(
            current, of: newest, in: state, answers: isSame ? answers : [:], copies: isSame ? copies : [:],
            heldFor: sightings.age(ofChangeBy: action, of: newest, at: boot))
        edit(asLeader: true) { [unowned self] state in
            guard let newest = state.actions[action.id], let target = action.shard else { return nil }
            switch step {
            case .wait(let progress, let message):
                return Planner.progress(of: action.id, percent: progress, message: message, in: state, now: wall)
            case .promote(let epoch):
                return Planner.promoteHeld(of: database.id, to: target, drainedAt: epoch, in: state, now: wall)
            case .rollBack: return Planner.rollBack(of: database.id, to: target, in: state, now: wall)
            case .complete: return Planner.finish(newest, outcome: .completed, in: state, now: wall)
            case .fail(let message): return Planner.finish(newest, outcome: .failed(message), in: state, now: wall)
            }
        } _: { [unowned self] result in
            if result == .done { tellOf(step, action) }
            end()
        }
    }

    private func tellOf(_ step: SwitchoverMachine.Step, _ action: ActionRecord) {
        let target = action.shard.map(\.description) ?? "?"
        switch step {
        case .wait: break
        case .promote: simulation.tell(process, "all hold, shard \(target) has everything: roles swapped")
        case .rollBack(let reason): simulation.tell(process, "rolls back the change to shard \(target): \(reason)")
        case .complete: simulation.tell(process, "switchover to shard \(target) is completed")
        case .fail(let message): simulation.tell(process, "switchover to shard \(target) failed: \(message)")
        }
    }
}
