import ClusterModel
package import Logging
package import ManagerCore
package import Primitives

/// While this node leads: makes replicas anew that are lost for longer than the cluster's grace period
/// (``ReplicaHAPolicy``). ``Planner/rebuildLostReplica(in:fresh:now:)`` decides; this asks it again and again.
package struct ReplicaKeeper: Sendable {
    /// Time passes without a change of state, so it is looked at, too. Against a grace of minutes this is often.
    private static let interval = Duration.seconds(1)

    private let editor: ClusterEditor
    private let fresh: @Sendable () -> Fresh
    private let now: @Sendable () -> WallTime
    private let logger: Logger

    package init(
        editor: ClusterEditor, fresh: @escaping @Sendable () -> Fresh, now: @escaping @Sendable () -> WallTime,
        logger: Logger
    ) {
        self.editor = editor
        self.fresh = fresh
        self.now = now
        self.logger = logger
    }

    /// Runs until cancelled.
    package func run() async {
        while !Task.isCancelled {
            await look()
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// As many as there are databases in need; each has one rebuilt at a time.
    private func look() async {
        while !Task.isCancelled, let state = await editor.state {
            let (fresh, time) = (fresh(), now())
            guard Planner.rebuildLostReplica(in: state, fresh: fresh, now: time) != nil else { return }
            do {
                let (plan, _) = try await editor.edit { state throws(PlanError) in
                    Planner.rebuildLostReplica(in: state, fresh: fresh, now: time)
                }
                guard let action = plan?.action else { return }
                logger.notice(
                    "rebuilding a lost replica",
                    metadata: ["database": "\(action.database)", "shard": "\(action.shard ?? ShardID(0))"])
            } catch {
                logger.warning("could not rebuild a replica, trying again", metadata: ["error": "\(error)"])
                return
            }
        }
    }
}
