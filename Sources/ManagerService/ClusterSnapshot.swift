package import ClusterModel
package import ClusterStore
import FoundationEssentials
package import ManagerCore
package import Primitives
import TLS

/// A whole configuration as a file, from which a store can be made anew.
///
/// Text, so that a person can read it at three in the morning: a line of JSON that says what it is, then one line per
/// record, `KEY VALUE`, as the store has them. The first line has the digest of the rest, so that half a file is never
/// taken for a whole one. It contains the cluster's secrets, as the store itself does.
package struct ClusterSnapshot: Sendable, Equatable {
    package struct Header: Hashable, Codable, Sendable {
        package var format = 1
        package var cluster: String
        /// Whose copy it is.
        package var node: NodeID
        package var store: StoreIdentity
        package var revision: Int64
        package var epoch: Epoch
        package var takenAt: WallTime
        package var records: Int
        /// SHA-256, hexadecimal, of everything after the first line.
        package var digest: String
    }

    package struct Unreadable: Error, CustomStringConvertible {
        package var description: String
    }

    package private(set) var header: Header
    package private(set) var entries: [StoreEntry]

    /// - Throws: When the state is no whole configuration: without a cluster, a head or an authority nothing can be
    ///   made.
    package init(of state: ClusterState, node: NodeID, store: StoreIdentity, takenAt: WallTime) throws {
        guard let cluster = state.cluster, let head = state.head, state.authority != nil else {
            throw Unreadable(description: "this node's copy of the configuration is not whole")
        }
        entries = try state.lastingRecords.map { change in
            guard case .put(let key, let value, _) = try StateCoding.encode(change) else {
                throw Unreadable(description: "\(change.key.path) is no record")
            }
            return StoreEntry(key: key, value: value, modifiedRevision: state.revision)
        }
        header = Header(
            cluster: cluster.name, node: node, store: store, revision: state.revision, epoch: head.epoch,
            takenAt: takenAt, records: entries.count, digest: "")
        header.digest = Hex.encode(Crypto.sha256(body))
    }

    package init(parsing bytes: [UInt8]) throws {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            throw Unreadable(description: "a snapshot has a first line that says what it is")
        }
        header = try JSONDecoder().decode(Header.self, from: Data(bytes[..<end]))
        guard header.format == 1 else {
            throw Unreadable(description: "format \(header.format) is of a newer release than this one")
        }
        let body = Array(bytes[(end + 1)...])
        guard Hex.encode(Crypto.sha256(body)) == header.digest else {
            throw Unreadable(description: "the snapshot is damaged or cut off")
        }
        let revision = header.revision
        entries = try body.split(separator: UInt8(ascii: "\n")).map { line in
            guard let space = line.firstIndex(of: UInt8(ascii: " ")) else {
                throw Unreadable(description: "a line without a value")
            }
            return StoreEntry(
                key: String(decoding: line[..<space], as: UTF8.self), value: Array(line[(space + 1)...]),
                modifiedRevision: revision)
        }
    }

    package func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(header)) + [UInt8(ascii: "\n")] + body
    }

    /// JSON as ``StateCoding`` writes it has no line ends, and keys have no spaces.
    private var body: [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes += Array(entry.key.utf8) + [UInt8(ascii: " ")] + entry.value + [UInt8(ascii: "\n")]
        }
        return bytes
    }

    package func state() throws -> ClusterState {
        var state = ClusterState()
        for entry in entries {
            guard let change = try StateCoding.decode(entry) else { continue }
            state.apply(change, key: entry.key, revision: entry.modifiedRevision)
        }
        state.advance(to: header.revision)
        return state
    }

    package var writes: [StoreWrite] { entries.map { .put(key: $0.key, value: $0.value) } }
}

extension ClusterSnapshot.Header {
    /// Of two copies: revisions count within one store, and a store that was made later counts for more.
    package func isOlder(than other: ClusterSnapshot.Header) -> Bool {
        (store, revision) < (other.store, other.revision)
    }
}
