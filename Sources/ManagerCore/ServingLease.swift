package import ClusterModel
package import Primitives

/// How long this node's proxy may write to shards that another copy could replace: until `lease` after it *sent* the
/// last heartbeat that a majority of its group has answered.
///
/// An answer names the fence (``ClusterHead/fence``) that the watcher knows. It counts only when the node's own proxy
/// routes by that fence: who has slept over a failover gets no lease before it has caught up.
package struct ServingLease: Sendable {
    private struct Answer {
        var sentAt: BootTime
        var fence: Epoch
    }

    /// The newest answer of each watcher, and the newest one that counts.
    private var newest: [NodeID: Answer] = [:]
    private var counting: [NodeID: BootTime] = [:]

    package init() {}

    /// - Parameter sentAt: When the heartbeat was sent that is answered.
    package mutating func answered(by watcher: NodeID, sentAt: BootTime, fence: Epoch) {
        guard newest[watcher].map({ $0.sentAt < sentAt }) ?? true else { return }
        newest[watcher] = Answer(sentAt: sentAt, fence: fence)
    }

    /// Forgets what was granted: the node has learnt that it is held to be lost.
    package mutating func revoke() {
        newest = [:]
        counting = [:]
    }

    /// - Parameter applied: The fence that this node's proxy routes by.
    /// - Returns: Nil when there is none. A proxy that was told `.never` before must then be told the end of one that
    ///   begins now: the group has grown, and can outvote the node from now on.
    package mutating func end(for group: WatchGroup, applied: Epoch, profile: DetectionProfile) -> BootTime? {
        guard group.canOutvote else { return .never }
        for (watcher, answer) in newest where answer.fence <= applied { counting[watcher] = answer.sentAt }
        var end = BootTime.never
        for circle in group.circles where circle.canOutvote {
            let grants = circle.watchers.compactMap { counting[$0] }.sorted(by: >)
            let needed = circle.majority - 1
            guard grants.count >= needed else { return nil }
            end = min(end, grants[needed - 1] + profile.lease)
        }
        return end
    }
}
