import ClusterModel
import Synchronization

/// Who watches whom in one list of nodes, computed when it is first asked for: every heartbeat asks, and the answer
/// changes with the list only. Copies of a state share it; a state whose nodes change takes a new one.
final class GroupIndex: Sendable {
    private struct Known {
        var groups: [NodeID: WatchGroup] = [:]
        var watched: [NodeID: [NodeID]] = [:]
    }

    private let known = Mutex(Known())

    func group(of node: NodeID, else compute: () -> WatchGroup) -> WatchGroup {
        if let group = known.withLock({ $0.groups[node] }) { return group }
        let group = compute()
        known.withLock { $0.groups[node] = group }
        return group
    }

    func watched(by node: NodeID, else compute: () -> [NodeID]) -> [NodeID] {
        if let nodes = known.withLock({ $0.watched[node] }) { return nodes }
        let nodes = compute()
        known.withLock { $0.watched[node] = nodes }
        return nodes
    }
}

extension GroupIndex: Equatable {
    /// It follows from the nodes, which are compared.
    static func == (left: GroupIndex, right: GroupIndex) -> Bool { true }
}
