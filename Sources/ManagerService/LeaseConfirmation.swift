import ClusterModel
package import Logging
package import ManagerCore
package import Primitives

/// While this node leads: has databases that got replicas confirmed. Only when every node's proxy is known to write to
/// them under its lease may their primaries be replaced (``DatabaseConfiguration/isLeased``).
package struct LeaseConfirmation: Sendable {
    private static let probeSpan = Duration.seconds(2)
    private static let pause = Duration.milliseconds(200)

    private let editor: ClusterEditor
    private let probe: ProgressProbe
    private let now: @Sendable () -> WallTime
    private let logger: Logger

    package init(
        editor: ClusterEditor, probe: @escaping ProgressProbe, now: @escaping @Sendable () -> WallTime, logger: Logger
    ) {
        self.editor = editor
        self.probe = probe
        self.now = now
        self.logger = logger
    }

    /// Runs until cancelled or `states` ends. One database after the other: they are few and wait for seconds at most.
    package func run(states: AsyncStream<ClusterState>) async {
        for await _ in states {
            while !Task.isCancelled, let state = await editor.state,
                state.databases.values.contains(where: \.needsConfirmation)
            {
                for database in state.databases.values.filter(\.needsConfirmation).sorted(by: { $0.id < $1.id }) {
                    await confirm(database, in: state)
                }
                try? await Task.sleep(for: Self.pause)
            }
            if Task.isCancelled { return }
        }
    }

    private func confirm(_ database: DatabaseConfiguration, in state: ClusterState) async {
        guard await dissenters(among: state.nodes.keys, { await hasApplied(database, $0) }).isEmpty else { return }
        let time = now()
        do {
            try await editor.edit { state throws(PlanError) in
                Planner.noteLeased(database.id, by: database.epoch, in: state, now: time)
            }
            logger.info("replicas may replace primaries now", metadata: ["database": "\(database.id)"])
        } catch {
            logger.warning(
                "could not note it, trying again", metadata: ["database": "\(database.id)", "error": "\(error)"])
        }
    }

    private func hasApplied(_ database: DatabaseConfiguration, _ node: NodeID) async -> Bool {
        if case .applied(let epoch) = await probe(node, database.id, database.epoch, Self.probeSpan) {
            return epoch >= database.epoch
        }
        return false
    }
}

extension DatabaseConfiguration {
    fileprivate var needsConfirmation: Bool { !isLeased && status != .deletePending }
}
