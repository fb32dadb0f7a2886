import ProxyControl
import TestSupport
import Testing

/// Transactions with commands that a proxy answers itself, or has to ask all shards for.
@Suite struct ProxyTransactionTests {
    private func fixture(_ number: Int, shards: Int) throws -> ProxyFixture {
        let fixture = try ProxyFixture(host: "127.0.62.\(number)", shards: shards, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards)))
        return fixture
    }

    /// Sends all at once; every command but the last is queued.
    private func transaction(_ client: RedisConnection, _ commands: [String]) throws -> String {
        let all = ["MULTI"] + commands + ["EXEC"]
        try client.send(all.flatMap { RedisConnection.encode($0.split(separator: " ").map(String.init)) })
        #expect(try client.reply() == Array("+OK\r\n".utf8))
        for command in commands { #expect(try client.reply() == Array("+QUEUED\r\n".utf8), "\(command)") }
        return String(decoding: try client.reply(), as: UTF8.self)
    }

    @Test(arguments: [1, 3]) func answersOfTheProxyTakeTheirPlaces(shards: Int) throws {
        let fixture = try fixture(10 + shards, shards: shards)
        let client = try fixture.connect(10001)
        let reply = try transaction(
            client,
            [
                "CLIENT GETNAME", "SET {t}a 1", "CLIENT SETNAME me", "INCR {t}a", "CLIENT GETNAME", "ECHO x",
                "CONFIG GET maxmemory-samples", "CONFIG SET nonsense 1", "ROLE", "INCR {t}a",
            ])
        #expect(
            reply
                == "*10\r\n$-1\r\n+OK\r\n+OK\r\n:2\r\n$2\r\nme\r\n$1\r\nx\r\n"
                + "*2\r\n$17\r\nmaxmemory-samples\r\n$1\r\n5\r\n"
                + "-ERR Unknown option or number of arguments for CONFIG SET - 'nonsense'\r\n"
                + "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:3\r\n")
        #expect(try transaction(client, ["CLIENT ID"]).hasPrefix("*1\r\n:"))
        #expect(try transaction(client, []) == "*0\r\n")
        let info = try transaction(client, ["INFO keyspace", "PING", "CLIENT LIST"])
        #expect(info.hasPrefix("*3\r\n$") && info.contains("db0:keys=1,") && info.contains("\r\n+PONG\r\n$"))
        #expect(try client.command(["GET", "{t}a"]) == "$1\r\n3\r\n")
    }

    /// What the transaction's shard does in its place, and the others after it.
    @Test func allShardsTakePart() throws {
        let fixture = try fixture(14, shards: 3)
        let client = try fixture.connect(10001)
        let keys = (0..<30).map { "k\($0)" }
        for key in keys { #expect(try client.command(["SET", key, "1"]) == "+OK\r\n") }
        #expect(
            try transaction(client, ["DBSIZE", "SET k0 2", "FLUSHALL", "SET k0 3", "DBSIZE", "RANDOMKEY"])
                == "*6\r\n:30\r\n+OK\r\n+OK\r\n+OK\r\n:1\r\n$2\r\nk0\r\n")
        #expect(try client.command(["DBSIZE"]) == ":1\r\n")
        let body = "return redis.call('GET', KEYS[1])"
        try client.send(
            ["MULTI", "SCRIPT LOAD \(body)", "EXEC"].flatMap { command in
                RedisConnection.encode(command.split(separator: " ", maxSplits: 2).map(String.init))
            })
        for expected in ["+OK\r\n", "+QUEUED\r\n"] { #expect(try client.reply() == Array(expected.utf8)) }
        let loaded = String(decoding: try client.reply(), as: UTF8.self)
        #expect(loaded.hasPrefix("*1\r\n$40\r\n"))
        let digest = String(loaded.split(whereSeparator: \.isNewline)[2])
        #expect(try client.command(["SCRIPT", "EXISTS", digest]) == "*1\r\n:1\r\n")
        for key in keys.dropFirst() { #expect(try client.command(["EVALSHA", digest, "1", key]) == "$-1\r\n") }
    }

    @Test func nothingHappensWhenAWatchedKeyHasChanged() throws {
        let fixture = try fixture(15, shards: 1)
        let (client, other) = (try fixture.connect(10001), try fixture.connect(10001))
        #expect(try client.command(["WATCH", "a"]) == "+OK\r\n")
        #expect(try other.command(["SET", "a", "1"]) == "+OK\r\n")
        #expect(try transaction(client, ["CLIENT SETNAME me", "SELECT 3", "SET a 2"]) == "*-1\r\n")
        #expect(try client.command(["CLIENT", "GETNAME"]) == "$-1\r\n")
        #expect(try client.command(["GET", "a"]) == "$1\r\n1\r\n")
        // Nor when one could not be queued, or was taken back.
        for (bad, end, text) in [
            ("NOSUCH", "EXEC", "-EXECABORT Transaction discarded because of previous errors.\r\n"),
            ("PING", "DISCARD", "+OK\r\n"),
        ] {
            for words in [["MULTI"], ["CLIENT", "SETNAME", "me"], [bad]] { _ = try client.command(words) }
            #expect(try client.command([end]) == text)
            #expect(try client.command(["CLIENT", "GETNAME"]) == "$-1\r\n")
        }
    }

    /// Another client's requests go over the same connection to the shard and stay where they belong.
    @Test func aSelectionLastsForItsSession() throws {
        let fixture = try fixture(16, shards: 1)
        let (client, other) = (try fixture.connect(10001), try fixture.connect(10001))
        #expect(
            try transaction(client, ["SET k 0", "SELECT 7", "SET k 7", "SELECT 99", "SELECT 8", "SET k 8"])
                == "*6\r\n+OK\r\n+OK\r\n+OK\r\n-ERR DB index is out of range\r\n+OK\r\n+OK\r\n")
        #expect(try other.command(["GET", "k"]) == "$1\r\n0\r\n")
        #expect(try client.command(["GET", "k"]) == "$1\r\n8\r\n")
        #expect(try client.command(["CLIENT", "INFO"]).contains(" db=8 "))
        #expect(try client.command(["SELECT", "7"]) == "+OK\r\n")
        #expect(try client.command(["GET", "k"]) == "$1\r\n7\r\n")
    }

    /// A slot binds a session only for as long as it watches.
    @Test func aWatchEndsWithItsTransaction() throws {
        let fixture = try fixture(17, shards: 3)
        let client = try fixture.connect(10001)
        for key in ["a", "b", "c", "d"] {
            #expect(try client.command(["WATCH", key]) == "+OK\r\n")
            #expect(try transaction(client, ["PING"]) == "*1\r\n+PONG\r\n")
        }
    }

    @Test func whatRedisNeverQueuesIsRefusedInItsWords() throws {
        let fixture = try fixture(18, shards: 1)
        let client = try fixture.connect(10001)
        for words in [["SAVE"], ["SHUTDOWN"], ["PSYNC", "a", "1"]] {
            #expect(try client.command(["MULTI"]) == "+OK\r\n")
            #expect(try client.command(words) == "-ERR Command not allowed inside a transaction\r\n")
            #expect(try client.command(["EXEC"]).hasPrefix("-EXECABORT "))
        }
    }

    @Test func monitorShowsTheClientsLetters() throws {
        let fixture = try fixture(19, shards: 1)
        let (client, monitor) = (try fixture.connect(10001), try fixture.connect(10001))
        #expect(try monitor.command(["MONITOR"]) == "+OK\r\n")
        for words in [["multi"], ["Set", "a", "1"], ["eXec"]] { _ = try client.command(words) }
        for expected in ["\"multi\"", "\"Set\" \"a\" \"1\"", "\"eXec\""] {
            #expect(String(decoding: try monitor.reply(), as: UTF8.self).hasSuffix(" \(expected)\r\n"))
        }
    }

    /// What no shard sees is shown all the same: a transaction that came to nothing, and what a proxy answers.
    @Test func monitorShowsWhatNoShardSees() throws {
        let fixture = try fixture(22, shards: 2)
        let (client, monitor) = (try fixture.connect(10001), try fixture.connect(10001))
        #expect(try monitor.command(["MONITOR"]) == "+OK\r\n")
        for words in [
            ["multi"], ["NOSUCH"], ["exec"], ["MULTI"], ["GET", "a"], ["DISCARD"], ["ECHO", "a\"b\n\u{1}"], ["ping"],
        ] { _ = try client.command(words) }
        for expected in [
            "\"multi\"", "\"exec\"", "\"MULTI\"", "\"DISCARD\"", "\"ECHO\" \"a\\\"b\\n\\x01\"", "\"ping\"",
        ] {
            let line = String(decoding: try monitor.reply(), as: UTF8.self)
            #expect(line.hasSuffix(" [0 127.0.62.22:10001] \(expected)\r\n"), "\(line)")
        }
    }

    /// Of all shards, once, and behind the reply of the transaction that it is about.
    @Test func aTrackedClientIsToldBehindTheReply() throws {
        let fixture = try fixture(23, shards: 3)
        let client = try fixture.connect(10001)
        #expect(try client.command(["HELLO", "3"]).hasPrefix("%7"))
        #expect(try client.command(["CLIENT", "TRACKING", "ON"]) == "+OK\r\n")
        for key in ["foo", "bar", "baz"] { #expect(try client.command(["GET", key]) == "_\r\n") }
        #expect(try transaction(client, ["FLUSHALL"]) == "*1\r\n+OK\r\n")
        #expect(String(decoding: try client.reply(), as: UTF8.self) == ">2\r\n$10\r\ninvalidate\r\n_\r\n")
        #expect(try client.command(["GET", "foo"]) == "_\r\n")
    }

    /// As long as a script runs, Redis neither queues nor executes.
    @Test func nothingIsQueuedWhileAScriptRuns() throws {
        let fixture = try fixture(20, shards: 1)
        let shard = try RedisConnection(path: fixture.socket(0))
        #expect(try shard.command(["CONFIG", "SET", "busy-reply-threshold", "20"]) == "+OK\r\n")
        let clients = try (0..<4).map { _ in try fixture.connect(10001) }
        for client in clients { #expect(try client.command(["SELECT", "2"]) == "+OK\r\n") }
        for client in clients[1...2] {
            #expect(try client.command(["MULTI"]) == "+OK\r\n")
            #expect(try client.command(["INCR", "n"]) == "+QUEUED\r\n")
        }
        try clients[0].send(RedisConnection.encode(["EVAL", "while true do end", "0"]))
        _ = try settled("a BUSY", { try clients[3].command(["PING"]) }) { $0.hasPrefix("-BUSY ") }
        #expect(try clients[1].command(["INCR", "n"]).hasPrefix("-BUSY "))
        #expect(try clients[3].command(["MULTI"]) == "+OK\r\n")
        #expect(try clients[3].command(["CLIENT", "SETNAME", "x"]).hasPrefix("-BUSY "))
        #expect(
            try clients[2].command(["EXEC"]).hasPrefix(
                "-EXECABORT Transaction discarded because of: BUSY Redis is busy "))
        #expect(try clients[2].command(["SCRIPT", "KILL"]) == "+OK\r\n")
        for client in [clients[1], clients[3]] {
            #expect(
                try client.command(["EXEC"]) == "-EXECABORT Transaction discarded because of previous errors.\r\n")
        }
        for client in clients[1...] { #expect(try client.command(["GET", "n"]) == "$-1\r\n") }
    }

    /// The block is declined by a replica; it is repeated whole, and the proxy's parts come once.
    @Test func aDeclinedBlockIsRepeated() throws {
        let fixture = try fixture(21, shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, epoch: 2, port: 10001, shards: 1)))
        let (client, shard) = (try fixture.connect(10001), try RedisConnection(path: fixture.socket(0)))
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        #expect(try shard.command(["REPLICAOF", "127.0.62.254", "1"]) == "+OK\r\n")
        let words = ["MULTI", "INCR a", "CLIENT SETNAME me", "SELECT 3", "SET a 3", "CLIENT GETNAME", "EXEC"]
        try client.send(words.flatMap { RedisConnection.encode($0.split(separator: " ").map(String.init)) })
        for _ in words.dropLast() { #expect(try client.reply().first == UInt8(ascii: "+")) }
        #expect(try shard.command(["REPLICAOF", "NO", "ONE"]) == "+OK\r\n")
        #expect(
            String(decoding: try client.reply(), as: UTF8.self)
                == "*5\r\n:2\r\n+OK\r\n+OK\r\n+OK\r\n$2\r\nme\r\n")
        #expect(try client.command(["GET", "a"]) == "$1\r\n3\r\n")
        #expect(try fixture.connect(10001).command(["GET", "a"]) == "$1\r\n2\r\n")
    }
}
