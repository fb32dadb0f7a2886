import ClusterModel
import ProxyControl
import RESP
import TestSupport
import Testing

/// Key rules (`shard_key_regex`): what they say of a key decides, for every command, and nothing else does.
@Suite struct ProxyKeyRuleTests {
    private static let orders = [#"order-(?<tag>\d+)-.*"#, "user:(?<tag>[^:]+):.*"]
    private static let unmatched =
        "-ERR no key rule of this database (shard_key_regex) matches a key of this command\r\n"
    private static let crossSlot = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"

    private func fixture(
        _ number: Int, shards: Int = 2, _ patterns: [String] = orders, hashesUnmatched: Bool = false
    ) throws -> ProxyFixture {
        let fixture = try ProxyFixture(host: "127.0.63.\(number)", shards: shards, threads: 1)
        try apply(fixture, KeyRules(patterns: patterns, hashesUnmatched: hashesUnmatched), shards: shards, epoch: 1)
        return fixture
    }

    private func apply(_ fixture: ProxyFixture, _ rules: KeyRules, shards: Int, epoch: Int) throws {
        var routes = fixture.routes(1, epoch: epoch, port: 10001, shards: shards)
        routes.keyRules = rules
        guard case .applied = try fixture.tell(.update(routes)) else { throw Violation("the rules are refused") }
    }

    private func slot(_ tag: String) -> Int {
        var bytes = Array(tag.utf8)
        return SlotHasher().slot(ofTag: &bytes, count: bytes.count)
    }

    /// Index of the one shard that has a key.
    private func owner(_ fixture: ProxyFixture, _ key: String, shards: Int = 2) throws -> Int? {
        let owners = try (0..<shards).filter { index in
            try RedisConnection(path: fixture.socket(index)).command(["EXISTS", key]) == ":1\r\n"
        }
        #expect(owners.count <= 1, "\(key)")
        return owners.first
    }

    @Test func keysLieWhereTheirTagSays() throws {
        let fixture = try fixture(1, shards: 3)
        let client = try fixture.connect(10001)
        let ranges = SlotRange.even(parts: 3)
        for tag in 0..<40 {
            let keys = ["order-\(tag)-a", "order-\(tag)-{x}", "user:\(tag):b"]
            for key in keys { #expect(try client.command(["SET", key, "\(tag)"]) == "+OK\r\n") }
            let expected = ranges.firstIndex { ($0.first...$0.last).contains(UInt16(slot("\(tag)"))) }
            for key in keys { #expect(try owner(fixture, key, shards: 3) == expected, "\(key)") }
            #expect(try client.command(["RENAME", keys[0], "order-\(tag)-c"]) == "+OK\r\n")
            #expect(
                try client.command(["EVAL", "return redis.call('MGET', KEYS[1], KEYS[2])", "2", keys[1], keys[2]])
                    == "*2\r\n$\("\(tag)".count)\r\n\(tag)\r\n$\("\(tag)".count)\r\n\(tag)\r\n")
        }
        #expect(try client.command(["DBSIZE"]) == ":120\r\n")
        var cursor = "0"
        var seen: Set<String> = []
        repeat {
            let lines = try client.command(["SCAN", cursor]).split(separator: "\r\n").map(String.init)
            cursor = lines[2]
            seen.formUnion(lines.filter { $0.hasPrefix("order-") || $0.hasPrefix("user:") })
        } while cursor != "0"
        #expect(seen.count == 120)
    }

    /// Tags 1 and 2 lie in different shards.
    @Test func whatIsSplitAndWhatIsNot() throws {
        #expect((slot("1") < 8192) != (slot("2") < 8192))
        let fixture = try fixture(2)
        let client = try fixture.connect(10001)
        func ask(_ line: String) throws -> String {
            try client.command(line.split(separator: " ").map(String.init))
        }
        #expect(try ask("MSET order-1-a 1 order-2-a 2 order-1-b 3") == "+OK\r\n")
        #expect(try ask("MGET order-1-b order-2-a order-1-a") == "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n")
        #expect(try ask("EXISTS order-1-a order-2-a order-3-a") == ":2\r\n")
        #expect(try ask("SADD order-1-s a") == ":1\r\n")
        #expect(try ask("SADD order-2-s b") == ":1\r\n")
        #expect(try ask("SUNION order-1-s order-2-s").hasPrefix("*2\r\n"))
        #expect(try ask("SUNIONSTORE order-1-t order-1-s order-1-none") == ":1\r\n")
        for command in [
            "SUNIONSTORE order-1-t order-2-s", "RENAME order-1-a order-2-b", "MSETNX order-1-x 1 order-2-x 2",
            "EVAL return 2 order-1-a order-2-a", "BLPOP order-1-l order-2-l 0", "WATCH order-1-a order-2-a",
        ] { #expect(try ask(command) == Self.crossSlot, "\(command)") }
        // A brace is a letter like any other.
        #expect(try ask("RENAME order-1-{x} order-2-{x}") == Self.crossSlot)
        #expect(try ask("RPUSH order-1-l 2 1") == ":2\r\n")
        #expect(try ask("SORT order-1-l BY nosort GET #") == "*2\r\n$1\r\n2\r\n$1\r\n1\r\n")
        #expect(try ask("SORT order-1-l STORE order-1-m") == ":2\r\n")
        // What the rules would make of it nobody knows before there is a key.
        #expect(try ask("SORT order-1-l BY order-1-w*").hasPrefix("-ERR BY option of SORT denied"))
    }

    @Test func whatNoRuleMatchesIsRefused() throws {
        let fixture = try fixture(3)
        let client = try fixture.connect(10001)
        for command in [
            ["GET", "plain"], ["SET", "order-x-1", "1"], ["MSET", "order-1-a", "1", "plain", "2"],
            ["DEL", "order-1-a", "plain"], ["EVAL", "return 1", "2", "order-1-a", "plain"], ["WATCH", "plain"],
            ["BLPOP", "plain", "0"], ["SORT", "plain"], ["OBJECT", "ENCODING", "plain"], ["SUNION", "plain", "plain"],
        ] { #expect(try client.command(command) == Self.unmatched, "\(command)") }
        #expect(try client.command(["DBSIZE"]) == ":0\r\n", "nothing of a refused command is done")
        // In a pipeline it is one reply among others.
        let pipeline = [["SET", "order-1-a", "1"], ["GET", "plain"], ["GET", "order-1-a"], ["PING"], ["GET", "x"]]
        try client.send(pipeline.flatMap(RedisConnection.encode))
        for expected in ["+OK\r\n", Self.unmatched, "$1\r\n1\r\n", "+PONG\r\n", Self.unmatched] {
            #expect(String(decoding: try client.reply(), as: UTF8.self) == expected)
        }
        // Where keys are hashed whole, braces and all.
        try apply(fixture, KeyRules(patterns: Self.orders, hashesUnmatched: true), shards: 2, epoch: 2)
        for index in 0..<20 {
            let key = "{t}\(index)"
            #expect(try client.command(["SET", key, "1"]) == "+OK\r\n")
            #expect(try owner(fixture, key) == (slot(key) < 8192 ? 0 : 1))
        }
        #expect(try client.command(["GET", "order-1-a"]) == "$1\r\n1\r\n")
    }

    @Test func transactionsHaveOneTag() throws {
        let fixture = try fixture(4)
        let client = try fixture.connect(10001)
        func exchange(_ commands: [[String]]) throws -> [String] {
            try client.send(commands.flatMap(RedisConnection.encode))
            return try commands.map { _ in String(decoding: try client.reply(), as: UTF8.self) }
        }
        #expect(
            try exchange([
                ["WATCH", "order-1-w"], ["MULTI"], ["INCR", "order-1-a"], ["INCR", "user:1:a"], ["EXEC"],
            ]) == ["+OK\r\n", "+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n:1\r\n:1\r\n"])
        let abort = "-EXECABORT Transaction discarded because of previous errors.\r\n"
        #expect(
            try exchange([["MULTI"], ["INCR", "order-1-a"], ["INCR", "order-2-a"], ["EXEC"]])
                == ["+OK\r\n", "+QUEUED\r\n", Self.crossSlot, abort])
        #expect(
            try exchange([["MULTI"], ["INCR", "plain"], ["INCR", "order-1-a"], ["EXEC"]])
                == ["+OK\r\n", Self.unmatched, "+QUEUED\r\n", abort])
        #expect(try exchange([["GET", "order-1-a"]]) == ["$1\r\n1\r\n"])
    }

    @Test func blockedClientsAndChannels() throws {
        let fixture = try fixture(5)
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        try client.send(RedisConnection.encode(["BLPOP", "order-1-l", "user:1:l", "10"]))
        #expect(try other.command(["RPUSH", "user:1:l", "x"]) == ":1\r\n")
        #expect(try client.reply() == Array("*2\r\n$8\r\nuser:1:l\r\n$1\r\nx\r\n".utf8))
        // Channels are no keys: their hash tags count, and no rule has to match.
        for channel in ["news", "{1}news", "order-2-news"] {
            #expect(try client.command(["SSUBSCRIBE", channel]).hasPrefix("*3\r\n$10\r\nssubscribe\r\n"))
            #expect(try other.command(["SPUBLISH", channel, "hi"]) == ":1\r\n")
            #expect(
                try client.reply()
                    == Array("*3\r\n$8\r\nsmessage\r\n$\(channel.count)\r\n\(channel)\r\n$2\r\nhi\r\n".utf8))
            #expect(try client.command(["SUNSUBSCRIBE", channel]).hasPrefix("*3\r\n$12\r\nsunsubscribe\r\n"))
        }
    }

