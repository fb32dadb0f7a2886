import ClusterModel
import Glibc
import ProxyControl
import Synchronization
import Testing
import TestSupport

/// A primary that declines writes for want of a replica: clients see a pause.
@Suite struct ProxyStarvationTests {
    private static let declined = "-NOREPLICAS Not enough good replicas to write.\r\n"
    private static let demoted = "-READONLY You can't write against a read only replica.\r\n"

    /// A primary whose replica has gone.
    private func starve(_ number: Int) throws -> (fixture: ProxyFixture, pair: ReplicatedPair) {
        let fixture = try ProxyFixture(host: ownNetwork + ".\(number)", shards: 0)
        let pair = try ReplicatedPair(fixture)
        _ = try fixture.tell(.update(pair.routes(epoch: 1)))
        #expect(try pair.old.command(["CONFIG", "SET", "min-replicas-to-write", "1"]) == "+OK\r\n")
        #expect(try pair.other.command(["REPLICAOF", "NO", "ONE"]) == "+OK\r\n")
        _ = try settled("no replica", { try pair.old.command(["SET", "x", "x"]) }, is: { $0 == Self.declined })
        return (fixture, pair)
    }

    private func reply(_ client: RedisConnection) throws -> String {
        String(decoding: try client.reply(), as: UTF8.self)
    }

    private func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

