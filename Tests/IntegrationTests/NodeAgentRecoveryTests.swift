import ClusterModel
import Glibc
import NodeService
import Primitives
import ShardControl
import Synchronization
import TestSupport
import Testing
import WatchdogProtocol

/// The agent when things die.
@Suite(.serialized) struct NodeAgentRecoveryTests {
    @Test func aRestartedManagerTouchesNothing() async throws {
        try await TestCluster.with(1) { cluster in
            let node = cluster[1]
            var databases = (1...5).map { cluster.database($0) }
            for database in databases { try await cluster.apply(database) }
            databases = databases.map {
                var active = $0; active.status = .active; return active
            }
            for database in databases { await cluster.commit(database) }
            let pids = Set(node.watchdog.statuses.map(\.pid))
            let replacements = node.proxy.replacements
            await node.stopAgent()
            node.startAgent()
            await cluster.publish()
            for database in databases { try await cluster.settle(database) }
            #expect(Set(node.watchdog.statuses.map(\.pid)) == pids)
            _ = try await eventually("the routes to be said again") {
                node.proxy.replacements > replacements ? true : nil
            }
            #expect(node.proxy.lost == [] && node.proxy.routes.count == 5)
        }
    }

    @Test func leftoversGoAfterTheFirstConfiguration() async throws {
        try await TestCluster.with(1) { cluster in
            let node = cluster[1]
            try await cluster.apply(cluster.database(1))
            try await cluster.apply(cluster.database(2))
            await node.stopAgent()
            node.startAgent()
            // Deleted while the manager was away; connected to the watchdog, it still must not touch anything.
            _ = try await eventually("the agent's reports") { await node.agent.shardReports().isEmpty ? true : nil }
            #expect(node.pid(21) != nil)
            await cluster.forget(2)
            _ = try await eventually("the leftover to go") {
                node.pid(21) == nil && access(node.paths.shardDirectory(ShardID(21)), F_OK) != 0 ? true : nil
            }
            #expect(node.pid(11) != nil)
            _ = try await eventually("the routes to go") { node.proxy.routes[DatabaseID(2)] == nil ? true : nil }
        }
    }

    @Test func aRebootBringsPersistedDataBack() async throws {
        try await TestCluster.with(1) { cluster in
            let node = cluster[1]
            var database = cluster.database(1, persistence: .appendOnly(everyWrite: true))
            try await cluster.apply(database)
            database.status = .active
            await cluster.commit(database)
            _ = try await node.ask(11, "SET", "kept", "yes")
            await node.stopAgent()
            let pid = try #require(node.pid(11))
            kill(pid, SIGKILL)
            _ = try await eventually("the shard to die") { node.pid(11) == nil ? true : nil }
            node.startAgent()
            await cluster.publish()
            try await cluster.settle(database)
            #expect(try await node.ask(11, "GET", "kept") == .bulk(Array("yes".utf8)))
        }
    }

    @Test func aKilledReplicaComesBack() async throws {
        try await TestCluster.with(2) { cluster in
            let database = try await replicated(cluster)
            let pid = try #require(cluster[2].pid(12))
            kill(pid, SIGKILL)
            _ = try await cluster[2].pid(12, after: pid)
            try await inSync(cluster[2])
            try await cluster.settle(database)
        }
    }

    /// Its primary streams on at once, not when the replica's second is over.
    @Test func aReplicaThatCameBackIsHadToAcknowledge() async throws {
        try await TestCluster.with(2) { cluster in
            _ = try await replicated(cluster)
            let pid = try #require(cluster[2].pid(12))
            kill(pid, SIGKILL)
            _ = try await cluster[2].pid(12, after: pid)
            _ = try await eventually("the replica to be asked for acknowledgements") {
                let statistics = try? await cluster[2].ask(12, "INFO", "commandstats").text
                return statistics?.contains("cmdstat_replconf:calls=") == true ? true : nil
            }
        }
    }

    /// Redis would take writes that nobody confirms for some seconds more.
    @Test func aReplicaThatIsLostWithItsNodeIsDetached() async throws {
        try await TestCluster.with(2) { cluster in
            var database = try await replicated(cluster)
            database.policy.durability = .replica
            database.epoch = Epoch(database.epoch.rawValue + 1)
            try await cluster.apply(database)
            let pid = try #require(cluster[2].pid(12))
            kill(pid, SIGSTOP)
            func replicas() async throws -> String { try await cluster[1].ask(11, "INFO", "replication").text ?? "" }
            _ = try await eventually("the replica to be silent") {
                try await replicas().contains("lag=2") ? true : nil
            }
            await cluster.publish(down: [2])
            _ = try await eventually("the replica to be detached") {
                try await replicas().contains("connected_slaves:0") ? true : nil
            }
            kill(pid, SIGCONT)
            _ = try await eventually("the replica to be back") {
                try await replicas().contains("state=online") ? true : nil
            }
        }
    }

