import Testing

@testable import dev

/// Many databases in a row and at once, every kind of them, and what happens when there is no room.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct DatabaseTests {
    @Test func manyComeAndGo() throws {
        try LoopbackCluster.temporary("many-databases", network: "127.0.48", nodes: 3) { cluster in
            for (count, parallel) in [(100, 1), (20, 20)] {
                let result = try measure(cluster, count: count, parallel: parallel)
                let total = result["total_ms"]?.int ?? 0
                let times = ["total_ms", "median_ms", "worst_ms", "delete_ms"].map { key in
                    "\(key) \(result[key]?.text ?? "?")"
                }
                print("\(count) databases, \(parallel) at a time: \(times.joined(separator: ", "))")
                #expect(result["errors"]?.int == 0, "\(result["first_error"]?.text ?? "")")
                #expect(result["created"]?.int == count)
                #expect(total < 120_000)
                try checkGone(cluster, ports: (result["ports"]?.elements ?? []).compactMap(\.int))
            }
        }
    }

    @Test func everyKindIsPlacedSoundlyAndNoRoomIsSaid() throws {
        try LoopbackCluster.temporary("kinds", network: "127.0.49", nodes: 3) { cluster in
            let kinds = [
                "simple": [], "available": ["--replication"], "clustered": ["--shards", "4"],
                "both": ["--shards", "3", "--replication"],
                "ruled": ["--shards", "2", "--key-rule", #"user:(?<tag>\d+)"#, "--key-rule", "key:(?<tag>.):.*"],
            ]
            for (name, options) in kinds {
                try cluster.client.command(["db", "create", name, "--memory", "60mb", "--json"] + options)
                    .outputOrFail()
            }
            let databases = try cluster.databases()
            #expect(Set(databases.map(\.name)) == Set(kinds.keys))
            for database in databases { try checkServing(database.endpoint, cluster) }
            let ruled = try #require(databases.first { $0.name == "ruled" })
            try checkRules(ruled.endpoint, cluster)
            try checkPlacement(cluster)
            try checkNoRoom(cluster)
            for name in kinds.keys { try cluster.client.run("db", "delete", name, "--yes") }
            try checkGone(cluster, ports: databases.map(\.endpoint.port))
        }
    }

    private func measure(_ cluster: LoopbackCluster, count: Int, parallel: Int) throws -> JSONValue {
        let script = try Workspace.find().root + "/Tests/SystemTestScripts/databases.py"
        return try JSONValue(
            parsing: try Command(
                "python3", script, cluster.address(1), LoopbackCluster.adminUser, cluster.passwordFile, cluster.caFile,
                String(count), String(parallel)
            ).outputOrFail())
    }

    private func checkServing(_ endpoint: Endpoint, _ cluster: LoopbackCluster) throws {
        for node in 1...3 {
            let client = try RESPClient(host: cluster.address(node), port: endpoint.port, password: endpoint.password)
            let keys = (0..<50).map { "key:\(node):\($0)" }
            #expect(try client.send(keys.map { ["SET", $0, $0] }).allSatisfy { $0 == .simple("OK") })
            #expect(try client.send(keys.map { ["GET", $0] }) == keys.map { .bulk(Array($0.utf8)) })
        }
    }

    /// What stands between the colons is the tag.
    private func checkRules(_ endpoint: Endpoint, _ cluster: LoopbackCluster) throws {
        let client = try RESPClient(host: cluster.address(1), port: endpoint.port, password: endpoint.password)
        #expect(try client.send([["RENAME", "key:2:0", "key:2:x"]]) == [.simple("OK")])
        guard case .error(let text)? = try client.send([["GET", "key"]]).first else {
            Issue.record("a key that no rule matches is taken")
            return
        }
        #expect(text.hasPrefix("ERR no key rule of this database"))
    }

    /// 1 + 2 + 4 + 6 + 2 shards, and no slots twice on one node.
    private func checkPlacement(_ cluster: LoopbackCluster) throws {
        let shards = try cluster.client.json("shard", "list").elements
        #expect(shards.count == 15)
        let places = shards.map { shard in
            ["bdb_uid", "assigned_slots", "node_uid"].map { shard[$0]?.text ?? "?" }.joined(separator: "/")
        }
        #expect(Set(places).count == places.count, "a replica is beside its primary: \(places)")
        let roles = shards.filter { $0["role"]?.text == "master" }.count
        #expect(roles == 11)
    }

    private func checkNoRoom(_ cluster: LoopbackCluster) throws {
        let result = try cluster.client.command(["db", "create", "huge", "--memory", "90000gb", "--json"]).run()
        let error = try JSONValue(parsing: result.output)["error"]
        let message = error?["message"]?.text ?? ""
        print("no room: \(message)")
        #expect(error?["code"]?.text == "insufficient_resources")
        #expect(message.contains("short") && message.contains("node 1"))
        #expect(try cluster.databases().count == 5)
    }

    /// No shard runs, and the ports can be had by others.
    private func checkGone(_ cluster: LoopbackCluster, ports: [Int]) throws {
        _ = try TestedRelease.eventually("all shards to end") {
            cluster.nodes.allSatisfy { cluster.pids("redis-server", on: $0).isEmpty } ? true : nil
        }
        #expect(!ports.isEmpty)
        for node in cluster.nodes {
            #expect(Files.list(cluster.prefix(node) + "/var/lib/tarn/shards").isEmpty)
            _ = try TestedRelease.eventually("the endpoints' ports to be free on node \(node)") {
                try ports.allSatisfy { try TCP.problem(listeningAt: cluster.address(node), port: $0) == nil }
                    ? true : nil
            }
        }
    }
}
