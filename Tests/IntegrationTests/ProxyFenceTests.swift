import ClusterModel
import Glibc
import ProxyControl
import Testing
import TestSupport

/// Fenced shards: a failover does not wait for what the old primary owes, and believes nothing that it still says.
@Suite struct ProxyFenceTests {
    @Test func whatTheOldPrimaryOwesIsNobodys() throws {
        let fixture = try ProxyFixture(host: "127.0.63.20", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let clients = try (0..<6).map { _ in try fixture.connect(10001) }
        let new = try RedisConnection(path: fixture.socket(2))
        _ = try new.command(["MSET", "a", "new", "e", "new"])
        // `a` and `e` are the second shard's, `b` and `f` the first one's.
        #expect(try clients[0].command(["MSET", "a", "old", "e", "old", "b", "b", "f", "f"]) == "+OK\r\n")
        _ = try clients[5].command(["WATCH", "a"])
        let waiting = try fixture.connect(10001)
        try waiting.send(RedisConnection.encode(["XREAD", "BLOCK", "0", "STREAMS", "{a}stream", "$"]))
        let popping = try fixture.connect(10001)
        try popping.send(RedisConnection.encode(["BLPOP", "{a}list", "0"]))
        let old = try RedisConnection(path: fixture.socket(1))
        try settled(
            "blocked clients", { try old.command(["INFO", "clients"]) }, is: { $0.contains("blocked_clients:2") })
        let before = try requests(fixture)
        fixture.shards[1].signal(SIGSTOP)
        try clients[0].send([["SET", "a", "1"], ["GET", "a"], ["SET", "b", "1"]].flatMap(RedisConnection.encode))
        try clients[1].send([["MGET", "a", "b", "e"], ["GET", "e"]].flatMap(RedisConnection.encode))
        try clients[2].send([["MULTI"], ["INCR", "{a}n"], ["EXEC"]].flatMap(RedisConnection.encode))
        try clients[3].send(RedisConnection.encode(["DEL", "a", "b"]))
        try clients[4].send(RedisConnection.encode(["EVAL_RO", "return redis.call('GET', KEYS[1])", "1", "a"]))
        try settled("requests at the stopped shard", { try requests(fixture) }, is: { $0 >= before + 10 })
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 2)
        routes.shards[1].shard = ShardID(3)
        routes.shards[1].address = .local(path: fixture.socket(2))
        routes.fenced = [ShardID(2), ShardID(77)]
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        let lost = "-ERR upstream connection lost, the write may or may not have been applied\r\n"
        let expected = [
            [lost, "$3\r\nnew\r\n", "+OK\r\n"], ["*3\r\n$3\r\nnew\r\n$1\r\nb\r\n$3\r\nnew\r\n", "$3\r\nnew\r\n"],
            ["+OK\r\n", "+QUEUED\r\n", lost], [lost], ["$3\r\nnew\r\n"],
        ]
        for (client, replies) in zip(clients, expected) {
            for reply in replies {
                let actual = String(decoding: try client.reply(), as: UTF8.self)
                // Others write `b`, too.
                #expect(
                    actual == reply || actual == reply.replacing("$1\r\nb\r\n", with: "$1\r\n1\r\n")
                        || actual == reply.replacing("$1\r\nb\r\n", with: "$-1\r\n"))
            }
        }
        #expect(String(decoding: try popping.reply(), as: UTF8.self) == lost)
        fixture.shards[1].signal(SIGCONT)
        // What it executes now is its own affair, and nobody hears of it.
        try settled("the old primary's writes", { try old.command(["GET", "{a}n"]) }, is: { $0 == "$1\r\n1\r\n" })
        for client in clients[0..<5] { #expect(try client.command(["GET", "a"]) == "$3\r\nnew\r\n") }
        #expect(try clients[5].command(["MULTI"]) == "+OK\r\n")
        #expect(try clients[5].command(["GET", "a"]) == "+QUEUED\r\n")
        #expect(try clients[5].command(["EXEC"]) == "*-1\r\n")
        #expect(try clients[0].command(["XADD", "{a}stream", "1-1", "f", "v"]) == "$3\r\n1-1\r\n")
        #expect(String(decoding: try waiting.reply(), as: UTF8.self).contains("1-1"))
    }

    /// It left the routes by a planned change, owing replies, and is given up by a later one.
    @Test func aShardThatHasLeftAlreadyIsFenced() throws {
        let fixture = try ProxyFixture(host: "127.0.63.21", shards: 2, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        fixture.shards[0].signal(SIGSTOP)
        try client.send(RedisConnection.encode(["SET", "a", "2"]))
        try settled("the request", { try requests(fixture) }, is: { $0 >= 2 })
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
        routes.shards[0].shard = ShardID(2)
        routes.shards[0].address = .local(path: fixture.socket(1))
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        routes.epoch = Epoch(3)
        routes.fenced = [ShardID(1)]
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(3)))
        #expect(
            String(decoding: try client.reply(), as: UTF8.self).hasPrefix("-ERR upstream connection lost, the write"))
        fixture.shards[0].signal(SIGCONT)
        #expect(try client.command(["GET", "a"]) == "$-1\r\n")
    }

    private func requests(_ fixture: ProxyFixture) throws -> UInt64 {
        guard case .statistics(let list) = try fixture.tell(.reportStatistics) else { return 0 }
        return list.reduce(0) { $0 + $1.requests }
    }
}
