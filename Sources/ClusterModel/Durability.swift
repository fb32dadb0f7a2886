/// When a write of a database counts as done, so that its client gets the reply.
package enum Durability: String, Hashable, Codable, Sendable, CaseIterable {
    /// When its primary has it, as in Redis. A failover may lose what the replica had not got yet.
    case async
    /// When a replica has it in memory, too. Without one writes are refused; a write that no replica confirms in time
    /// gets an error that says that it may have survived or not.
    case replica
    /// The same while a replica confirms; without one as `async`, until there is one again.
    case replicaDegrade = "replica-degrade"

    package var waitsForReplica: Bool { self != .async }
}

extension KeyedDecodingContainer {
    /// Chosen by the synthesized decoding of ``DatabasePolicy``: records written before there was a choice are `async`.
    func decode(_ type: Durability.Type, forKey key: Key) throws -> Durability {
        try decodeIfPresent(type, forKey: key) ?? .async
    }
}
