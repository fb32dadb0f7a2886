package import ClusterModel

/// Who grants a node its serving lease and may vote it lost: the node itself and its watchers.
///
/// The watchers are the nodes that follow in the order of ids, around the end, seven at most: then the cost for a node
/// stays the same however large the cluster is. The same nodes give the same group everywhere.
package struct WatchGroup: Hashable, Sendable {
    package static let maximumWatchers = 7

    package let node: NodeID
    package let watchers: [NodeID]

    /// - Parameter nodes: All members of the cluster, those that are down included.
    package init(of node: NodeID, nodes: some Collection<NodeID>) {
        self.node = node
        let others = nodes.filter { $0 != node }.sorted()
        let start = others.firstIndex { $0 > node } ?? others.count
        watchers = Array((others[start...] + others[..<start]).prefix(Self.maximumWatchers))
    }

    package var majority: Int { (watchers.count + 1) / 2 + 1 }

    /// Two nodes have no majority without either of them: nobody is ever outvoted, so no lease is needed.
    package var canOutvote: Bool { watchers.count >= majority }

    /// So many watchers that every majority which grants a lease has one of them.
    package var blockingCount: Int { watchers.count + 2 - majority }

    /// Whether these votes settle that the node is lost.
    package func isLost(votes: Set<NodeID>) -> Bool {
        canOutvote && watchers.count(where: votes.contains) >= blockingCount
    }
}

extension ClusterState {
    /// Without the nodes that a recovery of the store declared to be lost, or the survivors would wait for them.
    package func group(of node: NodeID) -> WatchGroup {
        let lost = Set(recovery?.lost ?? [])
        return WatchGroup(of: node, nodes: nodes.keys.filter { $0 == node || !lost.contains($0) })
    }

    /// Nodes that `node` watches, in order.
    package func watched(by node: NodeID) -> [NodeID] {
        nodes.keys.filter { $0 != node && group(of: $0).watchers.contains(node) }.sorted()
    }
}
