import ClusterModel
import FoundationEssentials
import Glibc
import ProxyControl
import Testing
import TestSupport

/// The serving lease: without it a node writes nothing and acknowledges nothing, and goes on reading.
@Suite struct ProxyLeaseTests {
    private static let cutOff = "-ERR this node is cut off from the cluster; waited 5 s, nothing was written\r\n"
    private static let lost = "-ERR upstream connection lost, the write may or may not have been applied\r\n"

    @Test func writesWaitForTheLease() throws {
        let fixture = try ProxyFixture(host: "127.0.63.30", shards: 2)
        var routes = fixture.routes(1, port: 10001, shards: 2)
        routes.needsLease = true
        _ = try fixture.tell(.update(routes))
        _ = try fixture.tell(.update(fixture.routes(2, port: 10002, shards: 1)))
        let reader = try fixture.connect(10001)
        #expect(try reader.command(["GET", "a"]) == "$-1\r\n")
        let unleased = try fixture.connect(10002)
        #expect(try unleased.command(["SET", "unleased", "1"]) == "+OK\r\n")
        // A proxy that never had a lease waits for its first.
        let writers = try (0..<8).map { _ in try fixture.connect(10001) }
        let large = [Array("SET".utf8), Array("l".utf8), Array(repeating: 120, count: 300_000)]
        try writers[0].send(
            ["1", "2"].flatMap { RedisConnection.encode(["INCRBY", "a", $0]) + RedisConnection.encode(["GET", "a"]) })
        try writers[1].send(RedisConnection.encode(["MSET", "b", "1", "c", "1", "d", "1", "e", "1"]))
        try writers[2].send([["MULTI"], ["INCR", "n"], ["EXEC"]].flatMap(RedisConnection.encode))
        try writers[3].send(RedisConnection.encode(large))
        try writers[4].send(RedisConnection.encode(["EVAL", "return 1", "0"]))
        try writers[5].send(RedisConnection.encode(["PUBLISH", "c", "m"]))
        try writers[6].send(RedisConnection.encode(["BLPOP", "empty", "0.01"]))
        try writers[7].send(
            RedisConnection.encode(["WATCH", "w"]) + RedisConnection.encode(["EVAL_RO", "return 2", "0"]))
        for reply in ["+OK\r\n", ":2\r\n"] { #expect(String(decoding: try writers[7].reply(), as: UTF8.self) == reply) }
        for _ in 0..<100 {
            #expect(try reader.command(["MGET", "a", "b", "n", "l"]) == "*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n")
        }
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        let expected = [
            [":1\r\n", "$1\r\n1\r\n", ":3\r\n", "$1\r\n3\r\n"], ["+OK\r\n"],
            ["+OK\r\n", "+QUEUED\r\n", "*1\r\n:1\r\n"], ["+OK\r\n"],
            [":1\r\n"], [":0\r\n"], ["*-1\r\n"],
        ]
        for (writer, replies) in zip(writers, expected) {
            for reply in replies { #expect(String(decoding: try writer.reply(), as: UTF8.self) == reply) }
        }
    }

    @Test func afterFiveSecondsTheClientIsTold() throws {
        let fixture = try ProxyFixture(host: "127.0.63.31", shards: 1)
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.needsLease = true
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        _ = try fixture.tell(.update(routes))
        let client = try fixture.connect(10001)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        try fixture.send(.lease(until: 1))
        _ = try requests(fixture)  // It has been told.
        let start = ContinuousClock.now
        let large = RedisConnection.encode([Array("SET".utf8), Array("l".utf8), Array(repeating: 120, count: 300_000)])
        let requests = [["SET", "a", "2"], ["GET", "a"], ["MULTI"], ["SET", "a", "2"], ["EXEC"]]
        try client.send(requests.flatMap(RedisConnection.encode) + large + RedisConnection.encode(["GET", "l"]))
        for reply in [Self.cutOff, "$1\r\n1\r\n", "+OK\r\n", "+QUEUED\r\n", Self.cutOff, Self.cutOff, "$-1\r\n"] {
            #expect(String(decoding: try client.reply(), as: UTF8.self) == reply)
        }
        #expect((.milliseconds(4500)...(.milliseconds(7000))).contains(ContinuousClock.now - start))
        #expect(try client.command(["DEL", "a"]) == Self.cutOff)  // At once.
        #expect(ContinuousClock.now - start < .seconds(8))
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        #expect(try settled("the lease", { try client.command(["INCR", "a"]) }, is: { $0 != Self.cutOff }) == ":2\r\n")
        // Routes that need none.
        try fixture.send(.lease(until: 1))
        _ = try self.requests(fixture)
        try client.send(RedisConnection.encode(["INCR", "a"]))
        routes.needsLease = false
        routes.epoch = Epoch(2)
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        #expect(String(decoding: try client.reply(), as: UTF8.self) == ":3\r\n")
    }

    /// Sent in time, answered too late: the write may have been done by a shard that was no primary any more.
    @Test func aReplyThatComesLateIsNotPassedOn() throws {
        let fixture = try ProxyFixture(host: "127.0.63.32", shards: 1)
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.needsLease = true
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        _ = try fixture.tell(.update(routes))
        let clients = try (0..<4).map { _ in try fixture.connect(10001) }
        #expect(try clients[0].command(["SET", "a", "1"]) == "+OK\r\n")
        let blocked = try fixture.connect(10001)
        try blocked.send(RedisConnection.encode(["BLPOP", "list", "0"]))
        let shard = try RedisConnection(path: fixture.socket(0))
        try settled("BLPOP", { try shard.command(["INFO", "clients"]) }, is: { $0.contains("blocked_clients:1") })
        let before = try requests(fixture)
        fixture.shards[0].signal(SIGSTOP)
        try clients[0].send([["INCR", "a"], ["GET", "a"]].flatMap(RedisConnection.encode))
        try clients[1].send(RedisConnection.encode(["GET", "b"]))
        try clients[2].send([["MULTI"], ["INCR", "a"], ["EXEC"]].flatMap(RedisConnection.encode))
        try clients[3].send(RedisConnection.encode(["SADD", "s", "1"]))
        try settled("requests", { try requests(fixture) }, is: { $0 == before + 7 })
        _ = try requests(fixture)  // They have left.
        try fixture.send(.lease(until: 1))
        _ = try requests(fixture)  // It has been told.
        fixture.shards[0].signal(SIGCONT)
        #expect(String(decoding: try clients[0].reply(), as: UTF8.self) == Self.lost)
        #expect(String(decoding: try clients[0].reply(), as: UTF8.self).hasPrefix("$1\r\n"))
        #expect(String(decoding: try clients[1].reply(), as: UTF8.self) == "$-1\r\n")
        for reply in ["+OK\r\n", "+QUEUED\r\n", Self.lost] {
            #expect(String(decoding: try clients[2].reply(), as: UTF8.self) == reply)
        }
        #expect(String(decoding: try clients[3].reply(), as: UTF8.self) == Self.lost)
        _ = try shard.command(["RPUSH", "list", "x"])
        #expect(String(decoding: try blocked.reply(), as: UTF8.self) == Self.lost)
    }

    /// The whole node was suspended. Requests and replies that were in socket buffers come to light when it is awake
    /// again, and its lease is over.
    @Test func aSuspendedNodeAcknowledgesNothing() throws {
        let fixture = try ProxyFixture(host: "127.0.63.33", shards: 1)
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.needsLease = true
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        _ = try fixture.tell(.update(routes))
        let clients = try (0..<20).map { _ in try fixture.connect(10001) }
        for client in clients { #expect(try client.command(["GET", "a"]) == "$-1\r\n") }
        let shard = try RedisConnection(path: fixture.socket(0))
        for round in 1...5 {
            try fixture.send(.lease(until: bootMilliseconds() + 60_000))
            try settled("the lease", { try clients[0].command(["SET", "a", "0"]) }, is: { $0 == "+OK\r\n" })
            let before = try requests(fixture)
            fixture.shards[0].signal(SIGSTOP)
            for client in clients[..<10] { try client.send(RedisConnection.encode(["INCR", "a"])) }
            try settled("requests", { try requests(fixture) }, is: { $0 >= before + 10 })
            try fixture.send(.lease(until: bootMilliseconds() + 300))
            _ = try requests(fixture)
            kill(fixture.proxyIdentifier, SIGSTOP)
            try settled("a stopped proxy", { try states(fixture.proxyIdentifier) }, is: { $0.allSatisfy { $0 == "T" } })
            let end = bootMilliseconds() + 320
            // In the proxy's buffers: replies of the shard, and requests of clients.
            fixture.shards[0].signal(SIGCONT)
            try settled("writes", { try shard.command(["GET", "a"]) }, is: { $0 == "$2\r\n10\r\n" })
            for client in clients[10...] { try client.send(RedisConnection.encode(["INCR", "a"])) }
            try settled("the end of the lease", { bootMilliseconds() }, is: { $0 > end })
            kill(fixture.proxyIdentifier, SIGCONT)
            for client in clients[..<10] {
                #expect(String(decoding: try client.reply(), as: UTF8.self) == Self.lost, "round \(round)")
            }
            _ = try requests(fixture)
            #expect(try shard.command(["GET", "a"]) == "$2\r\n10\r\n", "not one write")
            try fixture.send(.lease(until: bootMilliseconds() + 60_000))
            let late = try clients[10...].map { String(decoding: try $0.reply(), as: UTF8.self) }
            #expect(late.sorted() == (11...20).map { ":\($0)\r\n" }.sorted())
        }
    }

    /// Another node may have replaced the primary while the lease was gone, whether or not anybody looked.
    @Test func aGapIsNotForgotten() throws {
        let fixture = try ProxyFixture(host: "127.0.63.34", shards: 1, threads: 1)
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.needsLease = true
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        _ = try fixture.tell(.update(routes))
        let writer = try fixture.connect(10001)
        let reader = try fixture.connect(10001)
        #expect(try writer.command(["INCR", "a"]) == ":1\r\n")
        #expect(try reader.command(["GET", "a"]) == "$1\r\n1\r\n")
        let before = try requests(fixture)
        fixture.shards[0].signal(SIGSTOP)
        try writer.send(RedisConnection.encode(["INCR", "a"]))
        try reader.send(RedisConnection.encode(["GET", "a"]))
        try settled("requests", { try requests(fixture) }, is: { $0 >= before + 2 })
        _ = try requests(fixture)  // A turn later: they have left.
        try fixture.send(.lease(until: 1))
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        _ = try requests(fixture)
        fixture.shards[0].signal(SIGCONT)
        #expect(String(decoding: try writer.reply(), as: UTF8.self) == Self.lost)
        #expect(String(decoding: try reader.reply(), as: UTF8.self) == "$1\r\n2\r\n")
        #expect(try writer.command(["INCR", "a"]) == ":3\r\n")
    }

    /// Of all threads.
    private func states(_ process: Int32) throws -> [String] {
        let tasks = "/proc/\(process)/task"
        return try FileManager.default.contentsOfDirectory(atPath: tasks).map { task in
            let text = try String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8)
            return String(text.split(separator: ")").last?.split(separator: " ").first ?? "?")
        }
    }

    private func requests(_ fixture: ProxyFixture) throws -> UInt64 {
        guard case .statistics(let list) = try fixture.tell(.reportStatistics) else { return 0 }
        return list.reduce(0) { $0 + $1.requests }
    }
}

/// Of the clock that leases go by.
func bootMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Int64(time.tv_sec * 1000 + time.tv_nsec / 1_000_000)
}
