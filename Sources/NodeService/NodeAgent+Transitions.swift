package import ClusterModel
import Logging

/// A shard of this node has become the primary that a transition wants.
package struct ShardPromotion: Hashable, Sendable {
    package var database: DatabaseID
    package var shard: ShardID
}

/// The agent's part in a change of primaries.
extension NodeAgent {
    /// Whether the proxy of this node routes by an epoch of the database, or by a newer one, or doesn't serve it at
    /// all.
    package func routesAreApplied(_ database: DatabaseID, _ epoch: Epoch) -> Bool {
        guard knows(database, epoch) else { return false }
        let observed = proxy.observation(of: database)
        guard isServed(database) else { return observed.routes == nil && observed.removal == nil }
        return observed.applied.map { $0 >= epoch } ?? false
    }

    /// The fence that the proxy of this node routes by: all databases that had a failover are known and applied here.
    /// - Parameter fence: Of the state that `databases` are from.
    package func appliedFence(_ fence: Epoch, of databases: [DatabaseID: DatabaseConfiguration]) -> Epoch {
        guard proxy.isOpen else { return confirmedFence }
        let isBehind = databases.values.contains { $0.fence > confirmedFence && !routesAreApplied($0.id, $0.fence) }
        if !isBehind { confirmedFence = max(confirmedFence, fence) }
        return confirmedFence
    }

    /// The proxy routes every database by its newest epoch.
    package func isUpToDate(_ databases: [DatabaseID: DatabaseConfiguration]) -> Bool {
        proxy.isOpen && databases.values.allSatisfy { routesAreApplied($0.id, $0.epoch) }
    }

    /// ``PromotionGate`` has opened for the failover of this epoch: no proxy can write to the primary before this
    /// shard.
    package func openGate(_ shard: ShardID, of database: DatabaseID, fence: Epoch) {
        guard openGates.updateValue(fence, forKey: shard) != fence else { return }
        poke(database)
    }

    /// A gate is for one failover: the next one has another fence.
    func openShards(of database: DatabaseConfiguration) -> Set<ShardID> {
        Set(database.shards.map(\.id).filter { openGates[$0] == database.fence })
    }

    /// Tells each time it is seen, until the transition is gone: whoever ends it may have to be told again.
    func tellOfPromotions(_ job: Job, _ shards: [ShardID: ShardObservation]) {
        guard let database = job.wanted else { return }
        let open = openShards(of: database)
        for transition in database.transitions where transition.phase == .promote {
            // One that ended and was started again is a primary before anybody asked whether it may.
            guard let information = shards[transition.to]?.information, information.role == .primary,
                !information.isLoading, transition.isPlanned || open.contains(transition.to)
            else { continue }
            promotion.yield(ShardPromotion(database: database.id, shard: transition.to))
        }
    }

    /// Held requests drain as long as they need; the pass does other things meanwhile.
    func pokeWhenApplied(_ database: DatabaseID, _ epoch: Epoch) {
        Task {
            do {
                try await proxy.waitApplied(database, epoch: epoch, deadline: .seconds(10))
            } catch {
                logger.debug("routes are not applied yet", metadata: ["database": "\(database)", "error": "\(error)"])
            }
            poke(database)
        }
    }
}
