package import ClusterModel
package import Logging
package import ManagerCore
package import Primitives

/// What failover needs of the world around it.
package struct FailoverPorts: Sendable {
    package var copies: CopyProbe
    /// How far a node is with fencing; nil: no answer in a bounded time.
    package var fence: @Sendable (NodeRecord, DatabaseID, Epoch) async -> PromotionGate.Answer?
    package var openGate: @Sendable (ShardID, DatabaseID, _ fence: Epoch) async -> Void
    package var fresh: @Sendable () -> Fresh
    package var now: @Sendable () -> WallTime
    package var bootTime: @Sendable () -> BootTime

    package init(
        copies: @escaping CopyProbe,
        fence: @escaping @Sendable (NodeRecord, DatabaseID, Epoch) async -> PromotionGate.Answer?,
        openGate: @escaping @Sendable (ShardID, DatabaseID, _ fence: Epoch) async -> Void,
        fresh: @escaping @Sendable () -> Fresh,
        now: @escaping @Sendable () -> WallTime, bootTime: @escaping @Sendable () -> BootTime
    ) {
        self.copies = copies
        self.fence = fence
        self.openGate = openGate
        self.fresh = fresh
        self.now = now
        self.bootTime = bootTime
    }
}

/// Replaces primaries that were lost. Every node runs it, for the shards that are its own to replace; no leader is
/// needed.
package actor FailoverKeeper {
    private let node: NodeID
    private let editor: ClusterEditor
    private let ports: FailoverPorts
    private let logger: Logger
    private var gates: [DatabaseID: Epoch] = [:]
    private var replacing: Set<DatabaseID> = []

    package init(node: NodeID, editor: ClusterEditor, ports: FailoverPorts, logger: Logger) {
        self.node = node
        self.editor = editor
        self.ports = ports
        self.logger = logger
    }

    /// Runs until cancelled or `states` ends.
    package func run(states: AsyncStream<ClusterState>) async {
        await withDiscardingTaskGroup { group in
            for await state in states {
                if Task.isCancelled { break }
                for id in Planner.databasesWithLostPrimaries(in: state) where isOurs(id, state) {
                    guard replacing.insert(id).inserted else { continue }
                    group.addTask { await self.replaceAllLost(of: id) }
                }
                for database in state.databases.values where needsGate(database) {
                    guard gates[database.id] != database.fence else { continue }
                    gates[database.id] = database.fence
                    group.addTask { await self.guardGate(of: database.id, fence: database.fence) }
                }
            }
            group.cancelAll()
        }
    }

    // MARK: A dead process

    /// The process of a primary of this node has ended, and stays down until this is decided.
    /// - Returns: False: no replica can take its place now.
    package func primaryEnded(_ shard: ShardID) async -> Bool {
        guard let state = await editor.state, let found = state.shard(shard), found.shard.role == .primary else {
            return true
        }
        let copies = await ports.copies(found.database.replicas(of: found.shard, in: state))
        guard let best = ReplicaChoice(persistence: found.database.policy.persistence).best(of: copies) else {
            return false
        }
        let fresh = ports.fresh()
        let time = ports.now()
        do {
            try await editor.edit(as: .anyNode) { state throws(PlanError) in
                guard state.shard(shard)?.shard.role == .primary else { return nil }
                return try Planner.failOver(shard, to: best, in: state, fresh: fresh, now: time)
            }
            logger.notice("failing over", metadata: ["from": "\(shard)", "to": "\(best)"])
            return true
        } catch {
            logger.warning("could not fail over, trying again", metadata: ["shard": "\(shard)", "error": "\(error)"])
            return false
        }
    }

    // MARK: A lost node

    /// The node of the replica acts for it, so that not everybody does at once.
    private func isOurs(_ id: DatabaseID, _ state: ClusterState) -> Bool {
        guard let database = state.databases[id] else { return false }
        return database.primaries.contains { primary in
            state.nodes[primary.node]?.status == .down
                && database.replicas(of: primary, in: state).contains { $0.node == node }
        }
    }

    private func replaceAllLost(of id: DatabaseID) async {
        defer { replacing.remove(id) }
        while !Task.isCancelled, let state = await editor.state, isOurs(id, state) {
            await replaceLost(of: id, state)
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private func replaceLost(of id: DatabaseID, _ state: ClusterState) async {
        guard let database = state.databases[id] else { return }
        let lost = database.primaries.filter { state.nodes[$0.node]?.status == .down }
        let replicas = lost.flatMap { database.replicas(of: $0, in: state) }
        let copies = await ports.copies(replicas)
        // The primary can't come back with more: its node is lost. Any copy is better than none.
        let choice = ReplicaChoice(persistence: .none)
        let fresh = ports.fresh()
        let time = ports.now()
        do {
            let (plan, _) = try await editor.edit(as: .anyNode) { state throws(PlanError) in
                Planner.failOverLost(
                    of: id,
                    to: { primary in
                        choice.best(
                            of: copies.filter { copy in
                                database.replicas(of: primary, in: state).contains { $0.id == copy.key }
                            })
                    }, in: state, fresh: fresh, now: time)
            }
            if plan != nil { logger.notice("failing over from a lost node", metadata: ["database": "\(id)"]) }
        } catch {
            logger.warning("could not fail over, trying again", metadata: ["database": "\(id)", "error": "\(error)"])
        }
    }

    // MARK: The gate

    private func needsGate(_ database: DatabaseConfiguration) -> Bool {
        database.transitions.contains { transition in
            transition.phase == .promote && !transition.isPlanned
                && database.shards.contains { $0.id == transition.to && $0.node == node }
        }
    }

    /// Asks everybody until the replicas of this node may be promoted, or there is nothing to promote any more.
    private func guardGate(of id: DatabaseID, fence: Epoch) async {
        var gate = PromotionGate(epoch: fence)
        while !Task.isCancelled {
            guard let state = await editor.state, let database = state.databases[id], database.fence == fence,
                needsGate(database)
            else { return }
            let pending = gate.waitsFor(
                database, in: state.nodes, at: ports.bootTime(), profile: state.detection)
            if pending.isEmpty {
                for transition in database.transitions where transition.phase == .promote && !transition.isPlanned {
                    await ports.openGate(transition.to, id, fence)
                }
                return
            }
            // Also those that have confirmed: what they know of the fence may open the gate for who can't be reached.
            await ask(Array(state.nodes.values), id, fence, &gate)
            try? await Task.sleep(for: .milliseconds(2))
        }
    }

    private func ask(_ nodes: [NodeRecord], _ id: DatabaseID, _ fence: Epoch, _ gate: inout PromotionGate) async {
        let ports = ports
        await withTaskGroup(of: (NodeID, PromotionGate.Answer?).self) { group in
            for node in nodes where node.status != .down {
                group.addTask { (node.id, await ports.fence(node, id, fence)) }
            }
            for await (node, answer) in group {
                if let answer { gate.answered(answer, by: node, at: ports.bootTime()) }
            }
        }
    }

    // MARK: The end

    /// A shard of this node has become the primary that a transition wants.
    package func promoted(_ shard: ShardID, of database: DatabaseID) async {
        let time = ports.now()
        do {
            try await editor.edit(as: .anyNode) { state throws(PlanError) in
                Planner.endTransition(of: database, to: shard, in: state, now: time)
            }
        } catch {
            logger.warning(
                "could not end a transition, trying again", metadata: ["shard": "\(shard)", "error": "\(error)"])
        }
    }
}
