import ClusterModel
import Dispatch
import Glibc
import ProxyControl
import Synchronization
import Testing
import TestSupport

/// What a client sees of a failover: a pause, as long as nothing is in doubt.
@Suite struct ProxyFailoverTests {
    /// The shard was made a replica before the proxy has heard of it.
    @Test(arguments: [true, false]) func declinedWritesWaitForAPrimary(isReplaced: Bool) throws {
        let fixture = try ProxyFixture(host: isReplaced ? "127.0.41.130" : "127.0.41.131", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let old = try RedisConnection(path: fixture.socket(0))
        let clients = try (0..<5).map { _ in try fixture.connect(10001) }
        for (index, client) in clients.enumerated() {
            #expect(try client.command(["RPUSH", "list\(index)", "first"]) == ":1\r\n")
        }
        #expect(try old.command(["REPLICAOF", "127.0.41.130", "1"]) == "+OK\r\n")
        // A pipeline of writes and transactions for each client; a list tells their order.
        for (index, client) in clients.enumerated() {
            try client.send(
                (1...50).flatMap { number -> [UInt8] in
                    let push = RedisConnection.encode(["RPUSH", "list\(index)", "\(number)"])
                    if number % 10 != 0 { return push }
                    return RedisConnection.encode(["MULTI"]) + push + RedisConnection.encode(["EXEC"])
                })
        }
        // All are declined before anything changes.
        _ = try settled("declined writes", { try declined(old) }, is: { $0 >= 5 })
        if isReplaced {
            var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
            routes.shards[0].shard = ShardID(2)
            routes.shards[0].address = .local(path: fixture.socket(1))
            #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        } else {
            #expect(try old.command(["REPLICAOF", "NO", "ONE"]) == "+OK\r\n")
        }
        let offset = isReplaced ? 0 : 1
        for (index, client) in clients.enumerated() {
            for number in 1...50 {
                let isTransaction = number % 10 == 0
                if isTransaction { for text in ["+OK\r\n", "+QUEUED\r\n"] { #expect(try reply(client) == text) } }
                #expect(try reply(client) == (isTransaction ? "*1\r\n" : "") + ":\(number + offset)\r\n")
            }
            let expected = (isReplaced ? [] : ["first"]) + (1...50).map(String.init)
            let list = try client.command(["LRANGE", "list\(index)", "0", "-1"])
            #expect(list == "*\(expected.count)\r\n" + expected.map { "$\($0.count)\r\n\($0)\r\n" }.joined())
        }
    }

    @Test func afterFiveSecondsTheClientIsTold() throws {
        let fixture = try ProxyFixture(host: "127.0.41.132", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        let shard = try RedisConnection(path: fixture.socket(0))
        _ = try shard.command(["REPLICAOF", "127.0.41.132", "1"])
        let start = ContinuousClock.now
        #expect(try client.command(["SET", "a", "2"]).hasPrefix("-READONLY You can't write"))
        #expect(ContinuousClock.now - start > .seconds(4))
        #expect(try client.command(["GET", "a"]) == "$1\r\n1\r\n")
        // And at once from then on, as long as it goes on.
        #expect(try client.command(["SET", "a", "2"]).hasPrefix("-READONLY You can't write"))
        #expect(ContinuousClock.now - start < .seconds(8))
        _ = try shard.command(["REPLICAOF", "NO", "ONE"])
        #expect(try client.command(["SET", "a", "3"]) == "+OK\r\n")
    }

    @Test func readsThatWereLostAreAskedAgain() throws {
        let fixture = try ProxyFixture(host: "127.0.41.133", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["GET", "a"]) == "$-1\r\n")
        fixture.shards[0].signal(SIGSTOP)
        try client.send([["GET", "a"], ["SET", "a", "1"], ["GET", "a"]].flatMap(RedisConnection.encode))
        try settled("requests at the stopped shard", { try statistics(fixture) }, is: { $0 >= 4 })
        fixture.shards[0].kill()
        try fixture.restartShard(0)
        // The write is in doubt if it had left; the reads are answered by the shard's successor in any case.
        let replies = try (0..<3).map { _ in String(decoding: try client.reply(), as: UTF8.self) }
        #expect(replies[0] == "$-1\r\n")
        if replies[1] == "+OK\r\n" {
            #expect(replies[2] == "$1\r\n1\r\n")
        } else {
            #expect(replies[1].hasPrefix("-ERR upstream connection lost, the write may"))
            #expect(replies[2] == "$-1\r\n")
        }
    }

    /// The kernel tells of the last reply and of the end behind it at once, and only once.
    @Test func aShardThatEndsBehindAReplyIsNoticed() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".136", shards: 0)
        let mayAnswer = DispatchSemaphore(value: 0)
        let asked = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        let shard = try FakeShard(path: fixture.directory.path + "/fake.sock") { words in
            if isOver.load(ordering: .relaxed) { return "$5\r\nagain\r\n" }
            asked.add(1, ordering: .relaxed)
            mayAnswer.wait()
            isOver.store(true, ordering: .relaxed)
            return "$3\r\none\r\n" + FakeShard.hangUp
        }
        defer { shard.close() }
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.shards[0].address = .local(path: shard.path)
        _ = try fixture.tell(.update(routes))
        let client = try fixture.connect(10001)
        try client.send([["GET", "a"], ["GET", "b"]].flatMap(RedisConnection.encode))
        _ = try settled("the request", { asked.load(ordering: .relaxed) }, is: { $0 == 1 })
        fixture.proxy.signal(SIGSTOP)
        mayAnswer.signal()
        _ = try settled("the end", { isOver.load(ordering: .relaxed) }, is: { $0 })
        usleep(20_000)  // `close` follows at once; nothing tells from outside when it has happened.
        fixture.proxy.signal(SIGCONT)
        #expect(try reply(client) == "$3\r\none\r\n")
        #expect(try reply(client) == "$5\r\nagain\r\n")
    }

    /// Whoever waits for an element goes on waiting where the elements will come, for what is left of its time.
    @Test(arguments: [true, false]) func blockedCallsMoveWithTheRoutes(isDemoted: Bool) throws {
        let fixture = try ProxyFixture(host: isDemoted ? "127.0.41.134" : "127.0.41.135", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let old = try RedisConnection(path: fixture.socket(0))
        let writer = try fixture.connect(10001)
        #expect(try writer.command(["XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM"]) == "+OK\r\n")
        let calls: [([String], String)] = [
            (["BLPOP", "list", "0"], "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n"),
            (["BLMPOP", "20", "1", "list2", "LEFT"], "*2\r\n$5\r\nlist2\r\n*1\r\n$1\r\nx\r\n"),
            (["XREAD", "BLOCK", "20000", "STREAMS", "stream2", "0"], "*1\r\n*2\r\n$7\r\nstream2\r\n"),
            (["BZPOPMIN", "none", "1.5"], "*-1\r\n"),
        ]
        let start = ContinuousClock.now
        let blocked = try calls.map { words, _ in
            let client = try fixture.connect(10001)
            try client.send(RedisConnection.encode(words) + RedisConnection.encode(["PING"]))
            return client
        }
        _ = try settled("blocked clients", { try blockedClients(old) }, is: { $0 == calls.count })
        if isDemoted {
            #expect(try old.command(["REPLICAOF", "127.0.41.134", "1"]) == "+OK\r\n")
        }
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
        routes.shards[0].shard = ShardID(2)
        routes.shards[0].address = .local(path: fixture.socket(1))
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        let new = try RedisConnection(path: fixture.socket(1))
        _ = try settled("blocked clients", { try blockedClients(new) }, is: { $0 == calls.count })
        #expect(try blockedClients(old) == 0)
        #expect(try writer.command(["RPUSH", "list", "x"]) == ":1\r\n")
        #expect(try writer.command(["RPUSH", "list2", "x"]) == ":1\r\n")
        #expect(try writer.command(["XADD", "stream2", "1-1", "a", "b"]) == "$3\r\n1-1\r\n")
        for (client, call) in zip(blocked, calls) {
            let reply = String(decoding: try client.reply(), as: UTF8.self)
            #expect(reply.hasPrefix(call.1), "\(call.0): \(reply)")
            #expect(String(decoding: try client.reply(), as: UTF8.self) == "+PONG\r\n")
        }
        #expect((.milliseconds(1400)...(.milliseconds(4000))).contains(ContinuousClock.now - start))
    }

    private func blockedClients(_ shard: RedisConnection) throws -> Int {
        let line = try shard.command(["INFO", "clients"]).split(separator: "\r\n").first {
            $0.hasPrefix("blocked_clients:")
        }
        return line.flatMap { Int($0.dropFirst("blocked_clients:".count)) } ?? -1
    }

    private func reply(_ client: RedisConnection) throws -> String {
        String(decoding: try client.reply(), as: UTF8.self)
    }

    private func statistics(_ fixture: ProxyFixture) throws -> UInt64 {
        guard case .statistics(let list) = try fixture.tell(.reportStatistics) else { return 0 }
        return list.reduce(0) { $0 + $1.requests }
    }

    private func declined(_ shard: RedisConnection) throws -> Int {
        let info = try shard.command(["INFO", "errorstats"])
        let line = info.split(separator: "\r\n").first { $0.hasPrefix("errorstat_READONLY:count=") }
        return line.flatMap { Int($0.drop { $0 != "=" }.dropFirst()) } ?? 0
    }
}
