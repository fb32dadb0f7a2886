import ClusterModel
import Glibc
import ProxyControl
import Testing
import TestSupport

/// Replies that wait for a replica while their shard is held or fenced, or the node's lease ends.
@Suite struct ProxyWithheldReplyTests {
    private static let lost = "-ERR upstream connection lost before a replica has confirmed the write"

    /// A client whose write was executed and is withheld.
    private func withhold(
        _ number: Int, needsLease: Bool = false
    ) throws -> (fixture: ProxyFixture, shard: ReplicatedShard, routes: DatabaseRoutes, client: RedisConnection) {
        let host = ownNetwork + ".\(number)"
        let fixture = try ProxyFixture(host: host, shards: 1)
        let shard = try ReplicatedShard(path: try fixture.directory.makeDirectory("r"), host: host, port: 7000)
        var routes = fixture.routes(1, port: 10001, over: [shard], .replica)
        routes.needsLease = needsLease
        if needsLease { try fixture.send(.lease(until: bootMilliseconds() + 60_000)) }
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(1)))
        let client = try fixture.connect(10001)
        let reader = try fixture.connect(10001)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        shard.replica.signal(SIGSTOP)
        try client.send(RedisConnection.encode(["SET", "a", "2"]))
        _ = try settled("the write", { try reader.command(["GET", "a"]) }, is: { $0 == "$1\r\n2\r\n" })
        routes.epoch = Epoch(2)
        return (fixture, shard, routes, client)
    }

    private func reply(_ client: RedisConnection) throws -> String {
        String(decoding: try client.reply(), as: UTF8.self)
    }

    @Test func aHeldShardHasDrainedWhenTheyHaveLeft() throws {
        var (fixture, shard, routes, client) = try withhold(180)
        routes.shards[0].isHeld = true
        let start = ContinuousClock.now
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        #expect(ContinuousClock.now - start > .milliseconds(600))
        #expect(try reply(client).hasPrefix("-NOREPLICAS"))
        shard.replica.signal(SIGCONT)
        routes.shards[0].isHeld = false
        routes.epoch = Epoch(3)
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(3)))
        #expect(try client.command(["SET", "a", "3"]) == "+OK\r\n")
    }

    @Test func ofAFencedShardTheyAreErrors() throws {
        var (fixture, shard, routes, client) = try withhold(181)
        routes.fenced = [routes.shards[0].shard]
        routes.shards[0].shard = ShardID(500)
        routes.shards[0].address = .local(path: fixture.socket(0))
        routes.durability = .async
        let start = ContinuousClock.now
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        #expect(try reply(client).hasPrefix(Self.lost))
        #expect(ContinuousClock.now - start < .milliseconds(900))
        #expect(try client.command(["GET", "a"]) == "$-1\r\n")
        let primary = try RedisConnection(path: shard.primarySocket)
        let list = try primary.command(["CLIENT", "LIST", "TYPE", "normal"])
        #expect(list.split(separator: "\n").count { $0.contains(" addr=") } == 1, "this one's alone")
    }

    /// However short it was: a primary elsewhere may have taken over meanwhile.
    @Test(arguments: [false, true]) func withoutTheLeaseTheyAreErrors(isGivenAgain: Bool) throws {
        let (fixture, shard, _, client) = try withhold(isGivenAgain ? 182 : 183, needsLease: true)
        try fixture.send(.lease(until: 1))
        if isGivenAgain { try fixture.send(.lease(until: bootMilliseconds() + 60_000)) }
        _ = try fixture.statistics(1)  // It has been told.
        shard.replica.signal(SIGCONT)
        #expect(try reply(client).hasPrefix(Self.lost))
        if !isGivenAgain { try fixture.send(.lease(until: bootMilliseconds() + 60_000)) }
        #expect(try client.command(["SET", "a", "3"]) == "+OK\r\n")
    }
}
