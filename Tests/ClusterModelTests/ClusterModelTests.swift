import ClusterModel
import FoundationEssentials
import Primitives
import Testing

struct SlotRangeTests {
    @Test(arguments: [1, 2, 3, 5, 7, 512, 1000, 16384])
    func evenPartsCoverEverySlotOnce(parts: Int) {
        let ranges = SlotRange.even(parts: parts)
        #expect(ranges.count == parts)
        #expect(ranges.first?.first == 0 && ranges.last?.last == 16383)
        for (left, right) in zip(ranges, ranges.dropFirst()) { #expect(right.first == left.last + 1) }
        let sizes = Set(ranges.map(\.count))
        #expect(sizes.max()! - sizes.min()! <= 1)
    }
}

struct DatabaseTests {
    private let database = DatabaseConfiguration(
        id: DatabaseID(1), epoch: Epoch(3),
        policy: DatabasePolicy(
            name: "orders", memoryLimit: .megabytes(600), shardCount: 3, isReplicated: true,
            persistence: .snapshot([SnapshotRule(seconds: 60, writes: 1)]), tags: ["team": "a"]),
        status: .active,
        shards: [
            ShardConfiguration(
                id: ShardID(1), role: .primary, node: NodeID(1), slots: SlotRange(first: 0, last: 8191), port: 20000),
            ShardConfiguration(
                id: ShardID(2), role: .replica, node: NodeID(2), slots: SlotRange(first: 0, last: 8191), port: 20001),
            ShardConfiguration(
                id: ShardID(3), role: .primary, node: NodeID(2), slots: SlotRange(first: 8192, last: 16383),
                port: 20002),
        ],
        endpoint: EndpointConfiguration(port: 12000, nodes: [NodeID(3)]),
        secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"), createdAt: WallTime(milliseconds: 1),
        changedAt: WallTime(milliseconds: 2))

    /// Keys in the order of their names: these tests cut one out of the middle.
    private var sorted: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return encoder
    }

    @Test func recordsFromBeforeThereWasDurabilityAreAsync() throws {
        var waiting = database.policy
        waiting.durability = .replicaDegrade
        let bytes = try sorted.encode(waiting)
        #expect(try JSONDecoder().decode(DatabasePolicy.self, from: bytes) == waiting)
        let old = String(decoding: bytes, as: UTF8.self).replacing(#""durability":"replica-degrade","#, with: "")
        #expect(!old.contains("durability"))
        #expect(try JSONDecoder().decode(DatabasePolicy.self, from: Data(old.utf8)).durability == .async)
    }

    @Test func recordsFromBeforeThereWereKeyRulesHaveHashTags() throws {
        var ruled = database.policy
        ruled.keyRules = KeyRules(patterns: ["x"], hashesUnmatched: true)
        let bytes = try sorted.encode(ruled)
        #expect(try JSONDecoder().decode(DatabasePolicy.self, from: bytes) == ruled)
        let text = String(decoding: bytes, as: UTF8.self)
        let old = text.replacing(#""keyRules":{"hashesUnmatched":true,"patterns":["x"]},"#, with: "")
        #expect(!old.contains("keyRules"))
        #expect(try JSONDecoder().decode(DatabasePolicy.self, from: Data(old.utf8)).keyRules == .standard)
    }

    @Test func theLimitIsSharedByShardsAndReplicas() {
        #expect(database.policy.memoryLimitPerShard == .megabytes(100))
    }

    @Test func replicasFindTheirPrimary() {
        #expect(database.primary(of: database.shards[1])?.id == ShardID(1))
        #expect(database.primary(of: database.shards[2])?.id == ShardID(3))
        #expect(database.involvedNodes == [NodeID(1), NodeID(2), NodeID(3)])
    }

    /// What the store keeps is read by later releases: the shape is a contract.
    @Test func identifiersAreNumbersInJSON() throws {
        let bytes = try JSONEncoder().encode(database)
        #expect(try JSONDecoder().decode(DatabaseConfiguration.self, from: bytes) == database)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains(#""id":1"#) && text.contains(#""epoch":3"#) && text.contains(#""nodes":[3]"#))
        let byNode = try JSONEncoder().encode([NodeID(7): "x"])
        #expect(String(decoding: byNode, as: UTF8.self) == #"{"7":"x"}"#)
        #expect(try JSONDecoder().decode([NodeID: String].self, from: byNode) == [NodeID(7): "x"])
    }
}
