import ClusterModel
import NodeLayout
import ProxyControl
import ShardControl

/// Decides what this node does for a database. Pure: same configuration and observation, same plan.
///
/// ```
///   adopt ─▶ observe ─▶ plan ─▶ execute ─┐      one pass; repeated until the plan is settled
///              ▲                         │
///              └──────── pause ◀─────────┘
/// ```
struct NodePlanner {
    let node: NodeID
    let address: String
    let paths: NodePaths
    let addresses: [NodeID: String]
    /// Nodes that are down.
    let lost: Set<NodeID>

    /// - Parameter wanted: Nil when the database is gone from the configuration.
    func plan(_ wanted: DatabaseConfiguration?, epoch: Epoch, _ observed: NodeObservation) -> NodePlan {
        guard let wanted, wanted.isWanted else { return removal(epoch: epoch, observed) }
        var plan = NodePlan()
        for shard in wanted.shards where shard.node == node {
            self.plan(shard, of: wanted, observed, &plan)
        }
        let kept = Set(wanted.shards.lazy.filter { $0.node == node }.map(\.id))
        for (id, shard) in observed.shards where !kept.contains(id) && shard.leavesTraces {
            plan.shards[id] = [.remove]
        }
        planRoutes(wanted, observed, &plan)
        return plan
    }

    func settings(of shard: ShardConfiguration, in database: DatabaseConfiguration) -> ShardSettings {
        ShardSettings(
            shard: shard.id, directory: paths.shardDirectory(shard.id), address: address, port: shard.port,
            certificatePath: paths.nodeCertificate, privateKeyPath: paths.nodeKey,
            authorityPath: paths.authorityCertificate, primary: primary(of: shard, in: database),
            memoryLimit: database.policy.memoryLimitPerShard, eviction: database.policy.eviction,
            // Both copies persist, though the reference system saves on the replica alone by default: then a crash of
            // the replica's node followed by one of the primary's loses all. The price is a second fork's memory.
            persistence: database.policy.persistence, secrets: database.secrets, settings: database.policy.settings,
            refusesWritesAlone: database.policy.durability == .replica,
            loweredMemoryLimit: database.policy.loweredMemoryLimitPerShard)
    }

    /// Where a replica gets its data from; nil for a primary.
    private func primary(of shard: ShardConfiguration, in database: DatabaseConfiguration) -> ShardPeer? {
        guard let source = database.source(of: shard, isLost: lost.contains), let host = addresses[source.node]
        else { return nil }
        return ShardPeer(host: host, port: source.port)
    }
}

// MARK: - Shards

extension NodePlanner {
    private func plan(
        _ shard: ShardConfiguration, of database: DatabaseConfiguration, _ observed: NodeObservation,
        _ plan: inout NodePlan
    ) {
        let settings = settings(of: shard, in: database)
        guard shard.role == .primary || settings.primary != nil else {
            return plan.missing.append("shard \(shard.id): the address of its primary's node is unknown")
        }
        let observation = observed.shards[shard.id]
        if observation?.isFailing == true {
            let log = paths.log(of: shard.processName)
            plan.failures.append("shard \(shard.id) ends right after each start; see \(log)")
        }
        switch observation?.process ?? .startable {
        case .waiting(let reason):
            plan.missing.append("shard \(shard.id) \(reason)")
        case .startable:
            plan.shards[shard.id] = start(shard, settings, isNew: database.status == .pending, observation)
        case .running:
            guard let information = observation?.information else {
                return plan.missing.append("shard \(shard.id) doesn't answer yet")
            }
            let change = RoleChange(
                transition: database.transition(of: shard.slots), isGateOpen: observed.isGateOpen(shard.id))
            var settings = settings
            if awaitsReplica(shard, settings, information, observation?.configuration, change) {
                settings.refusesWritesAlone = false
                plan.missing.append("no replica has attached to shard \(shard.id) yet")
            }
            if let replaced = replaced(shard, of: database, information) {
                plan.missing.append("the replica at \(replaced) is attached to shard \(shard.id) still")
            }
            var steps = steps(shard, settings, information, observation?.configuration, change, &plan.missing)
            if hasLostItsReplicas(shard, of: database, information) { steps.append(.detachReplicas) }
            if !steps.isEmpty { plan.shards[shard.id] = steps }
        }
    }

