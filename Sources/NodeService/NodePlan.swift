import ClusterModel
import ProxyControl
import ShardControl

/// One thing to do on this node. Each is idempotent: a plan that was cut short is simply made anew.
enum NodeStep: Hashable, Sendable {
    /// Waits, for a bounded time, until the other end listens. A replica that finds nobody tries again only a
    /// second later, which would be most of the time that creating a replicated database takes.
    case awaitPeer(ShardPeer)
    case writeConfiguration(ShardSettings)
    case start(ShardRole)
    case promote
    case follow(ShardPeer)
    case change(ShardChanges)
    /// Ends the primary's connections to its replicas, which are gone.
    case detachReplicas
    /// Ends the process and removes its directory.
    case remove
}

typealias ShardRole = ShardConfiguration.Role

/// What to do with the local proxy's routes of one database.
enum RoutesStep: Hashable, Sendable {
    case set(DatabaseRoutes)
    case remove(Epoch)
}

/// The steps that lead from what was observed towards what is wanted.
struct NodePlan: Hashable, Sendable {
    /// In order for each shard; different shards at the same time.
    var shards: [ShardID: [NodeStep]] = [:]
    /// A removal goes before the shards' steps, a setting after them unless ``routesGoFirst``.
    var routes: RoutesStep?
    /// They hold requests or fence a shard: nothing may keep them back, and nobody waits for them here.
    var routesGoFirst = false
    /// What has to come true by itself, in words; in the order of shards.
    var missing: [String] = []
    /// Waiting won't help.
    var failures: [String] = []

    var hasSteps: Bool { !shards.isEmpty || routes != nil }
    /// Nothing to do and nothing to wait for.
    var isSettled: Bool { !hasSteps && missing.isEmpty && failures.isEmpty }
}

/// One local shard as it was found.
struct ShardObservation: Hashable, Sendable {
    enum Process: Hashable, Sendable {
        case running
        /// Not running, and may be started.
        case startable
        /// Not running; the text says why it isn't started.
        case waiting(String)
    }

    var process: Process
    /// Text of redis.conf; nil: none there.
    var configuration: String?
    var directoryExists: Bool
    /// What INFO says; nil when the process doesn't answer.
    var information: ShardInformation?
    /// It has ended right after each of its last starts.
    var isFailing = false
}

/// All that a plan for one database depends on.
struct NodeObservation: Hashable, Sendable {
    /// Every shard that is or was this node's, by the newest and by former configurations.
    var shards: [ShardID: ShardObservation]
    var routes: RoutesObservation
    /// Shards of this node for which ``PromotionGate`` is open.
    var openGates: Set<ShardID> = []

    func isGateOpen(_ shard: ShardID) -> Bool { openGates.contains(shard) }
}
