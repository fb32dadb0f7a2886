/// Where replicas get their data from.
///
/// A shard that writes wait for counts the replicas that are attached to it and can't tell them apart (`WAIT 1`). So of
/// a database whose writes wait for one, only the replica that a failover would take is attached to the primary; one
/// that a migration fills gets its data from that replica, and has never confirmed a write that the replica lacks:
///
/// ```
///   async:   primary ──▶ replica          writes wait:   primary ──▶ replica ──▶ copy
///               └──────▶ copy
/// ```
extension DatabaseConfiguration {
    /// Nil for a primary.
    /// - Parameter isLost: Whether a node is down: what it has can't be had from it.
    package func source(of shard: ShardConfiguration, isLost: (NodeID) -> Bool) -> ShardConfiguration? {
        guard shard.role == .replica, let primary = primary(of: shard) else { return nil }
        guard policy.durability.waitsForReplica,
            let confirming = confirmingReplica(of: shard.slots, isLost: isLost), confirming.id != shard.id
        else { return primary }
        return confirming
    }

    /// The oldest one that counts. Not the primary that is being replaced: it becomes a replica when that is over.
    private func confirmingReplica(of slots: SlotRange, isLost: (NodeID) -> Bool) -> ShardConfiguration? {
        let leaving = transition(of: slots)?.from
        return shards.filter {
            $0.slots == slots && $0.role == .replica && !$0.isCopying && $0.id != leaving && !isLost($0.node)
        }
        .min { $0.id < $1.id }
    }
}
