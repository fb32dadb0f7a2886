import ClusterModel
import ManagerCore
import Primitives

/// What the one manager does that holds the leader's lease: follow actions, drive planned changes, bind endpoints.
extension SimulatedManager {
    /// Of the two seconds that the store gives, so much is used.
    private static let termSpan: Int64 = 1750
    private static let holdLimit: Int64 = 5000

    var leads: Bool { term.map { boot < $0.until } ?? false }

    func lead(_ snapshot: SimulatedStore.Snapshot) {
        let state = snapshot.state
        guard state.nodes[node] != nil else { return }
        guard leads, let term else {
            self.term = nil
            return campaign(state)
        }
        if boot - term.until > -1100 { renew(term.revision) }
        for action in state.actions.values.sorted(by: { $0.id.description < $1.id.description })
        where !action.status.isFinal { drive(action, state) }
        for newcomer in state.sortedNodes where newcomer.status == .provisioning { settleJoin(newcomer.id, state) }
        for database in snapshot.databases {
            if !database.isLeased { noteLeased(database, state) }
            for transition in database.transitions where transition.phase == .hold {
                drive(transition, of: database, state)
            }
        }
        if boundRevision != snapshot.revision {
            boundRevision = snapshot.revision
            edit(asLeader: true) {
                [unowned self] in Planner.rebindEndpoints(in: $0, now: wall)
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
            askedHolds = []
            askedLeases = []
            heldSince = [:]
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
        collect(nodes) { $0.hasApplied(database.id, database.epoch) } _: { [unowned self] answers in
            let end: () -> Void = { [unowned self] in
                simulation.after(clock.span(100), for: process) { [unowned self] in askedLeases.remove(database.id) }
            }
            guard answers.values.allSatisfy({ $0 == true }) else { return end() }
            edit(asLeader: true) { [unowned self] state in
                Planner.noteLeased(database.id, by: database.epoch, in: state, now: wall)
            } _: { _ in end() }
        }
    }

    private func settleJoin(_ newcomer: NodeID, _ state: ClusterState) {
        guard askedJoins.insert(newcomer).inserted else { return }
        let nodes = state.sortedNodes.filter { $0.id == newcomer || $0.status == .active }.map(\.id)
        collect(nodes) { $0.joins.hasSettled(newcomer, at: $0.boot, profile: Self.profile) } _: {
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
        let nodes = action.nodesToAsk(in: state)
        collect(nodes) { peer in peer.progress(of: action.database, action.epoch) } _: { [unowned self] answers in
            let answers = answers.mapValues { $0 ?? .unreachable("no answer") }
            guard let state = self.state else { return }
            // By the wall clock a leader whose clock is an hour ahead would give up at once.
            let takenUp = takenUpAt[action.id] ?? boot
            takenUpAt[action.id] = takenUp
            let now = WallTime(milliseconds: action.createdAt.milliseconds + (boot - takenUp))
            let step = ActionMachine.next(
                action, database: state.databases[action.database], answers: answers, now: now)
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
                simulation.after(clock.span(200), for: process) { [unowned self] in askedActions.remove(action.id) }
            }
        }
    }

    private func collect<Answer>(
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

    private func drive(_ transition: ShardTransition, of database: DatabaseConfiguration, _ state: ClusterState) {
        let since = heldSince[transition.to] ?? boot
        heldSince[transition.to] = since
        guard askedHolds.insert(transition.to).inserted else { return }
        let end: (Bool) -> Void = { [unowned self] isOver in
            if isOver { heldSince[transition.to] = nil }
            simulation.after(clock.span(50), for: process) { [unowned self] in askedHolds.remove(transition.to) }
        }
        if boot - since > Self.holdLimit { return rollBack(transition, of: database.id, end) }
        let nodes = database.endpoint.nodes.filter { state.nodes[$0]?.status != .down }
        let epoch = database.epoch
        collect(nodes) { $0.hasApplied(database.id, epoch) } _: { [unowned self] answers in
            guard answers.values.allSatisfy({ $0 == true }) else { return end(false) }
            checkReplica(transition, of: database, end)
        }
    }

    /// All hold: the primary's offset can't grow any more. Has the replica come that far?
    private func checkReplica(
        _ transition: ShardTransition, of database: DatabaseConfiguration, _ end: @escaping (Bool) -> Void
    ) {
        guard let from = database.shards.first(where: { $0.id == transition.from }),
            let to = database.shards.first(where: { $0.id == transition.to })
        else { return end(false) }
        ask(from.node) { $0.simulation.shards[from.id].flatMap { $0.process.runs ? $0.offset : nil } } _: {
            [unowned self] offset in
            guard let offset else { return end(false) }
            ask(to.node) { peer in
                peer.simulation.shards[to.id].flatMap {
                    $0.process.runs && $0.isLinkUp && $0.role == .replica(of: from.id) ? $0.offset : nil
                }
            } _: { [unowned self] reached in
                guard let reached, reached >= offset else { return end(false) }
                edit(asLeader: true) { [unowned self] state in
                    Planner.promoteHeld(
                        of: database.id, to: to.id, drainedAt: database.epoch, in: state, now: wall)
                } _: { [unowned self] result in
                    if result == .done { simulation.tell(process, "all hold, shard \(to.id) has everything: roles swapped") }
                    end(result == .done)
                }
            }
        }
    }

    private func rollBack(_ transition: ShardTransition, of database: DatabaseID, _ end: @escaping (Bool) -> Void) {
        edit(asLeader: true) { [unowned self] state in
            Planner.rollBack(of: database, to: transition.to, in: state, now: wall)
        } _: { [unowned self] result in
            if result == .done { simulation.tell(process, "rolls back the change to shard \(transition.to)") }
            end(result != .failed)
        }
    }
}
