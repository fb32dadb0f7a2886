package import ClusterModel
package import ClusterStore
import FoundationEssentials
package import ManagerCore

/// Between the records of the cluster and the bytes that the store keeps: JSON, so that a person with the store's
/// own tools can read a cluster at three in the morning.
package enum StateCoding {
    /// - Throws: `DecodingError` when the value isn't what its key promises; nil for a key that we don't know,
    ///   which a newer release may have written.
    package static func decode(_ entry: StoreEntry) throws -> StateChange? {
        guard let key = StoreKey(path: entry.key) else { return nil }
        switch key {
        case .cluster: return .cluster(try decode(entry.value))
        case .head: return .head(try decode(entry.value))
        case .authority: return .authority(try decode(entry.value))
        case .leader: return .leader(try decode(entry.value))
        case .node: return .node(try decode(entry.value))
        case .database: return .database(try decode(entry.value))
        case .action: return .action(try decode(entry.value))
        case .user: return .user(try decode(entry.value))
        case .token: return .token(try decode(entry.value))
        case .recovery: return .recovery(try decode(entry.value))
        // The key says it all.
        case .suspicion(let node, let voter): return .suspicion(node, by: voter)
        }
    }

    package static func encode(_ change: StateChange) throws -> StoreWrite {
        switch change {
        case .cluster(let record): try put(.cluster, record)
        case .head(let record): try put(.head, record)
        case .authority(let record): try put(.authority, record)
        case .leader(let node): try put(.leader, node)
        case .node(let record): try put(.node(record.id), record)
        case .database(let record): try put(.database(record.id), record)
        case .action(let record): try put(.action(record.id), record)
        case .user(let record): try put(.user(record.id), record)
        case .token(let record): try put(.token(record.id), record)
        case .suspicion(let node, let voter): try put(.suspicion(node, by: voter), true)
        case .recovery(let record): try put(.recovery, record)
        case .removed(let key): .delete(key: key.path)
        }
    }

    package static func encodeLeader(_ node: NodeID) throws -> [UInt8] {
        Array(try JSONEncoder().encode(node))
    }

    private static func put(_ key: StoreKey, _ record: some Encodable) throws -> StoreWrite {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return .put(key: key.path, value: Array(try encoder.encode(record)))
    }

    private static func decode<Record: Decodable>(_ bytes: [UInt8]) throws -> Record {
        try JSONDecoder().decode(Record.self, from: Data(bytes))
    }
}
