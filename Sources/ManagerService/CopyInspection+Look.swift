import ClusterModel
import ManagerCore

extension CopyInspection {
    /// Asks twice, and says who is in sync by both answers.
    ///
    /// - Parameter ask: What the nodes of the shards say of them now.
    static func look(
        at shards: [ShardConfiguration], in state: ClusterState,
        asking ask: ([ShardConfiguration]) async -> [ShardID: ShardCopy]
    ) async -> [ShardID: ShardCopy] {
        guard !shards.isEmpty else { return [:] }
        let before = await ask(shards)
        try? await Task.sleep(for: pause)
        return conclude(before: before, after: await ask(shards), in: state)
    }
}
