package import ClusterModel

/// Who grants a node its serving lease and may vote it lost: the node itself and its watchers.
///
/// The watchers are the nodes that follow in the order of ids, around the end, seven at most: then the cost for a node
/// stays the same however large the cluster is. The same nodes give the same group everywhere.
///
/// While a node is being taken in (it is `provisioning`) there are two circles, one without it and one with it, and
/// what is decided must be decided in both: a node that hasn't heard of the newcomer goes by the first one, and nobody
/// may vote it lost by a majority that it doesn't know. See ``JoinWatch``. The same while a node leaves.
package struct WatchGroup: Hashable, Sendable {
    package static let maximumWatchers = 7

    package struct Circle: Hashable, Sendable {
        package let watchers: [NodeID]

        package var majority: Int { (watchers.count + 1) / 2 + 1 }

        /// Two nodes have no majority without either of them: nobody is ever outvoted, so no lease is needed.
        package var canOutvote: Bool { watchers.count >= majority }

        /// So many watchers that every majority which grants a lease has one of them.
        package var blockingCount: Int { watchers.count + 2 - majority }

        fileprivate init(of node: NodeID, nodes: some Collection<NodeID>) {
            let others = nodes.filter { $0 != node }.sorted()
            let start = others.firstIndex { $0 > node } ?? others.count
            watchers = Array((others[start...] + others[..<start]).prefix(WatchGroup.maximumWatchers))
        }

        fileprivate func isBlocked(by nodes: Set<NodeID>) -> Bool {
            canOutvote && watchers.count(where: nodes.contains) >= blockingCount
        }
    }

    package let node: NodeID
    /// One, or two while nodes are being taken in.
    package let circles: [Circle]
    /// Of all circles.
    package let watchers: [NodeID]

    /// - Parameters:
    ///   - nodes: All members of the cluster, those that are down included.
    ///   - joining: Those of them that are being taken in.
    package init(of node: NodeID, nodes: some Collection<NodeID>, joining: Set<NodeID> = []) {
        self.node = node
        let all = Circle(of: node, nodes: nodes)
        let settled = Circle(of: node, nodes: nodes.filter { !joining.contains($0) })
        circles = all == settled ? [all] : [settled, all]
        watchers = all.watchers + settled.watchers.filter { !all.watchers.contains($0) }
    }

    /// Whether there is a lease to be had, and to be lost.
    package var canOutvote: Bool { circles.contains(where: \.canOutvote) }

    /// Whether these votes settle that the node is lost.
    package func isLost(votes: Set<NodeID>) -> Bool { isBlocked(by: votes) }

    /// Whether no majority that grants a lease can do without one of these nodes.
    package func isBlocked(by nodes: Set<NodeID>) -> Bool { circles.allSatisfy { $0.isBlocked(by: nodes) } }
}

extension NodeRecord {
    /// It is being taken in, or leaves: not everybody counts it, or will soon not.
    package var isBetween: Bool { status == .provisioning || isLeaving }
}

extension WatchGroup {
    package init(of node: NodeID, in nodes: [NodeID: NodeRecord]) {
        let joining = nodes.values.filter(\.isBetween).map(\.id)
        self.init(of: node, nodes: nodes.keys, joining: Set(joining))
    }
}

extension ClusterState {
    /// Without the nodes that a recovery of the store declared to be lost, or the survivors would wait for them.
    package func group(of node: NodeID) -> WatchGroup {
        groups.group(of: node) {
            let lost = Set(recovery?.lost ?? [])
            return WatchGroup(of: node, in: nodes.filter { $0.key == node || !lost.contains($0.key) })
        }
    }

    /// Nodes that `node` watches, in order.
    package func watched(by node: NodeID) -> [NodeID] {
        groups.watched(by: node) {
            nodes.keys.filter { $0 != node && group(of: $0).watchers.contains(node) }.sorted()
        }
    }
}
