import ClusterModel
import Glibc
import ProxyControl
import Testing
import TestSupport

/// Databases whose writes wait for a replica.
@Suite struct ProxyDurabilityTests {
    private static let unconfirmed = "-NOREPLICAS the write was done at the primary"

    private func make(_ number: Int, shards count: Int, _ durability: Durability) throws -> (
        ProxyFixture, [ReplicatedShard]
    ) {
        let host = ownNetwork + ".\(number)"
        let fixture = try ProxyFixture(host: host, shards: 0)
        let shards = try (0..<count).map { index in
            try ReplicatedShard(
                path: try fixture.directory.makeDirectory("r\(index)"), host: host, port: 7000 + UInt16(index) * 2)
        }
        let routes = fixture.routes(1, port: 10001, over: shards, durability)
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(1)))
        return (fixture, shards)
    }

    private func reply(_ client: RedisConnection) throws -> String {
        String(decoding: try client.reply(), as: UTF8.self)
    }

    @Test func strictWritesFailInTimeAndWorkAgain() throws {
        let (fixture, shards) = try make(150, shards: 1, .replica)
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        #expect(try fixture.statistics(1).confirmedWrites == 1)
        shards[0].replica.signal(SIGSTOP)
        let start = ContinuousClock.now
        // What stands behind the write in its session waits with it, and nothing else does.
        try client.send([["SET", "a", "2"], ["GET", "a"]].flatMap(RedisConnection.encode))
        _ = try settled("the write", { try other.command(["GET", "a"]) }, is: { $0 == "$1\r\n2\r\n" })
        #expect(ContinuousClock.now - start < .milliseconds(900))
        #expect(try reply(client).hasPrefix(Self.unconfirmed))
        #expect(try reply(client) == "$1\r\n2\r\n")
        #expect((.milliseconds(950)...(.milliseconds(1800))).contains(ContinuousClock.now - start))
        // The replica is not waited for so long again.
        let next = ContinuousClock.now
        #expect(try client.command(["SET", "a", "3"]).hasPrefix(Self.unconfirmed))
        #expect((.milliseconds(150)...(.milliseconds(900))).contains(ContinuousClock.now - next))
        #expect(try client.command(["SET", "a", "3", "EX", "none"]).hasPrefix("-ERR value is not an integer"))
        shards[0].replica.signal(SIGCONT)
        #expect(try client.command(["SET", "a", "4"]) == "+OK\r\n")
        let statistics = try fixture.statistics(1)
        #expect(statistics.unconfirmedWrites == 2)
        #expect(statistics.confirmedWrites == 2)
        #expect(statistics.degradedWrites == 0)
        // It is again once it has confirmed.
        shards[0].replica.signal(SIGSTOP)
        let last = ContinuousClock.now
        #expect(try client.command(["SET", "a", "5"]).hasPrefix(Self.unconfirmed))
        #expect(ContinuousClock.now - last >= .milliseconds(950))
        shards[0].replica.signal(SIGCONT)
    }

    /// The time is paid once, not for each write.
    @Test func degradingWritesAreAcknowledged() throws {
        let (fixture, shards) = try make(151, shards: 1, .replicaDegrade)
        let client = try fixture.connect(10001)
        #expect(try client.command(["INCR", "a"]) == ":1\r\n")
        shards[0].replica.signal(SIGSTOP)
        let start = ContinuousClock.now
        for number in 2...50 { #expect(try client.command(["INCR", "a"]) == ":\(number)\r\n") }
        #expect((.milliseconds(950)...(.milliseconds(1900))).contains(ContinuousClock.now - start))
        #expect(try fixture.statistics(1).degradedWrites == 49)
        shards[0].replica.signal(SIGCONT)
        _ = try settled(
            "a confirmed write",
            {
                _ = try client.command(["INCR", "a"])
                return try fixture.statistics(1).confirmedWrites
            }, is: { $0 >= 3 })
        #expect(try fixture.statistics(1).unconfirmedWrites == 0)
    }

    /// Writes of every kind are withheld while no replica confirms, and nothing else is.
    @Test func everyKindOfWriteWaits() throws {
        let (fixture, shards) = try make(152, shards: 2, .replica)
        let long = String(repeating: "x", count: 300_000)
        let client = try fixture.connect(10001)
        for (key, value) in [("long", long), ("long2", long), ("long3", long), ("text", "t")] {
            #expect(try client.command(["SET", key, value]) == "+OK\r\n")
        }
        #expect(try client.command(["RPUSH", "list", "1", "2"]) == ":2\r\n")
        #expect(try client.command(["SADD", "set", "1"]) == ":1\r\n")
        let watching = try fixture.connect(10001)
        #expect(try watching.command(["WATCH", "watched"]) == "+OK\r\n")
        for shard in shards { shard.replica.signal(SIGSTOP) }
        let writes: [[[String]]] = [
            [["SET", "a", "1"]], [["SET", "a", "1", "NX", "GET"]], [["INCR", "b"]],
            [["MSET", "k1", "1", "k2", "2", "k3", "3"]],
            [["DEL", "k1", "k2", "k3", "k4"]], [["UNLINK", "u1", "u2", "u3"]],
            [["MULTI"], ["GET", "a"], ["SET", "a", "2"], ["EXEC"]],
            [["EVAL", "return redis.call('INCR', KEYS[1])", "1", "e"]],
            [["BLPOP", "list", "1"]], [["SET", "big", long]], [["GETSET", "long", "x"]], [["GETDEL", "long2"]],
            [["SORT", "set", "STORE", "set"]], [["XADD", "stream", "*", "f", "v"]], [["GETEX", "text", "EX", "100"]],
            [["HELLO", "3"], ["SET", "a", "3"]], [["HELLO", "3"], ["GETDEL", "long3"]], [["EXPIRE", "text", "100"]],
            [["CLIENT", "TRACKING", "ON"], ["SET", "tracked", "1"]],
        ]
        let waiting = try writes.map { commands in
            let client = try fixture.connect(10001)
            try client.send(commands.flatMap(RedisConnection.encode))
            return client
        }
        try watching.send([["MULTI"], ["SET", "watched", "1"], ["EXEC"]].flatMap(RedisConnection.encode))
        // Reads, refusals and messages pass meanwhile.
        let start = ContinuousClock.now
        #expect(try client.command(["GET", "text"]) == "$1\r\nt\r\n")
        #expect(try client.command(["PUBLISH", "channel", "x"]) == ":0\r\n")
        #expect(try client.command(["EVAL_RO", "return redis.call('GET', KEYS[1])", "1", "text"]) == "$1\r\nt\r\n")
        #expect(try client.command(["LPUSH", "text", "x"]).hasPrefix("-WRONGTYPE"))
        for (words, expected) in [(["MULTI"], "+OK"), (["GET", "text"], "+QUEUED"), (["EXEC"], "*1\r\n$1\r\nt")] {
            #expect(try client.command(words) == expected + "\r\n")
        }
        #expect(ContinuousClock.now - start < .milliseconds(900))
        for (client, commands) in zip(waiting + [watching], writes + [[["MULTI"], ["SET"], ["EXEC"]]]) {
            for _ in commands.dropLast() { _ = try client.reply() }
            let text = try reply(client)
            #expect(text.hasPrefix(Self.unconfirmed), "\(commands.last!.prefix(2)): \(text.prefix(60))")
        }
        for shard in shards { shard.replica.signal(SIGCONT) }
        #expect(try client.command(["MSET", "k1", "1", "k2", "2", "k3", "3"]) == "+OK\r\n")
        #expect(try client.command(["SET", "long", long]) == "+OK\r\n")
        #expect(try client.command(["GETDEL", "long"]) == "$300000\r\n\(long)\r\n")
    }

    /// Only the process that executed a write can tell whether its replica has it.
    @Test func anotherProcessConfirmsNothing() throws {
        let (fixture, shards) = try make(153, shards: 1, .replica)
        let client = try fixture.connect(10001)
        #expect(try client.command(["GET", "a"]) == "$-1\r\n")
        shards[0].primary.signal(SIGSTOP)
        try client.send(RedisConnection.encode(["SET", "a", "1"]))
        _ = try settled("the request", { try fixture.statistics(1).requests }, is: { $0 == 2 })
        _ = try fixture.statistics(1)  // A later turn: the request has left.
        fixture.proxy.signal(SIGSTOP)
        // The write is done and answered, and the answer lies in a socket when the shard begins anew.
        shards[0].primary.signal(SIGCONT)
        let side = try RedisConnection(path: shards[0].primarySocket)
        _ = try settled("the write", { try side.command(["GET", "a"]) }, is: { $0 == "$1\r\n1\r\n" })
        shards[0].primary.kill()
        try shards[0].restartPrimary()
        fixture.proxy.signal(SIGCONT)
        #expect(try reply(client).hasPrefix("-ERR upstream connection lost before a replica has confirmed the write"))
        #expect(try client.command(["GET", "a"]) == "$-1\r\n")
        #expect(try client.command(["SET", "a", "2"]) == "+OK\r\n")
    }

    @Test func aLostShardLeavesWithheldWritesInDoubt() throws {
        let (fixture, shards) = try make(154, shards: 1, .replica)
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        shards[0].replica.signal(SIGSTOP)
        try client.send(RedisConnection.encode(["SET", "a", "2"]))
        _ = try settled("the write", { try other.command(["GET", "a"]) }, is: { $0 == "$1\r\n2\r\n" })
        shards[0].primary.kill()
        let text = try reply(client)
        #expect(text.hasPrefix("-ERR upstream connection lost"))
        #expect(text.contains("may or may not"))
    }

    /// The routes may change it at any time; connections are told, not closed.
    @Test func durabilityChangesWhileInUse() throws {
        let (fixture, shards) = try make(155, shards: 1, .async)
        let client = try fixture.connect(10001)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        shards[0].replica.signal(SIGSTOP)
        #expect(try client.command(["SET", "a", "2"]) == "+OK\r\n")
        for (epoch, durability) in [(2, Durability.replica), (3, .async), (4, .replica)] {
            var routes = fixture.routes(1, port: 10001, over: shards, durability)
            routes.epoch = Epoch(epoch)
            #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(epoch)))
            let text = try client.command(["SET", "a", "3"])
            #expect(durability == .async ? text == "+OK\r\n" : text.hasPrefix(Self.unconfirmed), "\(text)")
        }
        shards[0].replica.signal(SIGCONT)
        #expect(try client.command(["WAIT", "1", "5000"]) == ":1\r\n")
        #expect(try client.command(["SET", "a", "4"]) == "+OK\r\n")
    }

    /// A shard that leaves the routes still confirms what it did.
    @Test func withheldWritesOutliveTheirRoutes() throws {
        let (fixture, shards) = try make(156, shards: 2, .replica)
        let client = try fixture.connect(10001)
        #expect(try client.command(["MSET", "a", "0", "b", "0", "c", "0"]) == "+OK\r\n")
        shards[0].replica.signal(SIGSTOP)
        shards[1].replica.signal(SIGSTOP)
        try client.send(["a", "b", "c"].flatMap { RedisConnection.encode(["INCR", $0]) })
        let sides = try shards.map { try RedisConnection(path: $0.primarySocket) }
        _ = try settled(
            "three writes", { try sides.map { try Self.commandCount($0, "incr") }.reduce(0, +) }, is: { $0 >= 3 })
        var routes = fixture.routes(1, epoch: 2, port: 10001, over: [shards[0]], .replica)
        routes.shards[0].shard = ShardID(1)
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        for shard in shards { shard.replica.signal(SIGCONT) }
        for _ in 0..<3 { #expect(try reply(client) == ":1\r\n") }
        #expect(try fixture.tell(.remove(DatabaseID(1), Epoch(3))) == .applied(DatabaseID(1), Epoch(3)))
    }

    /// Every session gets its own replies in its own order, whatever waits and whatever doesn't.
    @Test func repliesKeepTheirOrder() throws {
        let (fixture, shards) = try make(157, shards: 2, .replica)
        defer { withExtendedLifetime(shards) {} }
        let clients = try (0..<20).map { _ in try fixture.connect(10001) }
        for round in 0..<20 {
            for (index, client) in clients.enumerated() {
                try client.send(
                    (0..<40).flatMap { step -> [UInt8] in
                        let number = "\(round * 100 + step)"
                        return [
                            ["SET", "k\(index):\(step % 7)", number], ["GET", "k\(index):\(step % 7)"],
                            ["ECHO", number], ["MSET", "m\(index)", number, "n\(index)", number],
                            ["MGET", "m\(index)", "n\(index)"],
                        ].flatMap(RedisConnection.encode)
                    })
            }
            for client in clients {
                for step in 0..<40 {
                    let number = "\(round * 100 + step)"
                    let bulk = "$\(number.count)\r\n\(number)\r\n"
                    for expected in ["+OK\r\n", bulk, bulk, "+OK\r\n", "*2\r\n" + bulk + bulk] {
                        let found = try reply(client)
                        try #require(found == expected, "round \(round) step \(step): \(found) for \(expected)")
                    }
                }
            }
        }
        #expect(try fixture.statistics(1).confirmedWrites >= 20 * 20 * 40 * 2)
    }

    /// Many clients with deep pipelines and long replies, and a replica that takes its time: what is beyond the limit
    /// stays at the shard.
    @Test func whatIsWithheldIsBounded() throws {
        let (fixture, shards) = try make(158, shards: 1, .replica)
        let clients = try (0..<100).map { _ in try fixture.connect(10001) }
        for client in clients { #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n") }
        let before = try fixture.proxy.residentBytes()
        shards[0].replica.signal(SIGSTOP)
        // Redis doesn't flag it as read-only, so it may have written; 8 KB each.
        let request = RedisConnection.encode(["EVAL", "return string.rep('x', 8000)", "0"])
        let pipeline =
            [[UInt8]](repeating: request, count: 200).flatMap { $0 } + RedisConnection.encode(["ECHO", "end"])
        for client in clients { try client.send(pipeline) }
        let side = try RedisConnection(path: shards[0].primarySocket)
        var most = 0
        _ = try settled(
            "all scripts", within: 20,
            {
                most = max(most, try fixture.proxy.residentBytes())
                return try Self.commandCount(side, "eval")
            }, is: { $0 == 20_000 })
        for _ in 0..<50 {
            most = max(most, try fixture.proxy.residentBytes())
            usleep(2000)
        }
        #expect(most - before < 40 << 20, "160 MB were answered, the proxy took \((most - before) >> 20) MB")
        shards[0].replica.signal(SIGCONT)
        for client in clients {
            for _ in 0..<200 {
                let text = try reply(client)
                #expect(text.utf8.count == 8009 || text.hasPrefix(Self.unconfirmed))
            }
            #expect(try reply(client) == "$3\r\nend\r\n")
        }
    }

    private static func commandCount(_ shard: RedisConnection, _ name: String) throws -> Int {
        let field = "cmdstat_\(name):calls="
        let line = try shard.command(["INFO", "commandstats"]).split(separator: "\r\n").first { $0.hasPrefix(field) }
        return line.flatMap { Int($0.dropFirst(field.count).prefix { $0 != "," }) } ?? 0
    }
}
