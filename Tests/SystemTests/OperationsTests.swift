import Testing

@testable import dev

/// What people do to a running cluster costs its clients a pause and no error: other primaries, a node in
/// maintenance, a
/// shard that moves, a node that leaves.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct OperationsTests {
    @Test func plannedChangesCostNoErrors() throws {
        try LoopbackCluster.temporary("operations", network: "127.0.65", nodes: 3) { cluster in
            try cluster.waitForStores()
            let made = try cluster.client.json(
                "db", "create", "moving", "--memory", "300mb", "--shards", "3", "--replication")
            let endpoint = try #require(Endpoint(made["endpoint"]))
            let writer = WritingClient(endpoint, at: cluster.address(2))
            defer { writer.stop() }
            try waitForWrites(200, writer)
            _ = writer.takeTally()

            for round in 1...10 {
                // Refused, without any change, as long as a replica copies from its new primary.
                _ = try TestedRelease.eventually("replicas in step for round \(round)") {
                    try? cluster.client.json("db", "switchover", "moving")
                }
                try settle("switchover of all shards, round \(round)", writer)
            }
            _ = try cluster.client.json("node", "drain", "3")
            try settle("drain of node 3", writer)
            #expect(try primaries(cluster).allSatisfy { $0.node != "3" })
            // Asked for again it is done again; the store wants node 2 meanwhile.
            _ = try cluster.client.json("node", "drain", "3")
            #expect(throws: (any Error).self) { _ = try cluster.client.json("node", "drain", "2") }
            _ = try cluster.client.json("node", "undrain", "3")
            try settle("undrain of node 3", writer)

            let moved = try #require(try primaries(cluster).first)
            let target = try #require(try freeNode(for: moved, cluster))
            _ = try cluster.client.json("shard", "migrate", moved.uid, "--to", target)
            try settle("migration of shard \(moved.uid) to node \(target)", writer)
            #expect(try primaries(cluster).first { $0.slots == moved.slots }?.node == target)
            _ = try cluster.client.json("verify")
        }
    }

    private struct Shard {
        var uid: String
        var node: String
        var slots: String
        var isPrimary: Bool
    }

    private func shards(_ cluster: LoopbackCluster) throws -> [Shard] {
        try cluster.client.json("shard", "list").listed("shards").map { shard in
            Shard(
                uid: shard["uid"]?.text ?? "", node: shard["node_uid"]?.text ?? "",
                slots: shard["assigned_slots"]?.text ?? "", isPrimary: shard["role"]?.text == "master")
        }
    }

    private func primaries(_ cluster: LoopbackCluster) throws -> [Shard] {
        try shards(cluster).filter(\.isPrimary)
    }

    /// The node that has no copy of the shard.
    private func freeNode(for shard: Shard, _ cluster: LoopbackCluster) throws -> String? {
        let taken = try shards(cluster).filter { $0.slots == shard.slots }.map(\.node)
        return ["1", "2", "3"].first { !taken.contains($0) }
    }

    private func settle(_ what: String, _ writer: WritingClient) throws {
        try waitForWrites(200, writer)
        let tally = writer.takeTally()
        print(
            "\(what): \(tally.written) writes, \(tally.errors.count) errors, "
                + "longest gap \(tally.longestGap.milliseconds) ms \(tally.errors.first ?? "")")
        #expect(tally.errors.isEmpty, "\(what): \(tally.errors.prefix(3))")
    }

    private func waitForWrites(_ count: Int, _ writer: WritingClient) throws {
        let start = writer.written
        _ = try TestedRelease.eventually("\(count) more writes") { writer.written >= start + count ? true : nil }
    }
}