    /// Values that are passed on while they arrive.
    @Test func longCommands() throws {
        let fixture = try fixture(6)
        let client = try fixture.connect(10001)
        let value = String(repeating: "v", count: 3 << 20)
        for tag in 1...6 {
            #expect(try client.command(["SET", "order-\(tag)-a", value]) == "+OK\r\n")
            #expect(try client.command(["STRLEN", "order-\(tag)-a"]) == ":\(3 << 20)\r\n")
            #expect(try owner(fixture, "order-\(tag)-a") == (slot("\(tag)") < 8192 ? 0 : 1))
            #expect(try client.command(["SET", "plain", value]) == Self.unmatched)
        }
        #expect(try client.command(["GET", "order-1-a"]).utf8.count == (3 << 20) + 12)
        let key = "order-1-" + String(repeating: "k", count: 1 << 20)
        #expect(try client.command(["SET", key, value]) == "+OK\r\n")
        #expect(try client.command(["RENAME", "order-1-a", key]) == "+OK\r\n")
    }

    @Test func oneShardHasNoUseForRules() throws {
        let fixture = try fixture(7, shards: 1)
        let client = try fixture.connect(10001)
        #expect(try client.command(["MSET", "order-1-a", "1", "plain", "2"]) == "+OK\r\n")
        #expect(try client.command(["RENAME", "plain", "order-2-a"]) == "+OK\r\n")
    }