    /// Whether a shard that is to refuse writes when it is alone must not do so yet: by a planned change it becomes the
    /// primary of replicas that are on their way. Until they are there, proxies acknowledge no write, but let it wait.
    private func awaitsReplica(
        _ shard: ShardConfiguration, _ settings: ShardSettings, _ information: ShardInformation,
        _ configuration: String?, _ change: RoleChange
    ) -> Bool {
        guard settings.refusesWritesAlone, shard.role == .primary, information.onlineReplicas.isEmpty else {
            return false
        }
        return change.transition?.isPlanned ?? configuration.map(ShardConfigurationFile.takesWritesAlone) ?? false
    }

    /// A replica that is to go, and could confirm a write yet.
    private func replaced(
        _ shard: ShardConfiguration, of database: DatabaseConfiguration, _ information: ShardInformation
    ) -> ShardPeer? {
        guard let transition = database.transition(of: shard.slots), transition.phase == .replace,
            transition.from == shard.id
        else { return nil }
        let copy = database.shards.first { $0.id == transition.to }
        let (host, port) = (copy.flatMap { addresses[$0.node] }, copy?.port)
        return information.attachedReplicas.first { $0.host != host || $0.port != port }
    }

    /// Whether all replicas of a primary went down with their nodes. Redis counts them as in step for up to five
    /// seconds (`min-replicas-max-lag`), takes writes meanwhile, and each of these waits in vain for a confirmation.
    /// One that still acknowledges is let be: it may be its node's manager only that is gone.
    private func hasLostItsReplicas(
        _ shard: ShardConfiguration, of database: DatabaseConfiguration, _ information: ShardInformation
    ) -> Bool {
        guard database.policy.durability == .replica, shard.role == .primary, information.role == .primary,
            !information.attachedReplicas.isEmpty, !lost.isEmpty
        else { return false }
        let gone = database.shards.filter { lost.contains($0.node) }.compactMap { shard in
            addresses[shard.node].map { ShardPeer(host: $0, port: shard.port) }
        }
        return information.attachedReplicas.allSatisfy {
            gone.contains($0) && information.silentReplicas.contains($0)
        }
    }

    private func start(
        _ shard: ShardConfiguration, _ settings: ShardSettings, isNew: Bool, _ observation: ShardObservation?
    ) -> [NodeStep] {
        var steps: [NodeStep] = []
        if observation?.configuration != ShardConfigurationFile.text(settings) {
            steps.append(.writeConfiguration(settings))
        }
        if isNew, let primary = settings.primary { steps.append(.awaitPeer(primary)) }
        return steps + [.start(shard.role)]
    }

    private func steps(
        _ shard: ShardConfiguration, _ settings: ShardSettings, _ information: ShardInformation,
        _ configuration: String?, _ change: RoleChange, _ missing: inout [String]
    ) -> [NodeStep] {
        // Redis takes no change of role while it reads its data.
        guard !information.isLoading else {
            missing.append("shard \(shard.id) is loading its data")
            return []
        }
        var steps: [NodeStep] = []
        switch (information.role, settings.primary) {
        case (.primary, nil): break
        case (.replica, nil):
            guard change.mayPromote else {
                missing.append("shard \(shard.id) waits until nobody can write to the primary before it")
                return []
            }
            steps.append(.promote)
        case (.primary, let primary?):
            // Not before the new one is a primary: two that follow each other would both refuse.
            guard change.transition == nil else {
                missing.append("shard \(shard.id) waits for \(primary) to become the primary")
                return []
            }
            steps.append(.follow(primary))
        case (.replica(let current), let primary?):
            if current != primary {
                // It still gets its data from here: two that follow each other would both refuse.
                guard change.transition == nil || !information.attachedReplicas.contains(primary) else {
                    missing.append("shard \(shard.id) waits for \(primary) to become the primary")
                    return []
                }
                steps.append(.follow(primary))
            } else if !information.isInStep {
                missing.append("shard \(shard.id) is not in sync with its primary at \(primary) yet")
            }
        }
        if let configuration, configuration == ShardConfigurationFile.text(settings) { return steps }
        let changes = ShardConfigurationFile.changes(from: configuration ?? "", to: settings)
        if !changes.isEmpty { steps.append(.change(changes)) }
        return steps + [.writeConfiguration(settings)]
    }

}

/// What the record says about a change of a shard's role.
private struct RoleChange {
    var transition: ShardTransition?
    var isGateOpen: Bool

    /// A planned change comes this far only when all proxies hold and the replica has everything. Without a transition
    /// the shard was the primary before it was started anew with an old file.
    var mayPromote: Bool { transition?.isPlanned ?? true || isGateOpen }
}

// MARK: - Routes

