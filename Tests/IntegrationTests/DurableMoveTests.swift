import ClusterModel
import Glibc
import NodeService
import Primitives
import ShardControl
import TestSupport
import Testing

/// A shard moves whose writes wait for a replica, with real agents and redis-servers: primary 11 on node 1, its replica
/// 12 on node 2, the copy 13 on node 3.
@Suite(.serialized) struct DurableMoveTests {
    @Test func thePrimaryMovesAndOnlyTheReplicaConfirms() async throws {
        try await TestCluster.with(3) { cluster in
            let copying = try await copying(cluster)
            #expect(try await attached(to: 11, on: cluster[1]) == [20012])
            #expect(try await attached(to: 12, on: cluster[2]) == [20013])
            #expect(try await write("a", to: 11, on: cluster[1], within: 5000) == .integer(1))
            #expect(try await write("b", to: 11, on: cluster[1], within: 5000) == .integer(1))
            // It would be lost with the primary, though the copy may have it.
            let replica = try #require(cluster[2].pid(12))
            kill(replica, SIGSTOP)
            let alone = try await write("c", to: 11, on: cluster[1], within: 300)
            kill(replica, SIGCONT)
            #expect(alone == .integer(0))

            let held = copying.changing(.hold, from: 11, to: 13)
            try await cluster.apply(held)
            try await caughtUp(cluster)
            let promoting = held.next { database in
                database.shards[0].role = .replica
                database.shards[2].role = .primary
                database.shards[2].isCopying = false
            }.changing(.promote, from: 11, to: 13)
            await cluster.commit(promoting)
            var promotions = cluster[3].agent.promotions.makeAsyncIterator()
            #expect(await promotions.next()?.shard == ShardID(13))
            let moved = promoting.next { database in
                database.transitions = []
                database.shards.remove(at: 0)
            }
            let start = ContinuousClock.now
            await cluster.commit(moved)
            // The proxies let writes wait for a second.
            #expect(try await write("d", to: 13, on: cluster[3], within: 10_000) == .integer(1))
            print("the first write after the move was confirmed after \(ContinuousClock.now - start)")
            try await cluster.settle(moved)
            #expect(try await attached(to: 13, on: cluster[3]) == [20012] && cluster[1].pid(11) == nil)
            #expect(try await figure("sync_full", of: 13, on: cluster[3]) == 0, "the replica had to copy everything")
            #expect(try await cluster[2].ask(12, "DBSIZE") == .integer(4))
        }
    }

    @Test func theReplicaMovesAndIsGoneBeforeWritesGoOn() async throws {
        try await TestCluster.with(3) { cluster in
            let copying = try await copying(cluster)
            #expect(try await write("a", to: 11, on: cluster[1], within: 5000) == .integer(1))
            let copies = try await figure("sync_full", of: 11, on: cluster[1])
            let held = copying.changing(.hold, from: 11, to: 13)
            try await cluster.apply(held)
            try await caughtUp(cluster)
            let replacing = held.next { database in
                database.shards.remove(at: 1)
                database.shards[1].isCopying = false
            }.changing(.replace, from: 11, to: 13)
            let start = ContinuousClock.now
            try await cluster.apply(replacing)
            print("the replica was replaced after \(ContinuousClock.now - start)")
            #expect(cluster[2].pid(12) == nil && cluster[1].proxy.routes[held.id]?.shards.allSatisfy(\.isHeld) == true)
            #expect(try await attached(to: 11, on: cluster[1]) == [20013])
            try await cluster.apply(replacing.next { $0.transitions = [] })
            #expect(try await write("b", to: 11, on: cluster[1], within: 5000) == .integer(1))
            #expect(try await figure("sync_full", of: 11, on: cluster[1]) == copies, "the copy had to begin anew")
        }
    }

    /// Up to where the copy is whole.
    private func copying(_ cluster: TestCluster) async throws -> DatabaseConfiguration {
        var database = cluster.database(1, isReplicated: true)
        database.policy.durability = .replica
        try await cluster.apply(database)
        database.status = .active
        await cluster.commit(database)
        let copying = database.next { database in
            database.shards.append(
                ShardConfiguration(
                    id: ShardID(13), role: .replica, node: NodeID(3), slots: .all, port: 20013, isCopying: true))
        }
        try await cluster.apply(copying)
        return copying
    }

    private func write(
        _ key: String, to shard: Int, on node: TestNode, within milliseconds: Int
    ) async throws -> ShardReply {
        let connection = try await eventually("shard \(shard) to take writes") {
            let connection = try await node.connect(shard)
            return try await connection.send(["SET", key, "1"]) == .simple("OK") ? connection : nil
        }
        defer { connection.close() }
        return try await connection.send(
            ["WAIT", "1", "\(milliseconds)"], within: .milliseconds(milliseconds) + .seconds(5))
    }

    /// Ports of the replicas.
    private func attached(to shard: Int, on node: TestNode) async throws -> [UInt16] {
        let connection = try await node.connect(shard)
        defer { connection.close() }
        return try await connection.information().attachedReplicas.map(\.port)
    }

    private func figure(_ name: String, of shard: Int, on node: TestNode) async throws -> Int? {
        guard case .bulk(let bytes?) = try await node.ask(shard, "INFO", "stats") else { return nil }
        let line = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
            .first { $0.hasPrefix("\(name):") }
        return line.flatMap { Int($0.dropFirst(name.count + 1)) }
    }

    /// The copy has all that the primary had when requests were held.
    private func caughtUp(_ cluster: TestCluster) async throws {
        let primary = try await cluster[1].ask(11, "DBSIZE")
        _ = try await eventually("the copy to have everything") {
            try await cluster[3].ask(13, "DBSIZE") == primary ? true : nil
        }
    }
}

extension DatabaseConfiguration {
    fileprivate func changing(_ phase: ShardTransition.Phase, from: Int, to: Int) -> DatabaseConfiguration {
        next { database in
            database.transitions = [
                ShardTransition(
                    slots: .all, from: ShardID(from), to: ShardID(to), isPlanned: true, phase: phase,
                    since: WallTime(milliseconds: 0))
            ]
        }
    }
}
