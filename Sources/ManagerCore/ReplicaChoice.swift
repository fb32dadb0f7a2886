package import ClusterModel

/// A replica as its node sees it.
package struct ShardCopy: Hashable, Sendable {
    /// Bytes of the replication stream that it has processed; 0: it has never heard of its primary.
    package var offset: Int64
    package var isRunning: Bool

    package init(offset: Int64, isRunning: Bool) {
        self.offset = offset
        self.isRunning = isRunning
    }
}

/// Two looks at the copies that a planned change asks for, so that it begins when it will be over soon.
package enum CopyInspection {
    /// Between the looks: about as long as clients may wait.
    package static let pause = Duration.milliseconds(100)

    /// Replicas that lack at the second look what their primary had at the first, that had nothing then, or that have
    /// stood still while it went on, count as not in sync. However little is missing, clients could wait a second for
    /// it: redis sends a replica nothing after the first copy until it has reported. Its node has it do so at once, and
    /// it does by itself once a second.
    package static func conclude(
        before: [ShardID: ShardCopy], after: [ShardID: ShardCopy], in state: ClusterState
    ) -> [ShardID: ShardCopy] {
        var copies = after
        for (id, copy) in after {
            guard let found = state.shard(id), found.shard.role == .replica,
                let primary = found.database.primary(of: found.shard)?.id,
                let (earlier, later) = before[primary].flatMap({ earlier in after[primary].map { (earlier, $0) } })
            else { continue }
            let offset = before[id]?.offset ?? 0
            let standsStill = copy.offset == offset && later.offset > earlier.offset
            if offset == 0 || copy.offset < earlier.offset || standsStill { copies[id]?.offset = 0 }
        }
        return copies
    }
}

/// Chooses the replica that takes a lost primary's place: the one that has seen most of its stream.
package struct ReplicaChoice: Sendable {
    /// What the primary writes to disk. If it does, one that never heard of it is worse than waiting for it.
    package var persistence: Persistence

    package init(persistence: Persistence) {
        self.persistence = persistence
    }

    /// Nil: none is fit. Of equals the one with the lowest id, so that everybody chooses alike.
    package func best(of copies: [ShardID: ShardCopy]) -> ShardID? {
        copies.filter { $0.value.isRunning && (persistence == .none || $0.value.offset > 0) }
            .min { ($1.value.offset, $0.key) < ($0.value.offset, $1.key) }?.key
    }
}

extension DatabaseConfiguration {
    /// Replicas of a primary on nodes that are not down; not those that a migration fills.
    package func replicas(of primary: ShardConfiguration, in state: ClusterState) -> [ShardConfiguration] {
        shards.filter {
            $0.role == .replica && !$0.isCopying && $0.slots == primary.slots
                && state.nodes[$0.node]?.status != .down
        }
    }
}

extension ClusterState {
    package var detection: DetectionProfile { cluster?.detection ?? .high }

    package var lostNodes: Set<NodeID> { Set(nodes.values.filter { $0.status == .down }.map(\.id)) }
}
