import ClusterModel
import ManagementAPI
import ManagementClient
import Primitives

/// A database as the API shows it, with where to reach it in one place.
enum DatabaseView {
    /// The API's object and `endpoint: {host, port, password}` beside it. Of several addresses that serve it the one of
    /// the node that was asked is taken, so that a machine talks to itself where it can.
    static func withEndpoint(_ raw: JSONValue, here: String) throws -> JSONValue {
        guard case .object(var members) = raw else { return raw }
        let database = try APIClient.decode(raw, as: BDBObject.self)
        guard let endpoint = database.endpoints.first else { return raw }
        let host = endpoint.addresses.contains(here) ? here : endpoint.addresses.first ?? endpoint.dnsName
        members["endpoint"] = .object([
            "host": .string(host), "port": .integer(Int64(endpoint.port)), "password": .string(database.password),
        ])
        return .object(members)
    }

    static func list(_ api: APIClient) async throws -> [JSONValue] {
        guard case .array(let raw) = try await api.call("GET", "/v1/bdbs") else { return [] }
        return try raw.map { try withEndpoint($0, here: api.endpoints[0].host) }
    }

    /// By uid or by name; a number is a uid.
    static func find(_ text: String, _ api: APIClient) async throws -> BDBObject {
        let all: [BDBObject] = try await api.get("/v1/bdbs")
        if let number = Int(text), let found = all.first(where: { $0.uid.rawValue == number }) { return found }
        let named = all.filter { $0.name == text }
        guard named.count <= 1 else {
            let uids = named.map { $0.uid.description }.joined(separator: ", ")
            throw ClientFailure(.usage, "ambiguous_name", "several databases are called \(text): give a uid (\(uids))")
        }
        guard let found = named.first else {
            throw ClientFailure(.refused, "db_not_exist", "there is no database \(text): see tarn db list")
        }
        return found
    }

    static func table(_ databases: [BDBObject]) -> TextTable {
        var table = TextTable(
            "DB:ID", "NAME", "TYPE", "STATUS", "SHARDS", "MEMORY", "PLACEMENT", "REPLICATION", "PERSISTENCE",
            "ENDPOINT")
        for database in databases {
            let endpoint = database.endpoints.first
            table.add(
                "db:\(database.uid)", database.name, "redis", database.status, String(database.shardCount),
                ByteCount(bytes: database.memoryLimitBytes).description, database.shardsPlacement,
                database.isReplicated ? "enabled" : "disabled", database.persistence,
                endpoint.map { "\($0.addresses.first ?? $0.dnsName):\($0.port)" })
        }
        return table
    }

    static func description(_ database: BDBObject, here: String) -> String {
        let endpoint = database.endpoints.first
        let addresses = endpoint?.addresses ?? []
        let rows = [
            ("database", "db:\(database.uid) \(database.name)"), ("status", database.status),
            (
                "endpoint",
                endpoint.map { "\(addresses.contains(here) ? here : addresses.first ?? $0.dnsName):\($0.port)" } ?? "-"
            ),
            ("served by", addresses.joined(separator: ", ")),
            (
                "memory",
                database.memoryLimitBytes == 0 ? "no limit" : "\(ByteCount(bytes: database.memoryLimitBytes))"
            ),
            ("shards", "\(database.shardCount)" + (database.isReplicated ? ", each with a replica" : "")),
            (
                "key rules",
                [ShardKeyRule.standard, []].contains(database.shardKeyRules)
                    ? "hash tags"
                    : database.shardKeyRules.map(\.regex).joined(separator: "   ")
                        + (database.hashesUnmatched ? ", else the whole key" : "")
            ),
            ("eviction", database.evictionPolicy), ("persistence", database.persistence),
            ("durability", database.durability), ("proxies", database.proxyPolicy),
            ("password", database.password.isEmpty ? "none" : "set; see --json"),
            ("created", database.createdTime),
        ]
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { $0.0 + String(repeating: " ", count: width - $0.0.count + 2) + $0.1 }.joined(separator: "\n")
    }
}
