import ClusterModel
import NodeLayout
import WatchdogProtocol

/// A shard as a process that the watchdog keeps.
enum ShardProcess {
    private static let prefix = "shard-"

    static func name(_ shard: ShardID) -> String { "\(prefix)\(shard)" }

    /// Nil for a process that is no shard.
    static func shard(ofProcess name: String) -> ShardID? {
        guard name.hasPrefix(prefix) else { return nil }
        return Int(name.dropFirst(prefix.count)).map { ShardID($0) }
    }

    static func specification(
        of shard: ShardID, role: ShardConfiguration.Role, paths: NodePaths
    ) -> ProcessSpecification {
        ProcessSpecification(
            name: name(shard), executable: paths.program("redis-server"),
            arguments: [paths.shardConfiguration(shard)], workingDirectory: paths.shardDirectory(shard),
            restart: .never,
            // 10,000 clients, redis' own 32, and files of persistence.
            openFileLimit: 10_240,
            // When memory runs out a replica is the cheapest loss, and both go before the manager and etcd.
            outOfMemoryScore: role == .replica ? 300 : 100,
            // An orderly stop may have to write a snapshot of the whole shard.
            stopTimeoutMilliseconds: 60_000, stopPhase: 30)
    }
}
