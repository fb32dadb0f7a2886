import ClusterModel
package import Logging
package import ManagerCore
package import Primitives

/// While this node leads: makes replicas anew that are lost for longer than the cluster's grace period
/// (``ReplicaHAPolicy``). ``Planner/rebuildLostReplica(in:_:at:fresh:now:)`` decides; this asks it again and again.
package struct ReplicaKeeper: Sendable {
    /// Time passes without a change of state, so it is looked at, too. Against a grace of minutes this is often.
    private static let interval = Duration.seconds(1)

    private let editor: ClusterEditor
    private let fresh: @Sendable () -> Fresh
    private let now: @Sendable () -> WallTime
    private let bootTime: @Sendable () -> BootTime
    private let logger: Logger

    package init(
        editor: ClusterEditor, fresh: @escaping @Sendable () -> Fresh, now: @escaping @Sendable () -> WallTime,
        bootTime: @escaping @Sendable () -> BootTime, logger: Logger
    ) {
        self.editor = editor
        self.fresh = fresh
        self.now = now
        self.bootTime = bootTime
        self.logger = logger
    }

    /// Runs until cancelled.
    package func run() async {
        var watch = ReplicaWatch()
        while !Task.isCancelled {
            await look(&watch)
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// As many as there are databases in need; each has one rebuilt at a time.
    private func look(_ watch: inout ReplicaWatch) async {
        while !Task.isCancelled, let state = await editor.state {
            let (fresh, time, boot) = (fresh(), now(), bootTime())
            watch.look(at: state, now: boot)
            let seen = watch
            guard Planner.rebuildLostReplica(in: state, seen, at: boot, fresh: fresh, now: time) != nil else { return }
            do {
                let (plan, _) = try await editor.edit { state throws(PlanError) in
                    Planner.rebuildLostReplica(in: state, seen, at: boot, fresh: fresh, now: time)
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
