import ClusterModel
import Glibc
import NodeService
import Primitives
import ShardControl
import TestSupport
import Testing
import WatchdogProtocol

/// The agent with real shards: databases come, change and go.
@Suite(.serialized) struct NodeAgentTests {
    @Test func twentyAtOnceAreQuick() async throws {
        try await TestCluster.with(1) { cluster in
            let node = cluster[1]
            try await cluster.apply(cluster.database(1))  // Connections stand, programs are in the page cache.
            let clock = ContinuousClock()
            let single = try await clock.measure { try await cluster.apply(cluster.database(2)) }
            let databases = (3..<23).map { cluster.database($0) }
            let start = clock.now
            let times = try await withThrowingTaskGroup(of: Duration.self) { group in
                for database in databases {
                    await cluster.commit(database)
                    group.addTask {
                        try await cluster.settle(database)
                        return clock.now - start
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }.sorted()
            }
            print("one database: \(single); twenty at once: median \(times[10]), all \(times[19])")
            #expect(node.proxy.routes.count == 22)
            #expect(Set(node.watchdog.statuses.map(\.pid)).count == 22)
            // Twenty in a row would take this long; generous, since the machine may be busy.
            #expect(times[19] < .seconds(8))
            let reports = await node.agent.shardReports()
            #expect(reports.count == 22 && reports.allSatisfy { $0.state == .ok && $0.role == .primary })
        }
    }

    @Test func replicatedAndSharded() async throws {
        try await TestCluster.with(3) { cluster in
            let clock = ContinuousClock()
            var database = cluster.database(1, on: [1, 2, 3], isReplicated: true)
            database.policy.keyRules = KeyRules(patterns: [#"a(?<tag>\d*)b"#], hashesUnmatched: true)
            let time = try await clock.measure { try await cluster.apply(database) }
            print("three primaries with replicas on three nodes: \(time)")
            for node in cluster.nodes {
                let routes = try #require(node.proxy.routes[database.id])
                #expect(routes.shards.map(\.slots) == SlotRange.even(parts: 3))
                #expect(routes.listenHost == node.address)
                #expect(routes.keyRules == database.policy.keyRules)
            }
            _ = try await cluster[1].ask(11, "SET", "a", "1")
            _ = try await cluster[1].ask(11, "WAIT", "1", "2000")
            #expect(try await cluster[2].ask(12, "GET", "a") == .bulk(Array("1".utf8)))
        }
    }

    @Test func deletedLeavesNothing() async throws {
        try await TestCluster.with(2) { cluster in
            let database = cluster.database(1, isReplicated: true, persistence: .appendOnly(everyWrite: false))
            try await cluster.apply(database)
            let gone = database.next { $0.status = .deletePending }
            try await cluster.apply(gone)
            for node in cluster.nodes {
                #expect(node.watchdog.statuses == [] && node.proxy.routes == [:])
                #expect(access(node.paths.shardDirectory(ShardID(11)), F_OK) != 0)
                #expect(access(node.paths.shardDirectory(ShardID(12)), F_OK) != 0)
            }
            await cluster.forget(1)
            try await cluster.settle(gone)
        }
    }

    @Test func forgottenWithoutWarningLeavesNothing() async throws {
        try await TestCluster.with(1) { cluster in
            try await cluster.apply(cluster.database(1))
            await cluster.forget(1)
            try await cluster.settle(cluster.database(1, epoch: 2))
            #expect(cluster[1].watchdog.statuses == [] && cluster[1].proxy.routes == [:])
        }
    }

    @Test func settingsChangeInThePlace() async throws {
        try await TestCluster.with(1) { cluster in
            let database = cluster.database(1)
            try await cluster.apply(database)
            let pid = cluster[1].pid(11)
            try await cluster.apply(
                database.next {
                    $0.policy.memoryLimit = .megabytes(10)
                    $0.policy.persistence = .snapshot([SnapshotRule(seconds: 60, writes: 1)])
                    $0.policy.eviction = .allKeysLFU
                    $0.secrets.proxy = "another"
                })
            #expect(cluster[1].pid(11) == pid)
            #expect(try await value(cluster[1], "maxmemory") == "10485760")
            #expect(try await value(cluster[1], "save") == "60 1")
            #expect(try await value(cluster[1], "maxmemory-policy") == "allkeys-lfu")
            await #expect(throws: ShardError.self) { try await cluster[1].connect(11, user: "proxy") }
            try await cluster[1].connect(11, user: "proxy", password: "another").close()
            // Also the password with which the agent itself logs in.
            try await cluster.apply(
                database.next {
                    $0.secrets.manager = "boss"; $0.epoch = Epoch(3)
                })
            try await cluster[1].connect(11, user: "manager", password: "boss").close()
        }
    }

    /// Primaries, replicas and a shard that was killed have them; the proxies' own stay with the proxies.
    @Test func settingsOfClientsReachEveryShard() async throws {
        try await TestCluster.with(2) { cluster in
            let database = cluster.database(1, isReplicated: true, persistence: .appendOnly(everyWrite: false))
            try await cluster.apply(database)
            let pids = [cluster[1].pid(11), cluster[2].pid(12)]
            let changed = database.next {
                $0.policy.settings.values = ["slowlog-max-len": "7", "timeout": "30", "latency-tracking": "no"]
                $0.status = .active
            }
            try await cluster.apply(changed)
            #expect([cluster[1].pid(11), cluster[2].pid(12)] == pids)
            for (node, shard) in [(1, 11), (2, 12)] {
                #expect(try await value(cluster[node], "slowlog-max-len", of: shard) == "7")
                #expect(try await value(cluster[node], "latency-tracking", of: shard) == "no")
                #expect(try await value(cluster[node], "timeout", of: shard) == "0")
                #expect(cluster[node].proxy.routes[database.id]?.settings == changed.policy.settings.values)
            }
            kill(try #require(pids[1]), SIGKILL)
            _ = try await cluster[2].pid(12, after: try #require(pids[1]))
            _ = try await eventually("the killed one to have it") {
                try await value(cluster[2], "slowlog-max-len", of: 12) == "7" ? true : nil
            }
            try await cluster.apply(changed.next { $0.policy.settings.values["latency-tracking"] = "yes" })
            #expect(try await value(cluster[1], "latency-tracking") == "yes")
        }
    }

    /// Lowered by clients: every shard has its part, also one that starts again; then it is what it was.
    @Test func theLoweredMemoryLimitReachesEveryShard() async throws {
        try await TestCluster.with(2) { cluster in
            let database = cluster.database(1, isReplicated: true, persistence: .appendOnly(everyWrite: false))
            try await cluster.apply(database)
            #expect(cluster[1].proxy.routes[database.id]?.memoryLimitInForce == .megabytes(32))
            let lowered = try database.next { $0.policy = try $0.policy.changing(["maxmemory": "10mb"]) }
            try await cluster.apply(lowered)
            #expect(cluster[1].proxy.routes[database.id]?.memoryLimitInForce == .megabytes(10))
            for (node, shard) in [(1, 11), (2, 12)] {
                #expect(try await value(cluster[node], "maxmemory", of: shard) == "10485760")
            }
            let pid = try #require(cluster[2].pid(12))
            kill(pid, SIGKILL)
            _ = try await cluster[2].pid(12, after: pid)
            _ = try await eventually("the killed one to have it") {
                try await value(cluster[2], "maxmemory", of: 12) == "10485760" ? true : nil
            }
            try await cluster.apply(try lowered.next { $0.policy = try $0.policy.changing(["maxmemory": "0"]) })
            #expect(try await value(cluster[1], "maxmemory") == "33554432")
        }
    }

    @Test func olderEpochsAreIgnored() async throws {
        try await TestCluster.with(1) { cluster in
            let old = cluster.database(1)
            let new = old.next { $0.policy.memoryLimit = .megabytes(10) }
            try await cluster.apply(new)
            await cluster.commit(old)
            try await cluster.settle(old)
            #expect(try await value(cluster[1], "maxmemory") == "10485760")
            #expect(cluster[1].proxy.routes[old.id]?.epoch == new.epoch)
        }
    }

    @Test func anUnknownEpochIsWaitedFor() async throws {
        try await TestCluster.with(1) { cluster in
            await cluster.publish()
            let agent = cluster[1].agent
            let early = await agent.progress(of: DatabaseID(1), epoch: Epoch(1), within: .milliseconds(20))
            guard case .waiting(let reason) = early else { return #expect(Bool(false), "\(early)") }
            #expect(reason.contains("has not seen epoch 1"))
            async let answer = agent.progress(of: DatabaseID(1), epoch: Epoch(1), within: .seconds(10))
            await cluster.commit(cluster.database(1))
            #expect(await answer == .applied(Epoch(1)))
        }
    }

    @Test func whatCannotWorkFails() async throws {
        try await TestCluster.with(1) { cluster in
            let node = cluster[1]
            node.proxy.refuse([12001])
            let refused = cluster.database(1)
            await cluster.commit(refused)
            let first = await node.agent.progress(of: refused.id, epoch: refused.epoch, within: .seconds(10))
            guard case .failed(let reason) = first else { return #expect(Bool(false), "\(first)") }
            #expect(reason.contains("12001 is taken"))
            // And it goes on by itself when the port is free.
            node.proxy.refuse([])
            _ = try await eventually("the endpoint") { node.proxy.routes[refused.id] }
            _ = try await eventually("progress") {
                let progress = await node.agent.progress(of: refused.id, epoch: Epoch(1), within: .seconds(1))
                return progress == .applied(Epoch(1)) ? true : nil
            }

            var clash = cluster.database(2)
            clash.shards[0].port = 20011
            await cluster.commit(clash)
            let second = await node.agent.progress(of: clash.id, epoch: clash.epoch, within: .seconds(10))
            guard case .failed(let why) = second else { return #expect(Bool(false), "\(second)") }
            #expect(why.contains("ends right after each start"))
        }
    }

    private func value(_ node: TestNode, _ parameter: String, of shard: Int = 11) async throws -> String? {
        for password in ["manager", "boss"] {
            guard let connection = try? await node.connect(shard, password: password) else { continue }
            defer { connection.close() }
            guard case .array(let pair?) = try await connection.send(["CONFIG", "GET", parameter]) else { return nil }
            return pair.last?.text
        }
        return nil
    }
}