    @Test func pipelinesWaitInOrderAndReadsAreServed() throws {
        let (fixture, pair) = try starve(190)
        let clients = try (0..<12).map { _ in try fixture.connect(10001) }
        let rounds = 40
        for (index, client) in clients.enumerated() {
            var requests: [UInt8] = []
            for number in 1...rounds {
                let push = RedisConnection.encode(["RPUSH", "list\(index)", "\(number)"])
                requests += RedisConnection.encode(["SET", "last\(index)", "\(number)"])
                requests += RedisConnection.encode(["GET", "last\(index)"])
                if number % 10 != 0 {
                    requests += push
                } else {
                    requests += RedisConnection.encode(["MULTI"]) + push + RedisConnection.encode(["EXEC"])
                }
            }
            try client.send(requests)
        }
        // Whoever only reads sees nothing of it, again and again, also beside those who wait.
        let reader = try fixture.connect(10001)
        let start = ContinuousClock.now
        var worst = Duration.zero
        while ContinuousClock.now - start < .milliseconds(1000) {
            let asked = ContinuousClock.now
            #expect(try reader.command(["GET", "last0"]) == "$-1\r\n")
            worst = max(worst, ContinuousClock.now - asked)
        }
        #expect(worst < .milliseconds(500))
        try pair.demote()
        for (index, client) in clients.enumerated() {
            for number in 1...rounds {
                #expect(try reply(client) == "+OK\r\n")
                #expect(try reply(client) == bulk("\(number)"), "a read behind a write that waits waits too")
                let isTransaction = number % 10 == 0
                if isTransaction { for text in ["+OK\r\n", "+QUEUED\r\n"] { #expect(try reply(client) == text) } }
                #expect(try reply(client) == (isTransaction ? "*1\r\n" : "") + ":\(number)\r\n")
            }
            let list = try client.command(["LRANGE", "list\(index)", "0", "-1"])
            #expect(list == "*\(rounds)\r\n" + (1...rounds).map { bulk("\($0)") }.joined())
        }
    }

    @Test func afterTwoSecondsTheClientIsTold() throws {
        let (fixture, pair) = try starve(191)
        let client = try fixture.connect(10001)
        let start = ContinuousClock.now
        try client.send([["SET", "a", "1"], ["GET", "a"], ["SET", "a", "2"]].flatMap(RedisConnection.encode))
        #expect(try reply(client) == Self.declined)
        #expect((.milliseconds(1900)...(.milliseconds(3500))).contains(ContinuousClock.now - start))
        #expect(try reply(client) == "$-1\r\n")
        #expect(try reply(client) == Self.declined)
        // And at once from then on.
        let again = ContinuousClock.now
        #expect(try client.command(["SET", "a", "3"]) == Self.declined)
        #expect(try client.command(["SET", "a", "3"]) == Self.declined)
        #expect(ContinuousClock.now - again < .milliseconds(1500))
        try pair.demote()
        #expect(try client.command(["SET", "a", "4"]) == "+OK\r\n")
        #expect(try client.command(["GET", "a"]) == bulk("4"))
    }

    /// Commands that wait, scripts that say beforehand that they write, and what was declined in EXEC itself.
    @Test func otherCommandsWaitAsWell() throws {
        let (fixture, pair) = try starve(192)
        let calls: [([[String]], [String])] = [
            ([["EVAL", "#!lua\nreturn redis.call('INCR', KEYS[1])", "1", "counter"]], [":1\r\n"]),
            ([["MULTI"], ["INCR", "block"], ["EXEC"]], ["+OK\r\n", "+QUEUED\r\n", "*1\r\n:1\r\n"]),
            ([["BLPOP", "none", "0.1"]], ["*-1\r\n"]),
            ([["MSET", "m1", "1", "m2", "2"]], ["+OK\r\n"]),
        ]
        let clients = try calls.map { requests, _ in
            let client = try fixture.connect(10001)
            try client.send(requests.flatMap(RedisConnection.encode))
            return client
        }
        // A script that learns of it in its middle has the error, and so has its client.
        let client = try fixture.connect(10001)
        let script = "redis.call('PUBLISH', 'c', 'x') return redis.call('SET', 'a', '1')"
        let error = try client.command(["EVAL", script, "0"])
        #expect(error.hasPrefix(Self.declined.dropLast() + " script: "))
        _ = try settled("declined commands", { try declinedCount(pair.old) }, is: { $0 > 20 })
        try pair.demote()
        for ((_, replies), client) in zip(calls, clients) {
            for expected in replies { #expect(try reply(client) == expected) }
        }
    }

    private func declinedCount(_ shard: RedisConnection) throws -> Int {
        let info = try shard.command(["INFO", "errorstats"])
        let line = info.split(separator: "\r\n").first { $0.hasPrefix("errorstat_NOREPLICAS:count=") }
        return line.flatMap { Int($0.drop { $0 != "=" }.dropFirst()) } ?? 0
    }

    /// What waits goes where the routes lead.
    @Test func newRoutesTakeAlongWhatWaits() throws {
        let (fixture, pair) = try starve(193)
        let client = try fixture.connect(10001)
        try client.send([["INCR", "a"], ["GET", "a"], ["INCR", "a"]].flatMap(RedisConnection.encode))
        _ = try settled("declined commands", { try declinedCount(pair.old) }, is: { $0 > 5 })
        var routes = pair.routes(epoch: 2)
        routes.shards[0].shard = ShardID(9)
        routes.shards[0].address = .local(path: "\(fixture.directory.path)/r\(1)/shard.sock")
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        for expected in [":1\r\n", bulk("1"), ":2\r\n"] { #expect(try reply(client) == expected) }
        #expect(try pair.old.command(["EXISTS", "a"]) == ":0\r\n")
    }

    // MARK: A shard that changes its mind

    private func fake(
        _ number: Int, _ answer: @escaping @Sendable ([String]) -> String
    ) throws -> (ProxyFixture, FakeShard, RedisConnection) {
        let fixture = try ProxyFixture(host: ownNetwork + ".\(number)", shards: 0)
        let shard = try FakeShard(path: fixture.directory.path + "/fake.sock", answer: answer)
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.shards[0].address = .local(path: shard.path)
        _ = try fixture.tell(.update(routes))
        return (fixture, shard, try fixture.connect(10001))
    }

    /// A write that comes behind a declined one and is executed has overtaken it. Repeated, the earlier one would undo
    /// it, so it ends with its error; a read between them could see either and gets an error too.
    @Test(arguments: [declined, demoted]) func whatWasOvertakenIsNotRepeated(refusal: String) throws {
        let written = Mutex<[String]>([])
        let (fixture, shard, client) = try fake(refusal == Self.declined ? 194 : 195) { words in
            if words[0] == "GET" { return "$3\r\nold\r\n" }
            return written.withLock { written in
                written.append(words[2])
                return words[2] == "1" ? refusal : "+OK\r\n"
            }
        }
        defer { shard.close() }
        try client.send(
            [["GET", "a"], ["SET", "a", "1"], ["GET", "a"], ["SET", "a", "2"], ["GET", "a"]].flatMap(
                RedisConnection.encode))
        #expect(try reply(client) == bulk("old"))
        #expect(try reply(client) == refusal)
        #expect(try reply(client).hasPrefix("-ERR a write in front of this command was declined"))
        #expect(try reply(client) == "+OK\r\n")
        #expect(try reply(client) == bulk("old"))
        #expect(written.withLock { $0 } == ["1", "2"])
        _ = fixture
    }

    /// Nothing follows the one that is tried before it was taken.
    @Test func onlyOneIsTried() throws {
        let seen = Mutex<[String]>([])
        let (fixture, shard, client) = try fake(196) { words in
            seen.withLock { seen in
                seen.append(words[2])
                return seen.count < 10 ? Self.declined : "+OK\r\n"
            }
        }
        defer { shard.close() }
        try client.send((1...3).flatMap { RedisConnection.encode(["SET", "a", "\($0)"]) })
        for _ in 1...3 { #expect(try reply(client) == "+OK\r\n") }
        #expect(seen.withLock { $0 } == ["1", "2", "3"] + Array(repeating: "1", count: 7) + ["2", "3"])
        _ = fixture
    }

    /// The connection goes while a later write is on its way: it may have been executed.
    @Test(arguments: [declined, demoted]) func aLossBehindARefusalEndsBoth(refusal: String) throws {
        let seen = Mutex<[String]>([])
        let (fixture, shard, client) = try fake(refusal == Self.declined ? 197 : 198) { words in
            seen.withLock { $0.append(words[2]) }
            return words[2] == "1" ? refusal : words[2] == "2" ? "" + FakeShard.hangUp : "+OK\r\n"
        }
        defer { shard.close() }
        try client.send((1...2).flatMap { RedisConnection.encode(["SET", "a", "\($0)"]) })
        #expect(try reply(client) == refusal)
        #expect(try reply(client).hasPrefix("-ERR upstream connection lost, the write may"))
        #expect(try client.command(["SET", "a", "3"]) == "+OK\r\n")
        #expect(seen.withLock { $0 } == ["1", "2", "3"])
        _ = fixture
    }
}