    @Test func rulesThatCanNotBeHadAreRefused() throws {
        let fixture = try fixture(8)
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 2)
        routes.keyRules = KeyRules(patterns: ["(?<tag>a"])
        guard case .refused(_, _, let message) = try fixture.tell(.update(routes)) else {
            Issue.record("taken")
            return
        }
        #expect(message.hasPrefix("shard_key_regex: rule 1 ((?<tag>a) does not compile"))
        #expect(try fixture.connect(10001).command(["SET", "order-1-a", "1"]) == "+OK\r\n", "the old ones go on")
    }

    /// A rule of exponential steps, clients with keys that show it, one by one and by the hundred, and others in the
    /// same loop: those of another database, and one of the same whose keys are harmless.
    @Test func badRulesDoNotStallTheLoop() throws {
        let tooCostly = "-ERR a key of this command takes more steps than key rules (shard_key_regex) may cost\r\n"
        let fixture = try fixture(9, [#"order-(?<tag>\d+)-.*"#, "(.|a)*(?<tag>[xy])"])
        _ = try fixture.tell(.update(fixture.routes(2, port: 10002, shards: 2)))
        let bad = try (0..<43).map { _ in try fixture.connect(10001) }
        let good = try fixture.connect(10001)
        let other = try fixture.connect(10002)
        let lengths = [1 << 20, 100, 20_000] + Array(repeating: 1000, count: 40)
        let rounds = [4, 2000, 200] + Array(repeating: 1000, count: 40)
        for (client, (length, count)) in zip(bad, zip(lengths, rounds)) {
            let key = String(repeating: "a", count: length)
            try client.send((0..<count).flatMap { _ in RedisConnection.encode(["GET", key]) })
        }
        var worst = (good: Duration.zero, other: Duration.zero)
        for round in 0..<30 {
            let begin = ContinuousClock.now
            #expect(try other.command(["SET", "k\(round)", "1"]) == "+OK\r\n")
            let middle = ContinuousClock.now
            #expect(try good.command(["GET", "order-1-a"]) == "$-1\r\n")
            worst.other = max(worst.other, middle - begin)
            worst.good = max(worst.good, ContinuousClock.now - middle)
        }
        // Milliseconds are promised; the rest is for a busy machine and a debug build.
        #expect(worst.other < .milliseconds(500), "\(worst)")
        #expect(worst.good < .seconds(5), "\(worst)")
        for (client, count) in zip(bad, rounds) {
            for _ in 0..<count {
                let reply = String(decoding: try client.reply(), as: UTF8.self)
                if reply != tooCostly { Issue.record("\(reply.prefix(200))") }
            }
        }
        #expect(try bad[0].command(["GET", "order-1-a"]) == "$-1\r\n")
        // One command with many such keys ends at the first.
        let keys = (0..<5000).map { String(repeating: "a", count: 64) + "\($0)" }
        #expect(try bad[1].command(["MGET"] + keys) == tooCostly)
    }
}
