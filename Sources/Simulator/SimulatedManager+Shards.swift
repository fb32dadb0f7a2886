import ClusterModel
import ManagerCore
import Primitives
import ProxyControl

/// The node agent: makes this node's part of the configuration true, step by step, from what it sees.
extension SimulatedManager {
    func tendShards(_ snapshot: SimulatedStore.Snapshot) {
        let state = snapshot.state
        for (shard, database) in snapshot.shards(on: node) { tend(shard, of: database, state) }
        for id in simulation.node(node).shards where !snapshot.isWanted(id, on: node) && !commanded.contains(id) {
            // A copy that is older than the shard says nothing about it.
            if simulation.shards[id].map({ $0.knownAt <= state.revision }) ?? false {
                simulation.removeShard(id)
                policies[id] = nil
            }
        }
    }

    private func tend(_ shard: ShardConfiguration, of database: DatabaseConfiguration, _ state: ClusterState) {
        guard !commanded.contains(shard.id) else { return }
        guard let found = simulation.shards[shard.id], found.process.isAlive else {
            return start(shard, of: database, state)
        }
        guard found.process.runs else { return endHung(found) }
        hungSince[shard.id] = nil
        guard !found.isLoading else { return }
        let transition = database.transition(of: shard.slots)
        switch (shard.role, found.role) {
        case (.primary, .primary):
            if let transition, transition.phase == .promote, transition.to == shard.id {
                endTransition(transition, of: database, state)
            }
        case (.primary, .replica):
            let isPlanned = transition?.isPlanned ?? true
            guard isPlanned || isGateOpen(database, state) else { return }
            command(found) { $0.promote() }
        case (.replica, let role):
            guard let source = source(of: shard, in: database, state), role != .replica(of: source) else { return }
            // Two that follow each other would both refuse: not before the new one is a primary.
            guard role != .primary || transition?.phase != .promote else { return }
            guard transition == nil || !found.attachments.contains(where: { $0.isOpen && $0.shard.id == source }) else {
                return
            }
            command(found) { $0.follow(source) }
        }
    }

    private func command(_ shard: SimulatedShard, _ body: @escaping (SimulatedShard) -> Void) {
        commanded.insert(shard.id)
        simulation.after(simulation.random.milliseconds(1...12), for: process) { [unowned self] in
            commanded.remove(shard.id)
            if shard.process.runs { body(shard) }
        }
    }

    // MARK: Processes

    private func start(_ shard: ShardConfiguration, of database: DatabaseConfiguration, _ state: ClusterState) {
        let replicas = database.copies(of: shard.slots).filter { $0.role == .replica && !$0.isCopying }
        let hasReplicas = shard.role == .primary && !replicas.isEmpty && database.status != .pending
        if hasReplicas, simulation.shards[shard.id] != nil {
            policies[shard.id, default: ShardRestarts()].exited(at: boot)
            failOver(shard, of: database)
        }
        let policy = policies[shard.id] ?? ShardRestarts()
        let persists = database.policy.persistence != .none
        guard policy.mayStart(at: boot, hasReplicas: hasReplicas, persists: persists) else { return }
        let role: SimulatedShard.Role
        switch shard.role {
        case .primary: role = .primary
        case .replica:
            guard let source = source(of: shard, in: database, state) else { return }
            role = .replica(of: source)
        }
        commanded.insert(shard.id)
        let revision = state.revision
        simulation.after(simulation.random.milliseconds(5...30), for: process) { [unowned self] in
            commanded.remove(shard.id)
            policies[shard.id, default: ShardRestarts()].started()
            simulation.shard(shard.id, of: database.id, on: node, persists: persists, knownAt: revision).start(as: role)
        }
    }

    /// The watchdog's report, at once.
    func shardEnded(_ shard: ShardID) {
        guard let snapshot else { return }
        policies[shard, default: ShardRestarts()].exited(at: boot)
        tendShards(snapshot)
    }

    private func endHung(_ shard: SimulatedShard) {
        let since = hungSince[shard.id] ?? boot
        hungSince[shard.id] = since
        guard boot - since >= Self.profile.hang else { return }
        hungSince[shard.id] = nil
        simulation.tell(process, "kills shard \(shard.id), which hangs")
        shard.process.end()
    }

    // MARK: How far we are

    func progress(of id: DatabaseID, _ epoch: Epoch) -> NodeProgress? {
        guard let state, let head = state.head, head.epoch >= epoch else { return .waiting("has not seen it yet") }
        guard let database = state.databases[id] else {
            let isLeft = simulation.node(node).shards.contains { simulation.shards[$0]?.database == id }
            return isLeft || link?.told[id] != nil ? .waiting("removes it") : .applied(epoch)
        }
        guard database.epoch >= epoch else { return .waiting("has not seen it yet") }
        guard link?.routes(id, by: database.epoch, isServed: database.isServed(by: node)) == true else {
            return .waiting("the proxy has not confirmed")
        }
        let local = simulation.node(node).shards.filter { simulation.shards[$0]?.database == id }
        guard database.isWanted else { return local.isEmpty ? .applied(database.epoch) : .waiting("removes shards") }
        for shard in database.shards where shard.node == node {
            guard isSettled(shard, of: database) else { return .waiting("shard \(shard.id) is not as it should be") }
        }
        return .applied(database.epoch)
    }

    func isSettled(_ shard: ShardConfiguration, of database: DatabaseConfiguration) -> Bool {
        guard let found = simulation.shards[shard.id], found.process.runs, !found.isLoading else { return false }
        switch shard.role {
        case .primary:
            let transition = database.transition(of: shard.slots)
            let isRid = transition.map { transition in
                transition.phase != .replace
                    || found.attachments.allSatisfy { $0.shard.id == transition.to || !$0.isOpen }
            }
            return found.role == .primary && isRid != false
        case .replica:
            guard let state, let source = source(of: shard, in: database, state) else { return false }
            return found.role == .replica(of: source) && found.isLinkUp && !found.isSynchronizing
        }
    }

    private func source(
        of shard: ShardConfiguration, in database: DatabaseConfiguration, _ state: ClusterState
    ) -> ShardID? {
        if simulation.settings.bug == .copyConfirms { return database.primary(of: shard)?.id }
        return database.source(of: shard) { state.nodes[$0]?.status == .down }?.id
    }
}
