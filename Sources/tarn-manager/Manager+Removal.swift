import ClusterModel
import EtcdStore
import Glibc
import HostControl
import ManagerCore
import NodeLayout

/// This node's part in its removal from the cluster, or from its store.
extension Manager {
    /// The member of the store has been taken out: it would only end and be started again for ever. Its data is set
    /// aside, so
    /// that the node can become a learner again. Nothing to do where there is none.
    func endMember(_ membership: Membership) async throws {
        let status = try await watchdog.list().first { $0.name == EtcdServer.processName }
        guard let status, status.state != .ended else { return }
        logger.notice("the cluster's store does without this node's member")
        try await watchdog.stop(EtcdServer.processName)
        let directory = paths.store(named: membership.identity.store.description)
        guard HostFile.exists("\(directory)/member") else { return }
        try HostFile.setAside(directory, reason: "left", at: now())
    }

    /// The cluster has removed this node: its shards and endpoints go, it stops asking. Installed anew it may join
    /// again.
    func endIfRemoved(_ state: ClusterState, _ membership: Membership) async -> Bool {
        let own = membership.identity.node
        guard !state.isProvisional, state.cluster != nil, let head = state.head, own < head.nextNode,
            state.nodes[own] == nil
        else { return false }
        let error = PlanError(
            "node_removed", status: 409,
            "Node \(own) was removed from cluster \(membership.identity.clusterName). Uninstall it, and install it "
                + "again "
                + "to let it join as a new node.")
        logger.critical("\(error.message)")
        await membership.agent.adopt(databases: state.databases, nodes: state.nodes, isProvisional: false)
        await untilShardsAreGone()
        phase = .failed(BootstrapWork(kind: .resuming, startedAt: now()), error, endedAt: now())
        try? await watchdog.stop(EtcdServer.processName)
        memberWork?.cancel()
        return true
    }

    /// What hangs is left behind: it belongs to nobody any more.
    private func untilShardsAreGone() async {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline, !Task.isCancelled {
            let names = watchdog.processes?.keys.filter { $0.hasPrefix("shard-") } ?? []
            if names.isEmpty { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }
}
