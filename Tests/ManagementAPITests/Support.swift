import ClusterModel
import FoundationEssentials
import ManagementAPI
import Primitives

func json(_ value: some Encodable) throws -> JSONValue {
    try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
}

func decode<Value: Decodable>(_ type: Value.Type = Value.self, _ text: String) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(text.utf8))
}

func roundTrip<Value: Codable>(_ value: Value) throws -> Value {
    try JSONDecoder().decode(Value.self, from: JSONEncoder().encode(value))
}

extension JSONValue {
    subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    var keys: Set<String> {
        if case .object(let members) = self { Set(members.keys) } else { [] }
    }
}

/// One cluster for all tests of shapes.
enum Sample {
    static let start = WallTime(milliseconds: 1_760_400_066_000)

    static let cluster = ClusterRecord(name: "cluster.local", createdAt: start, authorityDigest: "c0ffee")

    static let node = NodeRecord(
        id: NodeID(1), address: "192.168.16.2", hostname: "host1", architecture: "aarch64", cores: 14,
        totalMemory: .gigabytes(8), softwareVersion: "0.1.0", operatingSystem: "Debian GNU/Linux 12",
        storeRole: .voter, joinedAt: start)

    static let database = DatabaseConfiguration(
        id: DatabaseID(3), epoch: Epoch(9),
        policy: DatabasePolicy(
            name: "orders", memoryLimit: .megabytes(400), shardCount: 2, isReplicated: true,
            eviction: .allKeysLRU, persistence: .appendOnly(everyWrite: true), proxyPolicy: .single,
            placement: .sparse, password: "secret", maximumConnections: 100, tags: ["team": "a", "env": "b"]),
        status: .active,
        shards: [
            ShardConfiguration(
                id: ShardID(5), role: .primary, node: NodeID(1), slots: SlotRange(first: 0, last: 8191), port: 20004),
            ShardConfiguration(
                id: ShardID(6), role: .replica, node: NodeID(2), slots: SlotRange(first: 0, last: 8191), port: 20005),
        ],
        endpoint: EndpointConfiguration(port: 14968, nodes: [NodeID(1)]),
        secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"), createdAt: start, changedAt: start)

    static let action = ActionRecord(
        id: ActionID("5d5c"), kind: .createDatabase, database: DatabaseID(3), epoch: Epoch(9), status: .failed,
        progress: 66, message: "node 2: disk full", createdAt: start, changedAt: start.adding(seconds: 5))

    static var bdb: BDBObject {
        BDBObject(database, nodes: [node.id: node], clusterName: cluster.name, action: action)
    }
}
