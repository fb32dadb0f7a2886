import ClusterModel
package import ClusterStore
package import Logging
package import ManagerCore

/// While this node leads: brings the store to the number of voters that the number of nodes asks for, one step at a
/// time. Every step is computed from the world as it is, so a crash anywhere costs a repetition at most.
package struct VoterKeeper: Sendable {
    private let store: any ClusterStore
    private let editor: ClusterEditor
    private let logger: Logger

    package init(store: any ClusterStore, editor: ClusterEditor, logger: Logger) {
        self.store = store
        self.editor = editor
        self.logger = logger
    }

    /// Runs until cancelled. Looks whenever the nodes change and, while steps are under way, every 200 ms: a learner
    /// that has caught up tells nobody.
    package func run(states: AsyncStream<ClusterState>) async {
        var settled: [NodeRecord] = []
        var told: VoterStep?
        for await state in states {
            let nodes = state.nodes.values.sorted { $0.id < $1.id }
            guard nodes != settled else { continue }
            while !Task.isCancelled {
                guard let current = await editor.state else { break }
                let newest = current.nodes.values.sorted { $0.id < $1.id }
                settled = newest
                guard await takeStep(nodes: newest, &told) else { break }
                try? await Task.sleep(for: .milliseconds(200))
            }
            if Task.isCancelled { return }
        }
    }

    /// False when nothing is left to do.
    /// - Parameter told: The step that the log has already: a learner is promoted in vain until it has caught up.
    private func takeStep(nodes: [NodeRecord], _ told: inout VoterStep?) async -> Bool {
        do {
            guard let step = VoterPlanner.nextStep(nodes: nodes, members: try await store.members()) else {
                return false
            }
            if step != told { logger.info("store membership", metadata: ["step": "\(step)"]) }
            told = step
            try await perform(step)
        } catch let error as StoreError where error.code == .notReady {
            logger.debug("store member not ready yet", metadata: ["reason": "\(error)"])
        } catch {
            logger.warning("store membership step failed, trying again", metadata: ["error": "\(error)"])
        }
        return true
    }

    private func perform(_ step: VoterStep) async throws {
        switch step {
        case .addLearner(_, let peerURL):
            _ = try await store.addLearner(peerURL: peerURL)
        case .startLearner(let node):
            try await record(.learner, for: node)
        case .promote(let member, _):
            try await store.promote(member: member)
        case .recordVoter(let node):
            try await record(.voter, for: node)
        case .removeMember(let member):
            try await store.remove(member: member)
        case .recordClient(let node):
            try await record(.client, for: node)
        case .moveMember(let member, let peerURL):
            try await store.update(member: member, peerURL: peerURL)
        }
    }

    private func record(_ role: NodeRecord.StoreRole, for node: NodeID) async throws {
        try await editor.edit { state throws(PlanError) in
            Planner.setStoreRole(role, of: node, in: state)
        }
    }
}
