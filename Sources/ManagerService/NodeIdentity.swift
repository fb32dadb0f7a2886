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

    package init(node: NodeID, clusterName: String, address: String, voterAddresses: [String]) {
        self.node = node
        self.clusterName = clusterName
        self.address = address
        self.voterAddresses = voterAddresses
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
