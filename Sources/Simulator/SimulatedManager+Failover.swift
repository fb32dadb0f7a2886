import ClusterModel
import ManagerCore
import Primitives

/// A primary that was lost is replaced: plan, gate, promotion, end of the transition.
extension SimulatedManager {
    /// Whether a replica of ours could take over: it runs and has had everything at one time.
    func isUsable(_ id: ShardID) -> Bool {
        guard let shard = simulation.shards[id], shard.process.node == node, shard.process.runs, !shard.isLoading,
            !shard.isSynchronizing
        else { return false }
        return shard.hasSynced || shard.role == .primary
    }

    /// A copy of ours as its node sees it; offsets count from one, 0 is for one that never heard of its primary.
    func copy(of id: ShardID) -> ShardCopy? {
        guard let shard = simulation.shards[id], shard.process.runs, !shard.isLoading else { return nil }
        let hasData = shard.role == .primary || shard.hasSynced
        return ShardCopy(offset: hasData ? Int64(shard.offset) + 1 : 0, isRunning: true)
    }

    /// A primary of ours has ended: its replica takes over, when it can.
    func failOver(_ shard: ShardConfiguration, of database: DatabaseConfiguration) {
        guard let state else { return }
        let replicas = database.replicas(of: shard, in: state)
        guard !replicas.isEmpty, failingOver.insert(shard.id).inserted else { return }
        fitness(replicas) { [unowned self] answers in
            guard let best = best(of: answers) else {
                failingOver.remove(shard.id)
                // All have said that they can't.
                if answers.count == replicas.count { policies[shard.id]?.release() }
                return
            }
            edit { [unowned self] state in
                guard simulation.shards[shard.id]?.process.isAlive != true else { return nil }
                return try Planner.failOver(shard.id, to: best, in: state, fresh: simulation.fresh(), now: wall)
            } _: { [unowned self] result in
                failingOver.remove(shard.id)
                if result == .done { simulation.tell(process, "shard \(shard.id) has ended: \(best) takes over") }
            }
        }
    }

    /// Whether a replica could take over, as its node sees it.
    private enum Fitness {
        case unfit
        case fit(ShardCopy)
    }

    /// Without those whose nodes don't answer.
    private func fitness(_ replicas: [ShardConfiguration], _ then: @escaping ([ShardID: Fitness]) -> Void) {
        var answers: [ShardID: Fitness] = [:]
        var open = replicas.count
        guard open > 0 else { return then(answers) }
        for replica in replicas {
            ask(replica.node) { peer -> Fitness? in
                guard peer.isUsable(replica.id), let copy = peer.copy(of: replica.id) else { return .unfit }
                return .fit(copy)
            } _: { answer in
                answers[replica.id] = answer
                open -= 1
                if open == 0 { then(answers) }
            }
        }
    }

    /// The most advanced one of those that can take over.
    private func best(of answers: [ShardID: Fitness]) -> ShardID? {
        let copies = answers.compactMapValues { answer in
            if case .fit(let copy) = answer { copy } else { nil }
        }
        return ReplicaChoice(persistence: .none).best(of: copies)
    }

    /// Primaries of nodes that are down: their replicas take over, and the node of one of them sees to it.
    func failOverLost(_ snapshot: SimulatedStore.Snapshot) {
        guard snapshot.hasLostNodes else { return }
        let state = snapshot.state
        for id in Planner.databasesWithLostPrimaries(in: state) {
            guard let database = state.databases[id] else { continue }
            let lost = database.primaries.filter { state.nodes[$0.node]?.status == .down }
            let replicas = lost.flatMap { database.replicas(of: $0, in: state) }
            guard replicas.contains(where: { $0.node == node && isUsable($0.id) }),
                failingOverDatabases.insert(id).inserted
            else { continue }
            fitness(replicas) { [unowned self] answers in
                edit { [unowned self] state in
                    Planner.failOverLost(
                        of: id,
                        to: { primary in
                            let own = state.databases[id]?.replicas(of: primary, in: state).map(\.id) ?? []
                            return self.best(of: answers.filter { own.contains($0.key) })
                        }, in: state, fresh: simulation.fresh(), now: wall)
                } _: { [unowned self] result in
                    failingOverDatabases.remove(id)
                    if result == .done {
                        simulation.tell(process, "takes over primaries of database \(id) from a lost node")
                    }
                }
            }
        }
    }

    // MARK: The gate

    func isGateOpen(_ database: DatabaseConfiguration, _ state: ClusterState) -> Bool {
        if simulation.settings.bug == .promotionWithoutFence { return true }
        if gates[database.id]?.epoch != database.fence { gates[database.id] = PromotionGate(epoch: database.fence) }
        let epoch = database.fence
        let waits = gates[database.id]?.waitsFor(database, in: state.nodes, at: boot, profile: Self.profile) ?? []
        guard !waits.isEmpty else { return true }
        for peer in state.sortedNodes where peer.status != .down {
            ask(peer.id, within: 300) {
                $0.answerForGate(database.id, epoch)
            } _: { [unowned self] answer in
                guard let answer, gates[database.id]?.epoch == epoch else { return }
                gates[database.id]?.answered(answer, by: peer.id, at: boot)
            }
        }
        return false
    }

    private func answerForGate(_ database: DatabaseID, _ epoch: Epoch) -> PromotionGate.Answer? {
        guard let state, let head = state.head else { return nil }
        return PromotionGate.Answer(hasApplied: hasApplied(database, epoch), fence: head.fence)
    }

    func hasApplied(_ id: DatabaseID, _ epoch: Epoch) -> Bool {
        guard let state, let head = state.head, head.epoch >= epoch, let link else { return false }
        return link.routes(id, by: epoch, isServed: state.databases[id]?.isServed(by: node) ?? false)
    }

    func endTransition(_ transition: ShardTransition, of database: DatabaseConfiguration, _ state: ClusterState) {
        guard transition.isPlanned || isGateOpen(database, state),
            endingTransitions.insert(transition.to).inserted
        else { return }
        edit { [unowned self] state in
            Planner.endTransition(of: database.id, to: transition.to, in: state, now: wall)
        } _: { [unowned self] result in
            endingTransitions.remove(transition.to)
            if result == .done { simulation.tell(process, "shard \(transition.to) is the primary, requests go on") }
        }
    }
}
