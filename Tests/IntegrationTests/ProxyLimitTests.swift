import ClusterModel
import Glibc
import ProxyControl
import Testing
import TestSupport

/// One client's hunger is nobody else's.
@Suite struct ProxyLimitTests {
    private func fixture(_ number: Int, shards: Int = 2, threads: Int = 1) throws -> ProxyFixture {
        try ProxyFixture(host: "127.0.41.\(number)", shards: shards, threads: threads)
    }

    @Test func idleClientsAreClosedAndWaitingOnesAreNot() throws {
        let fixture = try fixture(170)
        var routes = fixture.routes(1, port: 10001, shards: 2)
        routes.settings["timeout"] = "1"
        _ = try fixture.tell(.update(routes))
        let idle = try fixture.connect(10001)
        let blocked = try fixture.connect(10001)
        let subscriber = try fixture.connect(10001)
        #expect(try idle.command(["PING"]) == "+PONG\r\n")
        _ = try subscriber.command(["SUBSCRIBE", "ch"])
        try blocked.send(RedisConnection.encode(["BLPOP", "list", "0"]))
        #expect(throws: (any Error).self) { try idle.reply() }
        let other = try fixture.connect(10001)
        #expect(try other.command(["PUBLISH", "ch", "x"]) == ":1\r\n")
        #expect(try other.command(["RPUSH", "list", "x"]) == ":1\r\n")
        #expect(String(decoding: try blocked.reply(), as: UTF8.self) == "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n")
        // Without the setting idle clients stay.
        _ = try fixture.tell(.update(fixture.routes(1, epoch: 2, port: 10001, shards: 2)))
        let welcome = try fixture.connect(10001)
        var strict = fixture.routes(2, port: 10002, shards: 1)
        strict.settings["timeout"] = "1"
        _ = try fixture.tell(.update(strict))
        let closed = try fixture.connect(10002)
        #expect(throws: (any Error).self) { try closed.reply() }  // So a second has passed.
        #expect(try welcome.command(["PING"]) == "+PONG\r\n")
    }

    /// As redis-server does: passed on while it arrives (SET), held whole (EVAL), either is the end of the connection.
    @Test(arguments: ["SET", "EVAL"]) func aLongQueryIsCutOff(name: String) throws {
        let fixture = try fixture(name == "SET" ? 180 : 181)
        var routes = fixture.routes(1, port: 10001, shards: 2)
        routes.settings["client-query-buffer-limit"] = String(1 << 20)
        _ = try fixture.tell(.update(routes))
        func words(_ count: Int) -> [String] {
            let text = String(repeating: "x", count: count)
            return name == "SET" ? ["SET", "key", text] : ["EVAL", "return #'\(text)'", "1", "key"]
        }
        let client = try fixture.connect(10001)
        #expect(try !client.command(words(900 << 10)).hasPrefix("-"))
        #expect(throws: (any Error).self) { try client.command(words(3 << 20)) }
        let other = try fixture.connect(10001)
        #expect(try other.command(["STRLEN", "key"]) == (name == "SET" ? ":921600\r\n" : ":0\r\n"))
        _ = try fixture.tell(.update(fixture.routes(1, epoch: 2, port: 10001, shards: 2)))
        #expect(try !other.command(words(3 << 20)).hasPrefix("-"))
    }

    @Test func connectionsBeyondTheLimitAreRefused() throws {
        let fixture = try fixture(171, threads: 2)
        var routes = fixture.routes(1, port: 10001, shards: 2)
        routes.maximumConnections = 3
        _ = try fixture.tell(.update(routes))
        var clients = try (0..<3).map { _ in try fixture.connect(10001) }
        for client in clients { #expect(try client.command(["PING"]) == "+PONG\r\n") }
        let fourth = try fixture.connect(10001)
        #expect(String(decoding: try fourth.reply(), as: UTF8.self) == "-ERR max number of clients reached\r\n")
        clients.removeLast()
        _ = try settled(
            "room for one more", { try? fixture.connect(10001).command(["PING"]) }, is: { $0 == "+PONG\r\n" })
    }

    /// More than a second's worth of connections at once: they wait, nobody is refused, others go on.
    @Test func aFloodOfConnectionsIsTakenBitByBit() throws {
        let fixture = try fixture(172)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let steady = try fixture.connect(10001)
        var last: RedisConnection?
        for _ in 0..<7000 { last = try fixture.connect(10001) }
        #expect(try steady.command(["PING"]) == "+PONG\r\n")
        #expect(try last?.command(["PING"]) == "+PONG\r\n")
    }

    /// A client that asks and does not read is cut off; meanwhile it gets no more than its share of memory.
    @Test func aClientThatDoesNotReadIsHeldBack() throws {
        let fixture = try fixture(173)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let other = try fixture.connect(10001)
        let value = String(repeating: "x", count: 1 << 20)
        #expect(try other.command(["SET", "big", value]) == "+OK\r\n")
        let greedy = try fixture.connect(10001)
        try greedy.send((0..<2000).flatMap { _ in RedisConnection.encode(["GET", "big"]) })
        for _ in 0..<50 { #expect(try other.command(["GET", "none"]) == "$-1\r\n") }
        let resident = try fixture.proxy.residentBytes()
        #expect(resident < 400 << 20, "\(resident >> 20) MiB for one client")
    }

    /// Replies of a fast shard pile up behind one of a stopped shard: bounded as well.
    @Test func repliesThatWaitForTheirTurnAreBounded() throws {
        let fixture = try fixture(174)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let other = try fixture.connect(10001)
        let value = String(repeating: "x", count: 4 << 20)
        #expect(try other.command(["SET", "a", value]) == "+OK\r\n")  // Slot 15495: the second shard.
        #expect(try other.command(["GET", "b"]) == "$-1\r\n")  // Slot 3300: the first.
        fixture.shards[0].signal(SIGSTOP)
        defer { fixture.shards[0].signal(SIGCONT) }
        let greedy = try fixture.connect(10001)
        try greedy.send(RedisConnection.encode(["GET", "b"]))
        try greedy.send((0..<200).flatMap { _ in RedisConnection.encode(["GET", "a"]) })
        #expect(throws: (any Error).self) { try greedy.reply() }
        #expect(try other.command(["STRLEN", "a"]) == ":\(4 << 20)\r\n")
        let resident = try fixture.proxy.residentBytes()
        #expect(resident < 700 << 20, "\(resident >> 20) MiB for one client")
    }

    /// One client keeps a deep pipeline full for the whole test; another one on the same loop is served in between.
    @Test func aFloodOfRequestsLeavesRoomForOthers() throws {
        let fixture = try fixture(175)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        _ = try fixture.tell(.update(fixture.routes(2, port: 10002, shards: 2)))
        let flood = try fixture.connect(10001)
        let batch = [[UInt8]](repeating: RedisConnection.encode(["INCR", "n"]), count: 10_000).flatMap { $0 }
        let other = try fixture.connect(10002)
        for round in 1...20 {
            try flood.send(batch)
            // The answer comes while the batch is still worked on, not behind it.
            for _ in 0..<5 { #expect(try other.command(["GET", "x"]) == "$-1\r\n") }
            for number in 1...10_000 {
                let expected = ":\((round - 1) * 10_000 + number)\r\n"
                guard String(decoding: try flood.reply(), as: UTF8.self) == expected else {
                    throw Violation("a reply of the flood is not \(expected)")
                }
            }
        }
    }
}
