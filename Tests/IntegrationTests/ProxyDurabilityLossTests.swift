import ClusterModel
import Glibc
import ProxyControl
import Testing
import TestSupport

/// Kills primaries under load: what was acknowledged must be at the replica.
@Suite struct ProxyDurabilityLossTests {
    private struct Loss {
        var acknowledged = 0
        var missing = 0
    }

    /// - Parameter isReplicaSlow: It is stopped for a while before the primary dies, so that more is on the way to it
    ///   than the sockets hold.
    private func kill(
        _ shard: ReplicatedShard, under durability: Durability, epoch: Int, isReplicaSlow: Bool, _ fixture: ProxyFixture
    ) throws -> Loss {
        var routes = fixture.routes(1, epoch: epoch, port: 10001, over: [shard], durability)
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(epoch)))
        let connections = try (0..<20).map { _ in try fixture.connect(10001) }
        let load = AcknowledgedWrites(connections, depth: 8, valueBytes: isReplicaSlow ? 16384 : 64)
        _ = try settled("acknowledged writes", within: 20, { load.count }, is: { $0 > 2000 })
        if isReplicaSlow {
            shard.replica.signal(SIGSTOP)
            let before = load.count
            // With `async` they are many by then; with `replica` there are none, and the time is what ends this.
            _ = try? settled("more", within: 0.7, { load.count }, is: { $0 > before + 5000 })
        } else {
            usleep(UInt32.random(in: 0..<30_000))  // Any moment will do.
        }
        shard.primary.kill()
        shard.replica.signal(SIGCONT)
        let promoted = try shard.promote()
        // The proxies learn it as they would: the sessions end with an error, or go on at the new primary.
        routes.epoch = Epoch(epoch + 1)
        routes.shards[0].shard = ShardID(epoch * 100 + 50)
        routes.shards[0].address = .local(path: shard.replicaSocket)
        routes.durability = .async
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(epoch + 1)))
        let clients = load.end()
        return Loss(
            acknowledged: clients.reduce(0) { $0 + $1.counter + $1.keys.count },
            missing: try AcknowledgedWrites.missing(clients, at: promoted))
    }

    private func run(_ durability: Durability, rounds: Int, host: String, isReplicaSlow: (Int) -> Bool) throws -> Loss {
        let fixture = try ProxyFixture(host: host, shards: 0)
        var sum = Loss()
        for round in 1...rounds {
            let shard = try ReplicatedShard(
                path: try fixture.directory.makeDirectory("r\(round)"), host: host, port: 7000 + UInt16(round) * 2)
            let loss = try kill(
                shard, under: durability, epoch: round * 2, isReplicaSlow: isReplicaSlow(round), fixture)
            #expect(durability == .async || loss.missing == 0, "round \(round)")
            sum.acknowledged += loss.acknowledged
            sum.missing += loss.missing
        }
        print("\(durability): \(rounds) primaries killed, acknowledged \(sum.acknowledged), lost \(sum.missing)")
        return sum
    }

    @Test func acknowledgedWritesSurviveTheirPrimary() throws {
        let loss = try run(.replica, rounds: 20, host: ownNetwork + ".160", isReplicaSlow: { $0 % 2 == 0 })
        #expect(loss.missing == 0)
        #expect(loss.acknowledged > 40_000)
    }

    /// Shows that the other test could fail.
    @Test func withoutWaitingSomeAreLost() throws {
        let loss = try run(.async, rounds: 3, host: ownNetwork + ".161", isReplicaSlow: { _ in true })
        #expect(loss.missing > 0)
    }
}