extension NodePlanner {
    func routes(of database: DatabaseConfiguration) -> DatabaseRoutes {
        let routes = database.primaries.sorted { $0.slots.first < $1.slots.first }.map { shard in
            let address: ShardAddress =
                shard.node == node
                ? .local(path: paths.shardSocket(shard.id))
                : .remote(host: addresses[shard.node] ?? "", port: shard.port)
            return ShardRoute(
                shard: shard.id, slots: shard.slots, address: address,
                isHeld: database.transition(of: shard.slots) != nil)
        }
        return DatabaseRoutes(
            database: database.id, epoch: database.epoch, name: database.policy.name, listenHost: address,
            port: database.endpoint.port, shards: routes, password: database.policy.password,
            shardPassword: database.secrets.proxy, maximumConnections: database.policy.maximumConnections,
            memoryLimitBytes: database.policy.memoryLimitOfPrimaries.bytes,
            settings: database.policy.settings.values, needsLease: database.needsLease,
            fenced: database.shards.filter(\.isFenced).map(\.id), durability: database.policy.durability,
            keyRules: database.policy.keyRules)
    }

    private func planRoutes(
        _ database: DatabaseConfiguration, _ observed: NodeObservation, _ plan: inout NodePlan
    ) {
        guard database.endpoint.nodes.contains(node) else {
            return planRoutesRemoval(epoch: database.epoch, observed.routes, &plan)
        }
        let wanted = routes(of: database)
        if observed.routes.routes != wanted {
            if isReadyForRoutes(database, observed, plan) {
                plan.routes = .set(wanted)
                // What is to go may take its time, with a large memory to give back.
                let onlyRemoves = plan.shards.values.allSatisfy { $0 == [.remove] }
                plan.routesGoFirst = !database.transitions.isEmpty || (onlyRemoves && !plan.shards.isEmpty)
            } else {
                plan.missing.append("the endpoint waits for its shards")
            }
        } else if let refusal = observed.routes.refusal {
            plan.failures.append("the proxy refuses the endpoint on \(address):\(wanted.port): \(refusal)")
            plan.routes = .set(wanted)
        } else if observed.routes.applied ?? .zero < database.epoch {
            plan.missing.append("the proxy has not taken over the routes yet")
        }
    }

    /// Routes never point where they would do worse than the ones before: at a primary that is a replica still, and
    /// for a new database at nothing. Otherwise they don't wait: a shard that is down must not keep the routes of the
    /// others from changing, and to hold requests needs no shard at all.
    private func isReadyForRoutes(
        _ database: DatabaseConfiguration, _ observed: NodeObservation, _ plan: NodePlan
    ) -> Bool {
        for shard in database.shards where shard.node == node && database.transition(of: shard.slots) == nil {
            let found = observed.shards[shard.id]
            let steps = plan.shards[shard.id] ?? []
            guard shard.role == .primary else {
                // To follow at once is done at once.
                let isPrimaryStill = found?.information?.role == .primary
                if isPrimaryStill && !steps.contains(where: \.isFollow) { return false }
                continue
            }
            if let information = found?.information {
                if information.role != .primary && !steps.contains(.promote) { return false }
                if information.isLoading && database.status == .pending { return false }
            } else if database.status == .pending || found?.mayBeReplica == true {
                return false
            }
        }
        return true
    }
}

// MARK: - Removal

extension NodeStep {
    fileprivate var isFollow: Bool {
        if case .follow = self { true } else { false }
    }
}

extension NodePlanner {
    private func removal(epoch: Epoch, _ observed: NodeObservation) -> NodePlan {
        var plan = NodePlan()
        planRoutesRemoval(epoch: epoch, observed.routes, &plan)
        for (id, shard) in observed.shards where shard.leavesTraces { plan.shards[id] = [.remove] }
        return plan
    }

    private func planRoutesRemoval(epoch: Epoch, _ routes: RoutesObservation, _ plan: inout NodePlan) {
        if routes.routes != nil {
            plan.routes = .remove(epoch)
        } else if routes.removal != nil {
            plan.missing.append("the proxy has not confirmed that the endpoint is closed")
        }
    }
}

extension ShardObservation {
    /// A process or files are there.
    fileprivate var leavesTraces: Bool { process == .running || directoryExists }

    /// It runs and can't be asked, and was last told to be a replica.
    fileprivate var mayBeReplica: Bool {
        process == .running && configuration.map(ShardConfigurationFile.isReplica) ?? true
    }
}

extension DatabaseConfiguration {
    /// Whether nodes should hold anything for it. A failed creation is taken back whole.
    var isWanted: Bool { status != .deletePending && status != .creationFailed }
}

extension ShardConfiguration {
    /// Name of its process for the watchdog.
    var processName: String { ShardProcess.name(id) }
}
