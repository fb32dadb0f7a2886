import ProxyControl
import Testing
import TestSupport

/// CLIENT, SELECT and what else is about connections, over several loops.
@Suite struct ProxyClientCommandTests {
    private func fixture(_ number: Int, shards: Int = 2) throws -> ProxyFixture {
        let fixture = try ProxyFixture(host: "127.0.41.\(number)", shards: shards)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards)))
        return fixture
    }

    @Test func listKnowsTheClientsOfAllLoops() throws {
        let fixture = try fixture(160)
        let clients = try (0..<12).map { _ in try fixture.connect(10001) }
        for (index, client) in clients.enumerated() {
            #expect(try client.command(["CLIENT", "SETNAME", "c\(index)"]) == "+OK\r\n")
        }
        _ = try clients[1].command(["SUBSCRIBE", "ch", "ch2"])
        _ = try clients[2].command(["MULTI"])
        let list = try clients[0].command(["CLIENT", "LIST"])
        let lines = list.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("id=") }
        #expect(lines.count == 12)
        for index in 0..<12 { #expect(lines.contains { $0.contains(" name=c\(index) ") }, "c\(index)") }
        #expect(lines.contains { $0.contains(" name=c1 ") && $0.contains(" flags=P db=0 sub=2 psub=0 ssub=0 ") })
        #expect(lines.contains { $0.contains(" name=c2 ") && $0.contains(" flags=x ") && $0.contains(" multi=0 ") })
        #expect(
            lines.contains { $0.contains(" name=c0 ") && $0.contains(" qbuf=26 ") && $0.contains(" cmd=client|list ") })
        #expect(try clients[0].command(["CLIENT", "LIST", "TYPE", "pubsub"]).contains(" name=c1 "))
        #expect(try clients[0].command(["CLIENT", "LIST", "TYPE", "bad"]) == "-ERR Unknown client type 'bad'\r\n")
        let identifier = try number(clients[5].command(["CLIENT", "ID"]))
        let one = try clients[0].command(["CLIENT", "LIST", "ID", "\(identifier)"])
        #expect(one.contains("id=\(identifier) ") && one.contains(" name=c5 "))
    }

    @Test func killEndsOthersAndOneself() throws {
        let fixture = try fixture(161)
        let clients = try (0..<8).map { _ in try fixture.connect(10001) }
        let identifiers = try clients.map { try number($0.command(["CLIENT", "ID"])) }
        #expect(try clients[0].command(["CLIENT", "KILL", "ID", "\(identifiers[1])"]) == ":1\r\n")
        #expect(throws: (any Error).self) { try clients[1].command(["PING"]) }
        #expect(try clients[0].command(["CLIENT", "KILL", "ID", "\(identifiers[1])"]) == ":0\r\n")
        #expect(try clients[0].command(["CLIENT", "KILL", "1.2.3.4:5"]) == "-ERR No such client\r\n")
        #expect(try clients[0].command(["CLIENT", "KILL", "USER", "nobody"]) == "-ERR No such user 'nobody'\r\n")
        #expect(try clients[0].command(["CLIENT", "KILL", "TYPE", "normal"]) == ":6\r\n")
        #expect(throws: (any Error).self) { try clients[7].command(["PING"]) }
        #expect(try clients[0].command(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"]) == ":1\r\n")
        #expect(throws: (any Error).self) { try clients[0].command(["PING"]) }
    }

    @Test func unblockEndsABlockedCommand() throws {
        let fixture = try fixture(162)
        let blocked = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        let identifier = try number(blocked.command(["CLIENT", "ID"]))
        #expect(try other.command(["CLIENT", "UNBLOCK", "\(identifier)"]) == ":0\r\n")
        for (reason, expected) in [
            ("TIMEOUT", "*-1\r\n"), ("ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"),
        ] {
            try blocked.send(RedisConnection.encode(["BLPOP", "list", "0"]))
            _ = try settled(
                "an unblocked client", { try other.command(["CLIENT", "UNBLOCK", "\(identifier)", reason]) }
            ) {
                $0 == ":1\r\n"
            }
            #expect(String(decoding: try blocked.reply(), as: UTF8.self) == expected)
        }
        #expect(try blocked.command(["PING"]) == "+PONG\r\n")
        #expect(
            try other.command(["CLIENT", "UNBLOCK", "\(identifier)", "x"])
                == "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n")
    }

    @Test func pauseHoldsWritesOrAll() throws {
        let fixture = try fixture(163)
        let clients = try (0..<6).map { _ in try fixture.connect(10001) }
        #expect(try clients[0].command(["CLIENT", "PAUSE", "60000", "WRITE"]) == "+OK\r\n")
        for client in clients { #expect(try client.command(["GET", "a"]) == "$-1\r\n") }
        for client in clients[1...] { try client.send(RedisConnection.encode(["INCR", "a"])) }
        #expect(try clients[0].command(["MULTI"]) == "+OK\r\n")
        #expect(try clients[0].command(["GET", "a"]) == "+QUEUED\r\n")
        #expect(try clients[0].command(["EXEC"]) == "*1\r\n$-1\r\n")
        #expect(try clients[0].command(["CLIENT", "UNPAUSE"]) == "+OK\r\n")
        let counts = try clients[1...].map { try number(String(decoding: $0.reply(), as: UTF8.self)) }
        #expect(counts.sorted() == [1, 2, 3, 4, 5])
        // All, until its time is over.
        let start = ContinuousClock.now
        #expect(try clients[0].command(["CLIENT", "PAUSE", "300"]) == "+OK\r\n")
        #expect(try clients[1].command(["GET", "a"]) == "$1\r\n5\r\n")
        #expect(ContinuousClock.now - start >= .milliseconds(290))
        #expect(
            try clients[0].command(["CLIENT", "PAUSE", "x"]) == "-ERR timeout is not an integer or out of range\r\n")
    }

    /// What a script says of itself decides, as in Redis: `no-writes` is let through, silence is not.
    @Test(arguments: [1, 2]) func pauseLetsReadOnlyScriptsThrough(shards: Int) throws {
        let fixture = try fixture(167 + shards, shards: shards)
        let (client, other) = (try fixture.connect(10001), try fixture.connect(10001))
        let reading = "#!lua flags=allow-stale,no-writes\nreturn redis.call('GET', KEYS[1])"
        let writing = "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])"
        let library =
            "#!lua name=pausing\nredis.register_function{function_name='peek', flags={'no-writes'}, "
            + "callback=function(keys) return redis.call('GET', keys[1]) end}\n"
            + "redis.register_function('poke', function(keys) return redis.call('INCR', keys[1]) end)"
        #expect(try client.command(["FUNCTION", "LOAD", library]) == "$7\r\npausing\r\n")
        let digests = try [reading, writing].map { body in
            String(try client.command(["SCRIPT", "LOAD", body]).split(whereSeparator: \.isNewline)[1])
        }
        #expect(try client.command(["CLIENT", "PAUSE", "60000", "WRITE"]) == "+OK\r\n")
        for words in [
            ["EVAL", reading], ["EVALSHA", digests[0]], ["EVALSHA", digests[0].uppercased()], ["FCALL", "peek"],
            ["EVAL_RO", "return redis.call('GET', KEYS[1])"], ["FCALL_RO", "peek"],
        ] { #expect(try client.command(words + ["1", "n"]) == "$-1\r\n", "\(words)") }
        for words in [["MULTI"], ["EVAL", reading, "1", "n"], ["EVALSHA", digests[0], "1", "n"]] {
            _ = try client.command(words)
        }
        #expect(try client.command(["EXEC"]) == "*2\r\n$-1\r\n$-1\r\n")
        let held = [["EVAL", writing], ["EVALSHA", digests[1]], ["FCALL", "poke"], ["EVAL", "return 4"]]
        let writers = try held.map { words in
            let writer = try fixture.connect(10001)
            try writer.send(RedisConnection.encode(words + ["1", "n"]))
            return writer
        }
        _ = try settled("held clients", { try other.command(["INFO", "clients"]) }) {
            $0.contains("blocked_clients:4\r\n")
        }
        #expect(try other.command(["GET", "n"]) == "$-1\r\n")
        #expect(try client.command(["CLIENT", "UNPAUSE"]) == "+OK\r\n")
        let replies = try writers.map { String(decoding: try $0.reply(), as: UTF8.self) }
        #expect(replies.sorted() == [":1\r\n", ":2\r\n", ":3\r\n", ":4\r\n"])
    }

    @Test func repliesCanBeSwitchedOff() throws {
        let fixture = try fixture(164)
        let client = try fixture.connect(10001)
        try client.send(
            [
                "CLIENT REPLY OFF", "SET a 1", "INCR a", "MGET a b c", "NOSUCH", "PING", "CLIENT REPLY ON", "GET a",
                "CLIENT REPLY SKIP", "INCR a", "GET a", "CLIENT REPLY SKIP", "MGET a b c", "PING",
            ].flatMap { RedisConnection.encode($0.split(separator: " ").map(String.init)) })
        for expected in ["+OK\r\n", "$1\r\n2\r\n", "$1\r\n3\r\n", "+PONG\r\n"] {
            #expect(String(decoding: try client.reply(), as: UTF8.self) == expected)
        }
        #expect(try client.command(["CLIENT", "REPLY", "x"]) == "-ERR syntax error\r\n")
    }

    @Test func anUnshardedDatabaseHasSixteenLogicalOnes() throws {
        let fixture = try fixture(165, shards: 1)
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        try client.send(
            (0..<16).flatMap { index in
                RedisConnection.encode(["SELECT", "\(index)"]) + RedisConnection.encode(["SET", "k", "\(index)"])
            })
        for _ in 0..<32 { #expect(String(decoding: try client.reply(), as: UTF8.self) == "+OK\r\n") }
        #expect(try other.command(["GET", "k"]) == "$1\r\n0\r\n")
        #expect(try other.command(["SELECT", "9"]) == "+OK\r\n")
        #expect(try other.command(["HELLO", "3"]).hasPrefix("%7"))
        #expect(try other.command(["GET", "k"]) == "$1\r\n9\r\n")
        #expect(try other.command(["CLIENT", "INFO"]).contains(" db=9 "))
        #expect(try other.command(["MOVE", "k", "15"]) == ":0\r\n")
        #expect(try other.command(["DEL", "k"]) == ":1\r\n")
        #expect(try other.command(["BLPOP", "l", "0.01"]) == "_\r\n")
        for (index, text) in [
            ("16", "-ERR DB index is out of range\r\n"), ("x", "-ERR value is not an integer or out of range\r\n"),
            ("-1", "-ERR DB index is out of range\r\n"),
        ] { #expect(try other.command(["SELECT", index]) == text) }
        #expect(try other.command(["RESET"]) == "+RESET\r\n")
        #expect(try other.command(["GET", "k"]) == "$1\r\n0\r\n")
        #expect(try client.command(["DBSIZE"]) == ":1\r\n")
    }

    @Test func aShardedDatabaseHasOne() throws {
        let fixture = try fixture(166, shards: 2)
        let client = try fixture.connect(10001)
        #expect(try client.command(["SELECT", "0"]) == "+OK\r\n")
        #expect(try client.command(["SELECT", "1"]) == "-ERR DB index is out of range\r\n")
        #expect(try client.command(["SET", "k", "1"]) == "+OK\r\n")
        #expect(try client.command(["MOVE", "k", "1"]) == "-ERR DB index is out of range\r\n")
        #expect(try client.command(["COPY", "k", "k", "DB", "1"]) == "-ERR DB index is out of range\r\n")
        #expect(try client.command(["GET", "k"]) == "$1\r\n1\r\n")
    }

    @Test func aSubcommandIsNoCommand() throws {
        let fixture = try fixture(159)
        let client = try fixture.connect(10001)
        for name in ["CONFIG|GET", "GET|", "object|encoding"] {
            #expect(
                try client.command([name, "x"]) == "-ERR unknown command '\(name)', with args beginning with: 'x' \r\n")
        }
        #expect(try client.command(["CONFIG", "GET|X"]).hasPrefix("-ERR unknown subcommand 'GET|X'. Try CONFIG HELP."))
    }

    private func number(_ reply: String) throws -> Int {
        guard reply.hasPrefix(":"), let value = Int(reply.dropFirst().dropLast()) else {
            throw Violation("not a number: \(reply)")
        }
        return value
    }
}
