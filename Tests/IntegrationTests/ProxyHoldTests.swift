import ClusterModel
import Glibc
import ProxyControl
import Testing
import TestSupport

/// Held shards: a planned change of primaries is a pause and no error.
@Suite struct ProxyHoldTests {
    @Test func primariesChangePlacesUnderLoad() throws {
        let fixture = try ProxyFixture(host: "127.0.63.10", shards: 0)
        let pair = try ReplicatedPair(fixture)
        _ = try fixture.tell(.update(pair.routes(epoch: 1)))
        let clients = try CountingClients(fixture, count: 24, depth: 16)
        var holds: [Double] = []
        var stalls: [Double] = []
        for round in 1...30 {
            let before = clients.requests
            try settled("load", { clients.requests }, is: { $0 > before + 2000 })
            let start = ContinuousClock.now
            try #require(
                try fixture.tell(.update(pair.routes(epoch: round * 2, isHeld: true)))
                    == .applied(DatabaseID(1), Epoch(round * 2)))
            holds.append(milliseconds(since: start))
            let calls = try pair.calls(of: "incr")
            let old = pair.primary
            try pair.promote()
            #expect(pair.primary != old)
            let new = pair.routes(epoch: round * 2 + 1)
            #expect(try incrementsOfReplica(pair) == calls, "nothing is written behind `applied`")
            #expect(try fixture.tell(.update(new)) == .applied(DatabaseID(1), Epoch(round * 2 + 1)))
            stalls.append(milliseconds(since: start))
            try pair.demote()
        }
        let outcome = clients.finish()
        #expect(outcome.errors == [])
        print(
            "30 switchovers, \(outcome.requests) requests: hold to applied median \(holds.sorted()[15]) worst "
                + "\(holds.max()!) ms, to release median \(stalls.sorted()[15]) worst \(stalls.max()!) ms, longest "
                + "pipeline of 16 \(outcome.worst) ms")
    }

    /// Of the server that was primary: asked after the promotion of the other.
    private func incrementsOfReplica(_ pair: ReplicatedPair) throws -> Int {
        let info = try pair.other.command(["INFO", "commandstats"])
        let line = info.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_incr:calls=") }
        return line.flatMap { Int($0.dropFirst("cmdstat_incr:calls=".count).prefix { $0 != "," }) } ?? 0
    }

    private func milliseconds(since start: ContinuousClock.Instant) -> Double {
        Double((ContinuousClock.now - start) / .microseconds(1)) / 1000
    }

    /// Whatever a session may be in the middle of.
    @Test func everythingWaitsForTheRelease() throws {
        let fixture = try ProxyFixture(host: "127.0.63.11", shards: 0)
        let pair = try ReplicatedPair(fixture)
        _ = try fixture.tell(.update(pair.routes(epoch: 1)))
        let blocked = try fixture.connect(10001)
        try blocked.send(RedisConnection.encode(["BLPOP", "list", "0"]))
        let waiting = try fixture.connect(10001)
        try waiting.send(RedisConnection.encode(["WAIT", "5", "0"]))
        let watching = try fixture.connect(10001)
        #expect(try watching.command(["WATCH", "watched"]) == "+OK\r\n")
        #expect(try watching.command(["MULTI"]) == "+OK\r\n")
        #expect(try watching.command(["SET", "watched", "1"]) == "+QUEUED\r\n")
        let block = try fixture.connect(10001)
        #expect(try block.command(["MULTI"]) == "+OK\r\n")
        #expect(try block.command(["INCR", "inBlock"]) == "+QUEUED\r\n")
        let subscriber = try fixture.connect(10001)
        #expect(try subscriber.command(["SUBSCRIBE", "channel"]).hasPrefix("*3\r\n"))
        let tracked = try fixture.connect(10001)
        _ = try tracked.command(["HELLO", "3"])
        #expect(try tracked.command(["CLIENT", "TRACKING", "ON"]) == "+OK\r\n")
        let large = try fixture.connect(10001)
        let request = RedisConnection.encode([
            Array("SET".utf8), Array("large".utf8), Array(repeating: 120, count: 1 << 20),
        ])
        try large.send(Array(request[..<700_000]))
        try settled("half a request", { try statistics(fixture).receivedBytes }, is: { $0 >= 700_000 })
        try settled("BLPOP and WAIT", { try clients(pair.old, "blocked_clients") }, is: { $0 == 2 })

        try fixture.send(.update(pair.routes(epoch: 2, isHeld: true)))
        // As if its time were over.
        #expect([":0\r\n", ":1\r\n"].contains(String(decoding: try waiting.reply(), as: UTF8.self)))
        // Half a request is out: the hold waits for the other half.
        try large.send(Array(request[700_000...]))
        #expect(String(decoding: try large.reply(), as: UTF8.self) == "+OK\r\n")
        #expect(try fixture.next() == .applied(DatabaseID(1), Epoch(2)))
        #expect(try clients(pair.old, "blocked_clients") == 0)

        let others = try [
            ["SET", "a", "1"], ["GET", "large"], ["FLUSHALL", "ASYNC"], ["EVAL", "return 1", "0"], ["PING"],
        ].map {
            let client = try fixture.connect(10001)
            try client.send(RedisConnection.encode($0))
            return client
        }
        #expect(String(decoding: try others[4].reply(), as: UTF8.self) == "+PONG\r\n")
        try watching.send(RedisConnection.encode(["EXEC"]))
        try block.send(RedisConnection.encode(["EXEC"]))
        try tracked.send(RedisConnection.encode(["GET", "none"]))
        let blockedToo = try fixture.connect(10001)
        try blockedToo.send(RedisConnection.encode(["BLPOP", "list2", "0"]))
        try large.send(request)
        let former = pair.old
        let before = try former.command(["INFO", "keyspace"]) + former.command(["DBSIZE"])
        try pair.promote()
        #expect(try former.command(["INFO", "keyspace"]) + former.command(["DBSIZE"]) == before)
        #expect(try fixture.tell(.update(pair.routes(epoch: 3))) == .applied(DatabaseID(1), Epoch(3)))

        #expect(String(decoding: try watching.reply(), as: UTF8.self) == "*-1\r\n")
        #expect(try watching.command(["GET", "watched"]) == "$-1\r\n")
        #expect(String(decoding: try block.reply(), as: UTF8.self) == "*1\r\n:1\r\n")
        #expect(String(decoding: try others[0].reply(), as: UTF8.self) == "+OK\r\n")
        #expect(try others[1].reply().count > 0)
        #expect(String(decoding: try others[2].reply(), as: UTF8.self) == "+OK\r\n")
        #expect(String(decoding: try others[3].reply(), as: UTF8.self) == ":1\r\n")
        #expect(String(decoding: try tracked.reply(), as: UTF8.self).hasPrefix(">2\r\n$10\r\ninvalidate"))
        #expect(String(decoding: try tracked.reply(), as: UTF8.self) == "_\r\n")
        #expect(String(decoding: try large.reply(), as: UTF8.self) == "+OK\r\n")
        try settled("BLPOP at the new primary", { try clients(pair.old, "blocked_clients") }, is: { $0 == 2 })
        let writer = try fixture.connect(10001)
        for list in ["list", "list2"] { #expect(try writer.command(["RPUSH", list, "x"]) == ":1\r\n") }
        #expect(String(decoding: try blocked.reply(), as: UTF8.self) == "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n")
        #expect(String(decoding: try blockedToo.reply(), as: UTF8.self) == "*2\r\n$5\r\nlist2\r\n$1\r\nx\r\n")
        #expect(try writer.command(["PUBLISH", "channel", "m"]) == ":1\r\n")
        #expect(String(decoding: try subscriber.reply(), as: UTF8.self).contains("$7\r\nchannel\r\n$1\r\nm\r\n"))
    }

    /// The shard stays: everything goes on with it, watches too.
    @Test func aHoldThatIsTakenBackLeavesNoTrace() throws {
        let fixture = try ProxyFixture(host: "127.0.63.12", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let watching = try fixture.connect(10001)
        _ = try watching.command(["WATCH", "{a}"])
        _ = try watching.command(["MULTI"])
        _ = try watching.command(["INCR", "{a}"])
        let blocked = try fixture.connect(10001)
        try blocked.send(RedisConnection.encode(["BLPOP", "{a}list", "0"]))
        let shards = try (0..<2).map { try RedisConnection(path: fixture.socket($0)) }
        let owner = try settled(
            "BLPOP", { try shards.map { try clients($0, "blocked_clients") } }, is: { $0.contains(1) }
        )
        .firstIndex(of: 1)!
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 2)
        routes.shards[owner].isHeld = true
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        try watching.send(RedisConnection.encode(["EXEC"]))
        let split = try fixture.connect(10001)
        let keys = (0..<20).map { "key\($0)" }
        try split.send(
            RedisConnection.encode(["MSET"] + keys.flatMap { [$0, "v"] }) + RedisConnection.encode(["MGET"] + keys))
        // The other shard's keys are served meanwhile.
        let free = try fixture.connect(10001)
        #expect(owner == 1)
        #expect(try free.command(["SET", "b", "1"]) == "+OK\r\n")
        #expect(try shards[owner].command(["DBSIZE"]) == ":0\r\n")
        #expect(
            try fixture.tell(.update(fixture.routes(1, epoch: 3, port: 10001, shards: 2)))
                == .applied(DatabaseID(1), Epoch(3)))
        #expect(String(decoding: try watching.reply(), as: UTF8.self) == "*1\r\n:1\r\n")
        #expect(String(decoding: try split.reply(), as: UTF8.self) == "+OK\r\n")
        #expect(
            String(decoding: try split.reply(), as: UTF8.self) == "*20\r\n"
                + String(repeating: "$1\r\nv\r\n", count: 20))
        #expect(try free.command(["RPUSH", "{a}list", "x"]) == ":1\r\n")
        #expect(String(decoding: try blocked.reply(), as: UTF8.self) == "*2\r\n$7\r\n{a}list\r\n$1\r\nx\r\n")
    }

    @Test func afterFiveSecondsTheClientIsTold() throws {
        let fixture = try ProxyFixture(host: "127.0.63.13", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let watching = try fixture.connect(10001)
        for words in [["WATCH", "a"], ["MULTI"], ["GET", "a"]] { _ = try watching.command(words) }
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
        routes.shards[0].isHeld = true
        let start = ContinuousClock.now
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        let text = "-ERR waited 5 s for the shard, which is being moved; the command was not sent\r\n"
        let clients = try (0..<3).map { _ in try fixture.connect(10001) }
        let large = RedisConnection.encode([Array("SET".utf8), Array("l".utf8), Array(repeating: 120, count: 300_000)])
        try clients[0].send(["1", "2"].flatMap { RedisConnection.encode(["SET", "a", $0]) })
        try clients[1].send(RedisConnection.encode(["BLPOP", "b", "1"]))
        try clients[2].send(large + RedisConnection.encode(["PING"]))
        try watching.send(RedisConnection.encode(["EXEC"]))
        for client in [clients[0], clients[0], clients[1], clients[2], watching] {
            #expect(String(decoding: try client.reply(), as: UTF8.self) == text)
        }
        #expect((.milliseconds(4500)...(.milliseconds(7000))).contains(ContinuousClock.now - start))
        #expect(String(decoding: try clients[2].reply(), as: UTF8.self) == "+PONG\r\n")
        #expect(try watching.command(["EXEC"]) == "-ERR EXEC without MULTI\r\n")
        // At once from now on.
        for words in [["GET", "a"], ["BLPOP", "b", "1"], ["WATCH", "a"], ["WAIT", "0", "1"]] {
            #expect(try clients[0].command(words) == text)
        }
        #expect(ContinuousClock.now - start < .seconds(8))
        #expect(
            try fixture.tell(.update(fixture.routes(1, epoch: 3, port: 10001, shards: 1)))
                == .applied(DatabaseID(1), Epoch(3)))
        #expect(try clients[0].command(["GET", "a"]) == "$-1\r\n")
        #expect(try clients[0].command(["SET", "a", "3"]) == "+OK\r\n")
    }

    /// What was not drained is not said to be; a database may go while it is held.
    @Test func holdsThatAreOvertakenAreAnswered() throws {
        let fixture = try ProxyFixture(host: "127.0.63.14", shards: 1, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        let large = RedisConnection.encode([Array("SET".utf8), Array("l".utf8), Array(repeating: 120, count: 1 << 20)])
        try client.send(Array(large[..<500_000]))
        try settled("half a request", { try statistics(fixture).receivedBytes }, is: { $0 >= 500_000 })
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
        routes.shards[0].isHeld = true
        try fixture.send(.update(routes))
        routes.epoch = Epoch(3)
        try fixture.send(.update(routes))
        guard case .refused(DatabaseID(1), Epoch(2), _) = try fixture.next() else {
            Issue.record("epoch 2 was not refused")
            return
        }
        // The rest never comes: the shard doesn't wait for it.
        #expect(try fixture.next() == .applied(DatabaseID(1), Epoch(3)))
        #expect(
            String(decoding: try client.reply(), as: UTF8.self).hasPrefix("-ERR the command took more than a second"))
        let other = try fixture.connect(10001)
        try other.send(RedisConnection.encode(["SET", "a", "1"]))
        #expect(try fixture.tell(.remove(DatabaseID(1), Epoch(4))) == .applied(DatabaseID(1), Epoch(4)))
        #expect(throws: Violation.self) { try other.reply() }
        // And comes again, held from the first.
        routes.epoch = Epoch(5)
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(5)))
        let third = try fixture.connect(10001)
        try third.send(RedisConnection.encode(["GET", "l"]))
        routes.epoch = Epoch(6)
        routes.shards[0].isHeld = false
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(6)))
        #expect(String(decoding: try third.reply(), as: UTF8.self) == "$-1\r\n")
    }

    /// Nobody waits for a script but those behind it, and the hold.
    @Test func aScriptIsWaitedFor() throws {
        let fixture = try ProxyFixture(host: "127.0.63.15", shards: 1, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        let script =
            "redis.call('SET', 'a', '1') local t = redis.call('TIME') repeat local n = redis.call('TIME') until "
            + "(n[1] - t[1]) * 1000000 + n[2] - t[2] > 400000 return 'done'"
        try client.send(RedisConnection.encode(["EVAL", script, "0"]) + RedisConnection.encode(["INCR", "a"]))
        try settled("the script", { try statistics(fixture).requests }, is: { $0 >= 2 })
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
        routes.shards[0].isHeld = true
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        #expect(String(decoding: try client.reply(), as: UTF8.self) == "$4\r\ndone\r\n")
        #expect(String(decoding: try client.reply(), as: UTF8.self) == ":2\r\n")
        try client.send(RedisConnection.encode(["INCR", "a"]))
        #expect(
            try fixture.tell(.update(fixture.routes(1, epoch: 3, port: 10001, shards: 1)))
                == .applied(DatabaseID(1), Epoch(3)))
        #expect(String(decoding: try client.reply(), as: UTF8.self) == ":3\r\n")
    }

    private func statistics(_ fixture: ProxyFixture) throws -> DatabaseStatistics {
        guard case .statistics(let list) = try fixture.tell(.reportStatistics), let first = list.first else {
            throw Violation("no statistics")
        }
        return first
    }

    private func clients(_ shard: RedisConnection, _ name: String) throws -> Int {
        let line = try shard.command(["INFO", "clients"]).split(separator: "\r\n").first { $0.hasPrefix(name + ":") }
        return line.flatMap { Int($0.dropFirst(name.count + 1)) } ?? -1
    }
}
