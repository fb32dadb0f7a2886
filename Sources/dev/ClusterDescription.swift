import FoundationEssentials

struct Endpoint: Codable, Equatable {
    var host: String
    var port: Int
    var password: String
}

/// What `--json` prints: enough for another tool to drive the cluster.
struct ClusterDescription: Codable {
    struct Node: Codable {
        var uid: Int
        var address: String
        var prefix: String
        /// By program; a node has several shards.
        var pids: [String: [Int]]
    }

    struct Database: Codable {
        var uid: Int
        var name: String
        var endpoint: Endpoint
    }

    var tarn: String
    var apiURL: String
    var caFile: String
    var adminUser: String
    var adminPasswordFile: String
    var nodes: [Node]
    var databases: [Database]

    enum CodingKeys: String, CodingKey {
        case tarn, nodes, databases
        case apiURL = "api_url"
        case caFile = "ca_file"
        case adminUser = "admin_user"
        case adminPasswordFile = "admin_password_file"
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
