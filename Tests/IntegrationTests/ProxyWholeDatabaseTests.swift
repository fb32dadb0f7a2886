import Glibc
import Primitives
import Testing
import TestSupport

/// Answers that are about all shards together.
@Suite struct ProxyWholeDatabaseTests {
    @Test func scanFindsEveryKeyWhateverTheCursor() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".130", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let client = try fixture.connect(10001)
        var keys: Set<String> = []
        for index in 0..<3000 {
            let isHash = index % 10 == 0
            keys.insert(isHash ? "hash:\(index)" : "key:\(index)")
            try client.send(
                RedisConnection.encode(isHash ? ["HSET", "hash:\(index)", "f", "1"] : ["SET", "key:\(index)", "1"]))
        }
        for _ in 0..<3000 { _ = try client.reply() }
        #expect(try client.command(["DBSIZE"]) == ":3000\r\n")
        #expect(try scan(client, from: "0", ["COUNT", "7"]) == keys)
        #expect(try scan(client, from: "0", ["COUNT", "100000"]) == keys)
        #expect(try scan(client, from: "0", ["TYPE", "hash", "COUNT", "50"]) == keys.filter { $0.hasPrefix("hash") })
        #expect(try scan(client, from: "0", ["MATCH", "*99", "COUNT", "50"]) == keys.filter { $0.hasSuffix("99") })
        // Of other routes, of a single server, of nobody: from the beginning, so nothing is left out.
        for cursor in ["17", "-1", "18446744073709551615", "4194304", "123456789012345"] {
            #expect(try scan(client, from: cursor, ["COUNT", "500"]) == keys, "\(cursor)")
        }
        var last = "0"
        _ = try scan(client, from: "0", ["COUNT", "300"]) { last = $0 == "0" ? last : $0 }
        _ = try fixture.tell(.update(fixture.routes(1, epoch: 2, port: 10001, shards: 2)))
        #expect(try client.command(["SCAN", last]).hasPrefix("*2\r\n"))
        #expect(try client.command(["SCAN", "x"]) == "-ERR invalid cursor\r\n")
        #expect(try client.command(["SCAN", "0", "COUNT", "x"]) == "-ERR value is not an integer or out of range\r\n")
    }

    private func scan(
        _ client: RedisConnection, from first: String, _ options: [String], _ onCursor: (String) -> Void = { _ in }
    ) throws -> Set<String> {
        var keys: Set<String> = []
        var cursor = first
        for _ in 0..<5000 {
            try client.send(RedisConnection.encode(["SCAN", cursor] + options))
            let page = ReplyTree(try client.reply())
            try #require(page.children.count == 2, "\(printable(page.line))")
            for key in page.children[1].children { keys.insert(printable(key.content)) }
            cursor = printable(page.children[0].content)
            onCursor(cursor)
            if cursor == "0" { return keys }
        }
        throw Violation("SCAN from \(first) never ended")
    }

    @Test func randomKeysComeFromEveryShardByItsSize() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".131", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["RANDOMKEY"]) == "$-1\r\n")
        // Slots: bar 5061 (first shard), foo 12182 (second).
        for index in 0..<30 { _ = try client.command(["SET", "{bar}\(index)", "1"]) }
        for index in 0..<10 { _ = try client.command(["SET", "{foo}\(index)", "1"]) }
        for _ in 0..<1000 { try client.send(RedisConnection.encode(["RANDOMKEY"])) }
        var fromFirst = 0
        for _ in 0..<1000 where String(decoding: try client.reply(), as: UTF8.self).contains("{bar}") { fromFirst += 1 }
        #expect((650...850).contains(fromFirst), "\(fromFirst) of 1000 instead of about 750")
    }

    @Test(arguments: [2, 3]) func logsAndHistogramsAreOfAllShards(version: Int) throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".13\(version)", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        for index in 0..<2 {
            let shard = try RedisConnection(path: fixture.socket(index))
            #expect(try shard.command(["CONFIG", "SET", "slowlog-log-slower-than", "0"]) == "+OK\r\n")
            #expect(try shard.command(["CONFIG", "RESETSTAT"]) == "+OK\r\n")
        }
        let client = try fixture.connect(10001)
        _ = try client.command(["HELLO", "\(version)"])
        for key in ["foo", "bar", "foo", "bar", "baz"] { _ = try client.command(["SET", key, "1"]) }
        for limit in [1, 3, -1] {
            try client.send(RedisConnection.encode(["SLOWLOG", "GET", "\(limit)"]))
            let entries = ReplyTree(try client.reply()).children
            #expect(limit < 0 ? entries.count >= 5 : entries.count == limit)
            let times = entries.map { $0.children[1].number ?? 0 }
            #expect(times == times.sorted(by: >))
        }
        #expect(
            try client.command(["SLOWLOG", "GET", "-2"]).hasPrefix("-ERR count should be greater than or equal to -1"))
        #expect(try client.command(["SLOWLOG", "RESET"]) == "+OK\r\n")
        for words in [["SET", "foo", "1"], ["CONFIG", "GET", "port"], ["FLUSHDB"], ["GET", "bar"], ["GET", "foo"]] {
            #expect(try !client.command(words).hasPrefix("-"))
        }
        // What went to all is there once, what the proxy asked for itself is not.
        #expect(try client.command(["SLOWLOG", "LEN"]) == ":5\r\n")
        try client.send(RedisConnection.encode(["SLOWLOG", "GET", "-1"]))
        let shown = ReplyTree(try client.reply()).children.map { $0.children[3].children.map { printable($0.content) } }
        #expect(shown.filter { $0 == ["FLUSHDB"] }.count == 1)
        #expect(shown.last == ["SLOWLOG", "RESET"] && !shown.contains { $0[0] == "CONFIG" })
        #expect(try client.command(["LATENCY", "DOCTOR"]).contains("latency"))
        #expect(
            try client.command(["LATENCY", "GRAPH", "nosuch"]) == plainReply(fixture, ["LATENCY", "GRAPH", "nosuch"]))
        let histogram = try client.command(["LATENCY", "HISTOGRAM", "set"])
        #expect(histogram.hasPrefix(version == 2 ? "*2\r\n$3\r\nset\r\n*4\r\n" : "%1\r\n$3\r\nset\r\n%2\r\n"))
        #expect(histogram.contains("$5\r\ncalls\r\n:6\r\n"))
        let plain = try RedisConnection(path: fixture.socket(0))
        _ = try plain.command(["HELLO", "\(version)"])
        #expect(try client.command(["FUNCTION", "STATS"]) == plain.command(["FUNCTION", "STATS"]))
    }

    /// Otherwise the proxy answers PING, and it is in no shard's log.
    @Test func aLogOfEverythingHasWhatAProxyAnswers() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".136", shards: 2)
        let words = ["slowlog-log-slower-than", "0"]
        for index in 0..<2 {
            let shard = try RedisConnection(path: fixture.socket(index))
            #expect(try shard.command(["CONFIG", "SET"] + words) == "+OK\r\n")
        }
        let quiet = fixture.routes(1, port: 10001, shards: 2)
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 2)
        routes.settings = [words[0]: words[1]]
        _ = try fixture.tell(.update(quiet))
        let client = try fixture.connect(10001)
        func logged() throws -> [String] {
            try client.send(RedisConnection.encode(["SLOWLOG", "GET", "-1"]))
            let names = ReplyTree(try client.reply()).children.map { printable($0.children[3].children[0].content) }
            return names.filter { $0 != "SLOWLOG" }
        }
        func ask() throws {
            #expect(try client.command(["SLOWLOG", "RESET"]) == "+OK\r\n")
            #expect(try client.command(["ping"]) == "+PONG\r\n")
            #expect(try client.command(["PING", "x"]) == "$1\r\nx\r\n")
            #expect(try client.command(["ECHO", "y"]) == "$1\r\ny\r\n")
            #expect(try client.command(["TIME"]).hasPrefix("*2\r\n"))
        }
        try ask()
        #expect(try logged() == [])
        _ = try fixture.tell(.update(routes))
        try ask()
        #expect(try logged() == ["TIME", "ECHO", "PING", "ping"])
    }

    /// Shards never see CLIENT: its calls are counted here, by all loops together.
    @Test func histogramsHaveWhatAProxyAnswers() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".137", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["CONFIG", "RESETSTAT"]) == "+OK\r\n")
        for _ in 0..<8 {
            let other = try fixture.connect(10001)
            for words in [["CLIENT", "ID"], ["client", "list"], ["CLIENT", "NOSUCH"]] { _ = try other.command(words) }
        }
        func histogram(_ name: String) throws -> [String: Int] {
            try client.send(RedisConnection.encode(["LATENCY", "HISTOGRAM", name]))
            let elements = ReplyTree(try client.reply()).children
            let pairs = stride(from: 0, to: elements.count, by: 2).map { index in
                (printable(elements[index].content), elements[index + 1].children[1].number ?? 0)
            }
            return Dictionary(uniqueKeysWithValues: pairs)
        }
        #expect(try histogram("client") == ["client|id": 8, "client|list": 8])
        #expect(try histogram("CLIENT|id") == ["client|id": 8])
        #expect(try client.command(["MULTI"]) == "+OK\r\n")
        #expect(try client.command(["LATENCY", "HISTOGRAM", "client|id"]) == "+QUEUED\r\n")
        #expect(try client.command(["EXEC"]).contains("$9\r\nclient|id\r\n"))
        #expect(try client.command(["CONFIG", "RESETSTAT"]) == "+OK\r\n")
        #expect(try histogram("client") == [:])
    }

    private func plainReply(_ fixture: ProxyFixture, _ words: [String]) throws -> String {
        try RedisConnection(path: fixture.socket(0)).command(words)
    }

    @Test func whatIsJoinedAndWhatIsNot() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".134", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let client = try fixture.connect(10001)
        let crossSlot = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
        let denied =
            "option of SORT denied in cluster mode when keys formed by the pattern may be in different slots.\r\n"
        for (text, expected) in [
            ("SADD foo a b c", ":3\r\n"), ("SADD bar b c d", ":3\r\n"), ("SET str x", "+OK\r\n"),
            ("SINTER foo none bar", "*0\r\n"), ("SDIFF foo bar", "*1\r\n$1\r\na\r\n"),
            ("SDIFF bar foo none", "*1\r\n$1\r\nd\r\n"), ("SDIFF none foo bar", "*0\r\n"),
            ("SUNION foo str", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SINTERCARD 2 foo bar", crossSlot), ("ZUNION 2 foo bar", crossSlot), ("PFCOUNT foo bar", crossSlot),
            ("LCS foo bar", crossSlot), ("SUNIONSTORE foo bar", crossSlot), ("COPY foo bar", crossSlot),
            ("MSETNX foo 1 bar 2", crossSlot), ("RPUSH list 3 1 2", ":3\r\n"),
            ("SORT list BY w_*", "-ERR BY \(denied)"), ("SORT list GET w_*", "-ERR GET \(denied)"),
            ("SORT_RO list BY {foo}_*", "-ERR BY \(denied)"),
            ("SORT list BY nosort GET #", "*3\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n"),
            ("SORT list BY {list}_*", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"), ("MULTI", "+OK\r\n"),
            ("SORT list BY w_*", "-ERR BY \(denied)"),
            ("EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
            ("FLUSHALL NONE", "-ERR syntax error\r\n"), ("DBSIZE", ":4\r\n"), ("FLUSHALL ASYNC", "+OK\r\n"),
            ("DBSIZE", ":0\r\n"),
        ] { #expect(try client.command(text.split(separator: " ").map(String.init)) == expected, "\(text)") }
    }
}
