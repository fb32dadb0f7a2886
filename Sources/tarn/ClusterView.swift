import ManagementAPI
import ManagementClient
import Primitives

/// The cluster as the API shows it at one moment, and its tables in the columns that operators of the reference system
/// know.
struct ClusterView {
    private let nodes: [NodeObject]
    private let statuses: [String: NodeStatusObject]
    private let databases: [BDBObject]
    private let shards: [ShardObject]
    /// The same answers as they came.
    let json: JSONValue

    init(_ api: APIClient) async throws {
        nodes = try await api.get("/v1/nodes")
        statuses = try await api.get("/v1/nodes/status")
        databases = try await api.get("/v1/bdbs")
        shards = try await api.get("/v1/shards")
        json = .object([
            "cluster": try await api.call("GET", "/v1/cluster"),
            "nodes": try await api.call("GET", "/v1/nodes"),
            "databases": .array(try await DatabaseView.list(api)),
            "endpoints": try await api.call("GET", "/v1/endpoints"),
            "shards": try await api.call("GET", "/v1/shards"),
        ])
    }

    func nodeTable(here: String) -> TextTable {
        var table = TextTable(
            "NODE:ID", "ROLE", "ADDRESS", "HOSTNAME", "SHARDS", "CORES", "FREE_RAM", "PROVISIONAL_RAM", "STORE",
            "VERSION", "STATUS")
        for node in nodes {
            let status = statuses[node.uid.description]
            table.add(
                Self.name(node, here: here), status?.role, node.address, node.hostname,
                "\(node.shardList.count)/\(node.maximumShards)", String(node.cores),
                Self.share(status?.freeMemoryBytes, of: node.totalMemoryBytes),
                Self.share(status?.freeProvisionalBytes, of: status?.totalProvisionalBytes), node.storeRole,
                node.softwareVersion, node.isInMaintenance ? "\(node.status), in maintenance" : node.status)
        }
        return table
    }

    var databaseTable: TextTable { DatabaseView.table(databases) }

    func endpointTable(here: String) -> TextTable {
        var table = TextTable("DB:ID", "NAME", "ID", "NODE", "ADDRESS", "ROLE", "SSL")
        for database in databases {
            for endpoint in database.endpoints {
                for address in endpoint.addresses {
                    let node = nodes.first { $0.address == address }
                    table.add(
                        "db:\(database.uid)", database.name, "endpoint:\(endpoint.uid)",
                        node.map { Self.name($0, here: here) }, "\(address):\(endpoint.port)",
                        endpoint.proxyPolicy, "No")
                }
            }
        }
        return table
    }

    func shardTable(here: String) -> TextTable {
        var table = TextTable("DB:ID", "NAME", "ID", "NODE", "ROLE", "SLOTS", "PID", "USED_MEMORY", "KEYS", "STATUS")
        let names = Dictionary(databases.map { ($0.uid, $0.name) }) { first, _ in first }
        for shard in shards {
            let node = nodes.first { $0.uid.description == shard.nodeUID }
            table.add(
                "db:\(shard.databaseID)", names[shard.databaseID], "redis:\(shard.uid)",
                node.map { Self.name($0, here: here) } ?? "node:\(shard.nodeUID)", shard.role, shard.assignedSlots,
                shard.pid.map { String($0) }, shard.usedMemoryBytes.map { ByteCount(bytes: $0).description },
                shard.keyCount.map { String($0) }, shard.detailedStatus)
        }
        return table
    }

    private static func name(_ node: NodeObject, here: String) -> String {
        (node.address == here ? "*" : "") + "node:\(node.uid)"
    }

    private static func share(_ part: Int64?, of whole: Int64?) -> String? {
        guard let part, let whole else { return nil }
        return "\(signed(part))/\(signed(whole))"
    }

    private static func signed(_ bytes: Int64) -> String {
        bytes < 0 ? "-\(ByteCount(bytes: -bytes))" : ByteCount(bytes: bytes).description
    }
}
