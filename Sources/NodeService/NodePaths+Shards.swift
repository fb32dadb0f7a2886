package import ClusterModel
package import NodeLayout

/// Where the files of one shard are. Here and not in `NodeLayout`, so that the watchdog needs no model of the cluster.
extension NodePaths {
    package func shardDirectory(_ shard: ShardID) -> String { "\(shards)/\(shard)" }
    package func shardConfiguration(_ shard: ShardID) -> String { "\(shardDirectory(shard))/redis.conf" }
    package func shardSocket(_ shard: ShardID) -> String { "\(shardDirectory(shard))/shard.sock" }
}
