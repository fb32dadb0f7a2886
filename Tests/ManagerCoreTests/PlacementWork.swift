import ClusterModel
@testable import ManagerCore

enum PlacementWork {
    /// Candidates that placing a policy looks at.
    static func inspected(_ state: ClusterState, _ policy: DatabasePolicy) -> Int {
        var placement = Placement(state: state, memoryPerShard: policy.memoryLimitPerShard)
        _ = try? placement.place(pairs: policy.shardCount, isReplicated: policy.isReplicated, as: policy.placement)
        return placement.inspected
    }
}
