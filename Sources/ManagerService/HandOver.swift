package import ClusterModel
package import Logging
package import ManagerCore
package import Primitives

/// The first part of a node's orderly stop: its primaries go to replicas elsewhere, as planned changes. Clients wait
/// for some milliseconds, not until the others have noticed that the node is gone.
///
/// What can't be handed over in time is failed over when the node is gone. Maintenance (`tarn node drain`) takes its
/// time instead, and moves what has no replica, too.
package struct HandOver: Sendable {
    /// A planned change takes 20 to 100 ms, and 1.4 s where another node has just come back. Longer only makes the time
    /// without a primary longer for what will be failed over in the end.
    private static let limit = Duration.seconds(2)

    private let node: NodeID
    private let editor: ClusterEditor
    private let copies: @Sendable ([ShardConfiguration]) async -> [ShardID: ShardCopy]
    private let fresh: @Sendable () -> Fresh
    private let now: @Sendable () -> WallTime
    private let logger: Logger

    package init(
        node: NodeID, editor: ClusterEditor,
        copies: @escaping @Sendable ([ShardConfiguration]) async -> [ShardID: ShardCopy],
        fresh: @escaping @Sendable () -> Fresh, now: @escaping @Sendable () -> WallTime, logger: Logger
    ) {
        self.node = node
        self.editor = editor
        self.copies = copies
        self.fresh = fresh
        self.now = now
        self.logger = logger
    }

    /// Returns when nothing is left that could be handed over, or after two seconds.
    package func run() async {
        _ = await bounded(until: .now + Self.limit) {
            await begin()
            while !Task.isCancelled, let state = await editor.state, Planner.isHandingOver(node, in: state) {
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// Requests are held until a leader goes on with the change, so that is begun only where somebody leads.
    private func stateWithLeader() async -> ClusterState? {
        while !Task.isCancelled {
            guard let state = await editor.state else { return nil }
            if state.leader != nil { return state }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }

    private func begin() async {
        guard let state = await stateWithLeader() else { return }
        let changes = Planner.handOvers(by: node, in: state)
        let found = await CopyInspection.look(
            at: changes.flatMap { [$0.primary, $0.replica] }, in: state, asking: copies)
        for (primary, replica) in changes where !Task.isCancelled {
            do {
                let (fresh, now) = (fresh(), now())
                try await editor.edit(as: .anyNode) { state throws(PlanError) in
                    try Planner.handOver(
                        primary.id, to: replica.id, copies: found, in: state, fresh: fresh, now: now)
                }
                logger.notice("handing over", metadata: ["from": "\(primary.id)", "to": "\(replica.id)"])
            } catch {
                logger.warning("can't hand over", metadata: ["shard": "\(primary.id)", "reason": "\(error)"])
                // Without the store nothing can be handed over.
                guard case .refused = error else { return }
            }
        }
    }
}
