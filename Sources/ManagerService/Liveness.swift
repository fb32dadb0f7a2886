package import ClusterModel
package import Logging
package import ManagementAPI
package import ManagerCore
package import Primitives

/// What the liveness of a node needs of the world around it.
package struct LivenessPorts: Sendable {
    package var beat: @Sendable (NodeRecord, HeartbeatObject) async -> HeartbeatOutcome
    /// The fence (``ClusterHead/fence``) that this node's proxy routes by, in the view of a state.
    package var appliedFence: @Sendable (ClusterState) async -> Epoch
    /// Its proxy routes every database as the state says.
    package var isUpToDate: @Sendable (ClusterState) async -> Bool
    /// The serving lease lasts until then.
    package var grant: @Sendable (BootTime) async -> Void
    /// Its proxy has taken in all that it was told before.
    package var isProxyAnswering: @Sendable () async -> Bool
    package var bootTime: @Sendable () -> BootTime

    package init(
        beat: @escaping @Sendable (NodeRecord, HeartbeatObject) async -> HeartbeatOutcome,
        appliedFence: @escaping @Sendable (ClusterState) async -> Epoch,
        isUpToDate: @escaping @Sendable (ClusterState) async -> Bool,
        grant: @escaping @Sendable (BootTime) async -> Void,
        isProxyAnswering: @escaping @Sendable () async -> Bool, bootTime: @escaping @Sendable () -> BootTime
    ) {
        self.isProxyAnswering = isProxyAnswering
        self.beat = beat
        self.appliedFence = appliedFence
        self.isUpToDate = isUpToDate
        self.grant = grant
        self.bootTime = bootTime
    }
}

/// What became of a heartbeat.
package enum HeartbeatOutcome: Sendable {
    /// The watcher knows this fence (``ClusterHead/fence``).
    case answered(fence: Epoch)
    /// The watcher is reached and holds this node to be lost.
    case refused
    case silent
}

