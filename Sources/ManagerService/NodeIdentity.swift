package import ClusterModel
import FoundationEssentials

/// What a node remembers of its membership, in `var/lib/tarn/node.json`. Written last when a cluster is made or
/// joined: with it the node is a member, without it it is idle, whatever else lies around from a try that was killed.
package struct NodeIdentity: Codable, Sendable, Equatable {
    package var node: NodeID
    package var clusterName: String
    package var address: String
    /// Addresses of the nodes that keep the store, as last seen.
    package var voterAddresses: [String]

    /// The store that these voters keep; the data that this node has of another one is not to be used.
    package var store: StoreIdentity

    package init(
        node: NodeID, clusterName: String, address: String, voterAddresses: [String], store: StoreIdentity = .first
    ) {
        self.store = store
        self.node = node
        self.clusterName = clusterName
        self.address = address
        self.voterAddresses = voterAddresses
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        node = try container.decode(NodeID.self, forKey: .node)
        clusterName = try container.decode(String.self, forKey: .clusterName)
        address = try container.decode(String.self, forKey: .address)
        voterAddresses = try container.decode([String].self, forKey: .voterAddresses)
        // Files of releases that knew no recovery don't have it.
        store = try container.decodeIfPresent(StoreIdentity.self, forKey: .store) ?? .first
    }

    /// Nil when the node is in no cluster.
    ///
    /// - Throws: When the file is there and can't be read: better to stop than to forget a membership.
    package static func load(path: String) throws -> NodeIdentity? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try JSONDecoder().decode(NodeIdentity.self, from: Data(contentsOf: URL(filePath: path)))
    }

    package func save(path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
    }
}
