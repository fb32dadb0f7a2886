/// Bugs planted on purpose: what the simulator is worth shows in how soon it finds them. They are in how the simulator
/// puts the decision code together, never in that code.
package enum PlantedBug: String, CaseIterable, Sendable {
    /// A replica is promoted without waiting for ``PromotionGate``.
    case promotionWithoutFence = "promotion-without-fence"
    /// Answers to heartbeats count whatever fence they name.
    case leaseWithoutFence = "lease-without-fence"
    /// Writes of `replica` databases are acknowledged before the replica has them.
    case acknowledgementBeforeReplica = "acknowledgement-before-replica"
    /// The copy of a shard that moves is filled from the primary, and confirms writes as the replica does.
    case copyConfirms = "copy-confirms"
}