    @Test func aKilledPrimaryWithReplicaWaitsForTheLeader() async throws {
        try await TestCluster.with(2) { cluster in
            let database = try await replicated(cluster)
            _ = try await cluster[1].ask(11, "SET", "k", "v")
            _ = try await cluster[1].ask(11, "WAIT", "1", "2000")
            let pid = try #require(cluster[1].pid(11))
            let exits = ExitRecorder(cluster[1].agent.shardExits)
            defer { exits.cancel() }
            let clock = ContinuousClock()
            let killedAt = clock.now
            kill(pid, SIGKILL)
            let exit = try await eventually("the exit") { exits.first }
            let told = clock.now - killedAt
            #expect(
                exit
                    == ShardExit(
                        shard: ShardID(11), database: database.id, role: .primary, exit: .signal(SIGKILL),
                        replicaCandidates: [ShardID(12)]))
            // Told again, since the leader may have been away: by then it would have been started long ago.
            _ = try await eventually("the reminder") { exits.count > 1 ? true : nil }
            #expect(cluster[1].pid(11) == nil)
            #expect(await cluster[1].agent.shardReports().map(\.state) == [.held])
            // It has the key, but may not tell without its primary: one that was empty would say that there is none.
            let declined = await #expect(throws: (any Error).self) { try await cluster[2].ask(12, "GET", "k") }
            #expect("\(declined, default: "nothing")".contains("MASTERDOWN"))

            let failover = database.swapped
            let start = clock.now
            await cluster.commit(failover)
            _ = try await eventually("the replica to be promoted") {
                try await cluster[2].ask(12, "SET", "after", "1") == .simple("OK") ? true : nil
            }
            print("exit told after \(told); new epoch to first write: \(clock.now - start)")
            try await cluster.settle(failover)
            #expect(try await cluster[1].ask(11, "GET", "k") == .bulk(Array("v".utf8)))
            #expect(try await cluster[1].ask(11, "GET", "after") == .bulk(Array("1".utf8)))
        }
    }

    @Test func aReleasedPrimaryStarts() async throws {
        try await TestCluster.with(2) { cluster in
            _ = try await replicated(cluster)
            let pid = try #require(cluster[1].pid(11))
            kill(pid, SIGKILL)
            _ = try await eventually("the hold") {
                await cluster[1].agent.shardReports().first?.state == .held ? true : nil
            }
            await cluster[1].agent.release(ShardID(11))
            _ = try await cluster[1].pid(11, after: pid)
            try await inSync(cluster[2])
        }
    }

    @Test func aSwitchoverLosesNoAcknowledgedWrite() async throws {
        try await TestCluster.with(2) { cluster in
            let database = try await replicated(cluster)
            let writer = Task {
                let connection = try await cluster[1].connect(11)
                defer { connection.close() }
                var written = 0
                // Proxies would hold these: here nobody does, so the writer is stopped when they would have.
                while !Task.isCancelled, (try? await connection.send(["SET", "key:\(written)", "x"])) != nil {
                    written += 1
                }
                return written
            }
            _ = try await eventually("some writes") {
                if case .integer(let count) = try await cluster[1].ask(11, "DBSIZE"), count > 500 { true } else { nil }
            }
            let clock = ContinuousClock()
            let start = clock.now
            let held = database.changing(.hold)
            try await cluster.apply(held)
            #expect(cluster[1].proxy.routes[database.id]?.shards.allSatisfy(\.isHeld) == true)
            writer.cancel()
            let written = Int64(try await writer.value)
            _ = try await eventually("the replica to have it all") {
                try await cluster[2].ask(12, "DBSIZE") == .integer(written) ? true : nil
            }
            let promoting = held.swapped.changing(.promote)
            await cluster.commit(promoting)
            var promotions = cluster[2].agent.promotions.makeAsyncIterator()
            #expect(await promotions.next()?.shard == ShardID(12))
            #expect(try await cluster[1].ask(11, "SET", "not yet", "1") == .simple("OK"), "it follows when all is done")
            try await cluster.apply(promoting.changing(nil))
            try await inSync(cluster[1])
            #expect(try await cluster[2].ask(12, "DBSIZE") == .integer(written))
            #expect(try await cluster[1].ask(11, "DBSIZE") == .integer(written))
            print("switchover with \(written) writes before it: \(clock.now - start)")
        }
    }

    @Test func lostConnectionsAreMadeAgain() async throws {
        try await TestCluster.with(1) { cluster in
            let node = cluster[1]
            try await cluster.apply(cluster.database(1))
            node.watchdog.hangUp()
            node.proxy.hangUp()
            try await cluster.apply(cluster.database(2))
            #expect(node.pid(21) != nil && node.proxy.routes.count == 2)
        }
    }

    /// One primary on node 1 (shard 11), its replica on node 2 (shard 12), no persistence, active.
    private func replicated(_ cluster: TestCluster) async throws -> DatabaseConfiguration {
        var database = cluster.database(1, isReplicated: true)
        try await cluster.apply(database)
        database.status = .active
        await cluster.commit(database)
        return database
    }

    private func inSync(_ node: TestNode) async throws {
        _ = try await eventually("the replica to be in sync") {
            await node.agent.shardReports().allSatisfy { $0.state == .ok && $0.linkUp } ? true : nil
        }
    }
}

private final class ExitRecorder: Sendable {
    private let seen = Mutex<[ShardExit]>([])
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ stream: AsyncStream<ShardExit>) {
        let reader = Task { [weak self] in
            for await exit in stream { self?.seen.withLock { $0.append(exit) } }
        }
        task.withLock { $0 = reader }
    }

    var first: ShardExit? { seen.withLock { $0.first } }
    var count: Int { seen.withLock { $0.count } }
    func cancel() { task.withLock { $0 }?.cancel() }
}
