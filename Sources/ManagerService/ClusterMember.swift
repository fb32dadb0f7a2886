package import ClusterModel
package import ClusterStore
package import Logging
package import ManagerCore
package import Primitives

/// The control path of a node that belongs to a cluster: follows the store, campaigns, and does a leader's work
/// while it leads.
package struct ClusterMember: Sendable {
    package let node: NodeID
    package let store: any ClusterStore
    package let follower: StateFollower
    package let leadership: Leadership
    package let editor: ClusterEditor
    private let fresh: @Sendable () -> Fresh
    private let now: @Sendable () -> WallTime
    private let bootTime: @Sendable () -> BootTime
    private let logger: Logger

    package init(
        node: NodeID, store: any ClusterStore, seed: ClusterState? = nil, fresh: @escaping @Sendable () -> Fresh,
        now: @escaping @Sendable () -> WallTime, bootTime: @escaping @Sendable () -> BootTime, logger: Logger
    ) {
        self.bootTime = bootTime
        self.fresh = fresh
        self.node = node
        self.store = store
        self.now = now
        self.logger = logger
        follower = StateFollower(store: store, seed: seed, logger: logger)
        leadership = Leadership(node: node, store: store, logger: logger)
        editor = ClusterEditor(store: store, follower: follower, leadership: leadership)
    }

    /// Runs until cancelled.
    ///
    /// - Parameters:
    ///   - probe: Asks a node, this one included, for its progress.
    ///   - copies: Asks nodes for copies of shards.
    ///   - counts: Asks a node, this one included, whether it counts a newcomer.
    ///   - onState: Called with every new state, in order; the newest one when it is slow.
    package func run(
        probe: @escaping ProgressProbe, copies: @escaping CopyProbe, counts: @escaping NewcomerProbe,
        onState: @escaping @Sendable (ClusterState) async -> Void
    ) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await follower.run() }
            group.addTask { await leadership.run(states: follower.states()) }
            group.addTask { await lead(probe: probe, copies: copies, counts: counts) }
            group.addTask {
                for await state in await follower.states() { await onState(state) }
            }
        }
    }

    /// Starts a leader's duties with each term and ends them with it.
    private func lead(
        probe: @escaping ProgressProbe, copies: @escaping CopyProbe, counts: @escaping NewcomerProbe
    ) async {
        var duties: Task<Void, Never>?
        for await term in await leadership.terms() {
            duties?.cancel()
            await duties?.value
            duties = term == nil ? nil : Task { await performDuties(probe: probe, copies: copies, counts: counts) }
        }
        duties?.cancel()
        await duties?.value
    }

    private func performDuties(
        probe: @escaping ProgressProbe, copies: @escaping CopyProbe, counts: @escaping NewcomerProbe
    ) async {
        let runner = ActionRunner(
            editor: editor, probe: probe, copies: copies, counts: counts, fresh: fresh, now: now, bootTime: bootTime,
            logger: logger)
        let replicas = ReplicaKeeper(editor: editor, fresh: fresh, now: now, bootTime: bootTime, logger: logger)
        let voters = VoterKeeper(store: store, editor: editor, logger: logger)
        let joins = JoinKeeper(editor: editor, counts: counts, now: now, logger: logger)
        let confirmation = LeaseConfirmation(editor: editor, probe: probe, now: now, logger: logger)
        await withDiscardingTaskGroup { group in
            group.addTask { await runner.run(states: follower.states()) }
            group.addTask { await confirmation.run(states: follower.states()) }
            group.addTask { await joins.run(states: follower.states()) }
            group.addTask { await voters.run(states: follower.states()) }
            group.addTask { await bindEndpointsOfNewNodes() }
            group.addTask { await replicas.run() }
            group.addTask { await forgetWhatIsOver() }
        }
    }

    /// A database whose endpoint every node serves is to be served by a node that joins later, too.
    private func bindEndpointsOfNewNodes() async {
        for await state in await follower.states() {
            if Task.isCancelled { return }
            let time = now()
            guard Planner.rebindEndpoints(in: state, now: time) != nil else { continue }
            do {
                try await editor.edit { state throws(PlanError) in Planner.rebindEndpoints(in: state, now: time) }
            } catch {
                logger.warning("could not bind endpoints on new nodes", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Ended actions kept for people to look at.
    private static let keptActions = 1000
    /// Between two looks at what may be forgotten.
    private static let housekeepingInterval = Duration.seconds(30)

    private func forgetWhatIsOver() async {
        while !Task.isCancelled {
            do {
                // A full round deletes a bounded number, so that no transaction grows too large.
                while try await forget() {}
            } catch {
                logger.warning("could not forget old actions and tokens", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.housekeepingInterval)
        }
    }

    /// False when nothing was left to forget.
    private func forget() async throws -> Bool {
        let time = now()
        let (plan, _) = try await editor.edit { state throws(PlanError) in
            Planner.forgetActions(keeping: Self.keptActions, in: state) ?? Planner.forgetTokens(in: state, now: time)
        }
        return plan != nil
    }
}
