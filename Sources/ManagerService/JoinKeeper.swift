package import ClusterModel
package import Logging
package import ManagerCore
package import Primitives

/// Asks a node whether it counts a newcomer and has no lease left from before; false also when it doesn't answer.
package typealias NewcomerProbe = @Sendable (_ witness: NodeID, _ newcomer: NodeID) async -> Bool

/// While this node leads: makes newcomers active when all others count them (``JoinWatch``).
package struct JoinKeeper: Sendable {
    private static let pause = Duration.milliseconds(100)

    private let editor: ClusterEditor
    private let counts: NewcomerProbe
    private let now: @Sendable () -> WallTime
    private let logger: Logger

    package init(
        editor: ClusterEditor, counts: @escaping NewcomerProbe, now: @escaping @Sendable () -> WallTime, logger: Logger
    ) {
        self.editor = editor
        self.counts = counts
        self.now = now
        self.logger = logger
    }

    /// Runs until cancelled or `states` ends.
    package func run(states: AsyncStream<ClusterState>) async {
        for await _ in states {
            while !Task.isCancelled, let state = await editor.state {
                let newcomers = state.sortedNodes.filter { $0.status == .provisioning }.map(\.id)
                if newcomers.isEmpty { break }
                for newcomer in newcomers { await settle(newcomer, in: state) }
                try? await Task.sleep(for: Self.pause)
            }
            if Task.isCancelled { return }
        }
    }

    private func settle(_ newcomer: NodeID, in state: ClusterState) async {
        let witnesses = JoinWatch.witnesses(of: newcomer, in: state)
        guard await dissenters(among: witnesses, { await counts($0, newcomer) }).isEmpty else { return }
        let time = now()
        do {
            let (plan, _) = try await editor.edit { newest throws(PlanError) in
                // Who has come back since wasn't asked.
                guard JoinWatch.witnesses(of: newcomer, in: newest).allSatisfy(witnesses.contains) else { return nil }
                return Planner.settleJoin(of: newcomer, in: newest, now: time)
            }
            if plan != nil { logger.notice("a node is taken in", metadata: ["node": "\(newcomer)"]) }
        } catch {
            logger.warning(
                "could not take a node in, trying again", metadata: ["node": "\(newcomer)", "error": "\(error)"])
        }
    }
}