/// Keeps this node's serving lease and watches others: the shell around ``ServingLease`` and ``PeerWatch``.
package actor Liveness {
    private let node: NodeID
    private let editor: ClusterEditor
    private let follower: StateFollower
    private let ports: LivenessPorts
    private let now: @Sendable () -> WallTime
    private let logger: Logger
    private var watch: PeerWatch
    private var lease = ServingLease()
    private var joins = JoinWatch()
    private let life = Int64.random(in: 1..<1 << 50)
    /// The end of the lease that the proxy was told last.
    private var told: BootTime?

    package init(
        node: NodeID, editor: ClusterEditor, follower: StateFollower, ports: LivenessPorts,
        now: @escaping @Sendable () -> WallTime, logger: Logger
    ) {
        self.node = node
        self.editor = editor
        self.follower = follower
        self.ports = ports
        self.now = now
        self.logger = logger
        watch = PeerWatch(own: node)
    }

    /// Runs until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                guard let state = await follower.current, let own = state.nodes[node] else {
                    try? await Task.sleep(for: .milliseconds(50))
                    continue
                }
                let profile = state.detection
                for watcher in state.group(of: node).watchers {
                    guard let record = state.nodes[watcher] else { continue }
                    group.addTask { await self.beat(record, profile) }
                }
                if own.status == .down {
                    lease.revoke()
                    if reachesMajority(of: state) { group.addTask { await self.returnToCluster(state) } }
                } else {
                    await renew(state)
                    group.addTask { await self.noteNewcomers() }
                }
                for step in due(in: state, profile) { group.addTask { await self.perform(step) } }
                try? await Task.sleep(for: .milliseconds(profile.heartbeat))
            }
        }
    }

    /// - Returns: The fence that this node knows. Nil: no answer is given, since this node holds (or may hold) the
    /// sender to be lost.
    package func answer(_ message: HeartbeatObject) async -> Epoch? {
        guard let state = await follower.current, let head = state.head else { return nil }
        let isCounted = watch.heard(
            message.node, lease: message.lease, silence: message.silence,
            stamp: PeerWatch.Stamp(life: message.life, sentAt: message.sentAt), at: ports.bootTime(), in: state)
        guard isCounted else { return nil }
        return head.fence
    }

    /// One that takes longer than a lease lasts is worth nothing any more.
    private var beating: Set<NodeID> = []
    /// Watchers that took note of the last heartbeat, whatever they said.
    private var reached: Set<NodeID> = []
    /// When each replied last.
    private var replied: [NodeID: BootTime] = [:]

    /// Else it would be voted lost again at once.
    private func reachesMajority(of state: ClusterState) -> Bool {
        state.group(of: node).circles.allSatisfy { circle in
            circle.watchers.count(where: reached.contains) >= circle.majority - 1
        }
    }

    private func beat(_ watcher: NodeRecord, _ profile: DetectionProfile) async {
        guard beating.insert(watcher.id).inserted else { return }
        let sentAt = ports.bootTime()
        let silence = sentAt - (replied[watcher.id] ?? sentAt)
        let outcome = await ports.beat(
            watcher,
            HeartbeatObject(
                node: node, lease: profile.lease, silence: silence, life: life, sentAt: sentAt.milliseconds))
        beating.remove(watcher.id)
        if case .silent = outcome {
            reached.remove(watcher.id)
        } else {
            reached.insert(watcher.id)
            replied[watcher.id] = ports.bootTime()
        }
        guard case .answered(let fence) = outcome else { return }
        lease.answered(by: watcher.id, sentAt: sentAt, fence: fence)
        if let state = await follower.current { await renew(state) }
    }

    private func renew(_ state: ClusterState) async {
        guard state.nodes[node]?.status != .down else { return }
        let applied = await ports.appliedFence(state)
        let granted = lease.end(for: state.group(of: node), applied: applied, profile: state.detection)
        // What was for ever ends when the group has grown, and can outvote this node from now on.
        let end = granted ?? (told == .never ? ports.bootTime() + state.detection.lease : nil)
        guard let end else { return }
        told = end
        await ports.grant(end)
    }

    private var isNoting = false

    /// Counts from when the proxy has a lease that newcomers, and those who leave, were counted for: it answers after
    /// what it was told before. What an earlier life of this manager told it isn't known, so it has to be told anew.
    private func noteNewcomers() async {
        guard !isNoting, let state = await follower.current, !isNoting else { return }
        isNoting = true
        defer { isNoting = false }
        if state.nodes.values.contains(where: \.isBetween) {
            await renew(state)
            guard told != nil, await ports.isProxyAnswering() else { return }
        }
        joins.saw(state, at: ports.bootTime())
    }

    /// Whether this node counts one that is being taken in, or can do without one that leaves, and its proxy has no
    /// lease left from before.
    package func counts(newcomer: NodeID) async -> Bool {
        guard let profile = await follower.current?.detection else { return false }
        return joins.hasSettled(newcomer, at: ports.bootTime(), profile: profile)
    }

    private func due(in state: ClusterState, _ profile: DetectionProfile) -> [PeerWatch.Step] {
        watch.steps(at: ports.bootTime(), in: state, profile: profile)
    }

    /// A step and what follows from it: whoever votes last settles the matter, without waiting for the next heartbeat.
    private func perform(_ step: PeerWatch.Step) async {
        guard await record(step), case .suspect = step, let state = await follower.current else { return }
        await withDiscardingTaskGroup { group in
            for step in due(in: state, state.detection) { group.addTask { await self.perform(step) } }
        }
    }

    /// False: it failed, and is tried again with the next heartbeat.
    private func record(_ step: PeerWatch.Step) async -> Bool {
        let own = node
        let time = now()
        switch step {
        case .suspect(let node): logger.warning("a node is silent, voting it lost", metadata: ["node": "\(node)"])
        case .withdraw(let node): logger.notice("a node is heard again", metadata: ["node": "\(node)"])
        case .settle(let node): logger.warning("a node is lost", metadata: ["node": "\(node)"])
        }
        do {
            try await editor.edit(as: .anyNode) { state throws(PlanError) in
                switch step {
                case .suspect(let node): Planner.suspect(node, by: own, in: state)
                case .withdraw(let node): Planner.withdraw(node, by: own, in: state)
                case .settle(let node): Planner.settleLoss(of: node, in: state, now: time)
                }
            }
            watch.ended(step, isDone: true, at: ports.bootTime())
            return true
        } catch {
            logger.warning("could not record it, trying again", metadata: ["step": "\(step)", "error": "\(error)"])
            watch.ended(step, isDone: false, at: ports.bootTime())
            return false
        }
    }

    private var isReturning = false

    /// Held to be lost, and here: asks for heartbeats to be answered again when the proxy routes as the newest state
    /// says. Of a newer one nothing has been checked: a switchover in it raises no fence, so that answers would bring
    /// the lease back to a proxy that writes to the old primary.
    private func returnToCluster(_ state: ClusterState) async {
        guard !isReturning, await ports.isUpToDate(state), !isReturning else { return }
        isReturning = true
        defer { isReturning = false }
        let own = node
        let time = now()
        do {
            let (plan, _) = try await editor.edit(as: .anyNode) { newest throws(PlanError) in
                guard newest.head?.epoch == state.head?.epoch else { return nil }
                return Planner.readmit(own, in: newest, now: time)
            }
            if plan != nil { logger.notice("back in the cluster") }
        } catch {
            logger.warning("could not return to the cluster, trying again", metadata: ["error": "\(error)"])
        }
    }
}
