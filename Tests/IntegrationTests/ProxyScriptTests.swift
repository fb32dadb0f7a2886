import Glibc
import ProxyControl
import TestSupport
import Testing

/// Scripts that run long: others hear BUSY, as from a server of their own, and can end them.
@Suite struct ProxyScriptTests {
    private static let endless = "while true do end"

    /// One loop, so that everybody shares the upstream of the script.
    private func fixture(_ host: String, shards: Int) throws -> ProxyFixture {
        let fixture = try ProxyFixture(host: host, shards: shards, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards)))
        for index in 0..<shards {
            let shard = try RedisConnection(path: fixture.socket(index))
            #expect(try shard.command(["CONFIG", "SET", "busy-reply-threshold", "20"]) == "+OK\r\n")
        }
        return fixture
    }

    /// PING is the proxy's to answer, until it knows of the script.
    private func awaitBusy(_ client: RedisConnection) throws {
        _ = try settled("a BUSY", { try client.command(["PING"]) }) { $0.hasPrefix("-BUSY ") }
    }

    @Test(arguments: [1, 2]) func othersHearBusyAndMayKill(shards: Int) throws {
        let fixture = try fixture("127.0.53.11\(shards)", shards: shards)
        let (runner, other) = (try fixture.connect(10001), try fixture.connect(10001))
        #expect(try other.command(["SET", "bar", "1"]) == "+OK\r\n")  // Slot 5061: the first shard.
        try runner.send(RedisConnection.encode(["EVAL", Self.endless, "1", "bar"]))
        try awaitBusy(other)
        #expect(try other.command(["GET", "bar"]).hasPrefix("-BUSY "))
        #expect(try other.command(["SCRIPT", "KILL"]) == "+OK\r\n")
        #expect(String(decoding: try runner.reply(), as: UTF8.self).contains("Script killed by user"))
        #expect(try other.command(["GET", "bar"]) == "$1\r\n1\r\n")
        #expect(try runner.command(["GET", "bar"]) == "$1\r\n1\r\n")
        _ = try settled("an answer of the proxy's", { try other.command(["PING"]) }) { $0 == "+PONG\r\n" }
        #expect(try other.command(["SCRIPT", "KILL"]).hasPrefix("-NOTBUSY "))
    }

    /// In another logical database than the first; the killer has to be heard there, too.
    @Test func otherDatabasesHearBusyAndMayKill() throws {
        let fixture = try fixture("127.0.53.115", shards: 1)
        let (runner, other) = (try fixture.connect(10001), try fixture.connect(10001))
        for client in [runner, other] { #expect(try client.command(["SELECT", "9"]) == "+OK\r\n") }
        #expect(try other.command(["SET", "a", "1"]) == "+OK\r\n")
        try runner.send(RedisConnection.encode(["EVAL", Self.endless, "0"]))
        try awaitBusy(other)
        #expect(try other.command(["GET", "a"]).hasPrefix("-BUSY "))
        #expect(try other.command(["SCRIPT", "KILL"]) == "+OK\r\n")
        #expect(String(decoding: try runner.reply(), as: UTF8.self).contains("Script killed by user"))
        #expect(try other.command(["GET", "a"]) == "$1\r\n1\r\n")
    }

    /// What a client sent behind its own script comes after it; what it sends later, after that.
    @Test func theOrderOfASessionHolds() throws {
        let fixture = try fixture("127.0.53.113", shards: 1)
        let client = try fixture.connect(10001)
        let slow =
            "local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + 300000 "
            + "repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > e return redis.call('INCR', KEYS[1])"
        try client.send(RedisConnection.encode(["EVAL", slow, "1", "n"]) + RedisConnection.encode(["INCR", "n"]))
        let other = try fixture.connect(10001)
        try awaitBusy(other)
        try client.send(RedisConnection.encode(["INCR", "n"]))
        for expected in 1...3 { #expect(try client.reply() == Array(":\(expected)\r\n".utf8)) }
    }

    @Test func aScriptOfALostShardEndsWithAnError() throws {
        let fixture = try fixture("127.0.53.114", shards: 1)
        let (runner, other) = (try fixture.connect(10001), try fixture.connect(10001))
        try runner.send(RedisConnection.encode(["EVAL", Self.endless, "0"]))
        try awaitBusy(other)
        fixture.shards[0].kill()
        #expect(String(decoding: try runner.reply(), as: UTF8.self).hasPrefix("-ERR upstream connection lost"))
        try fixture.restartShard(0)
        #expect(try other.command(["SET", "a", "1"]) == "+OK\r\n")
        #expect(try runner.command(["PING"]) == "+PONG\r\n")
    }
}

/// A shard that lost its data has no scripts and no functions either; the database still does.
@Suite struct ProxyReplayTests {
    private static let library =
        "#!lua name=mylib\nredis.register_function('double', "
        + "function(keys, args) return redis.call('INCRBY', keys[1], 2) end)"

    /// `bar` is the first shard's, `foo` the second's.
    @Test(arguments: [2, 3]) func whatAShardLacksIsBroughtToIt(version: Int) throws {
        let fixture = try ProxyFixture(host: "127.0.53.13\(version)", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let client = try fixture.connect(10001)
        _ = try client.command(["HELLO", "\(version)"])
        let loaded = try client.command(["SCRIPT", "LOAD", "return redis.call('INCR', KEYS[1])"])
        #expect(loaded.hasPrefix("$40\r\n"))
        let digest = String(loaded.split(whereSeparator: \.isNewline)[1])
        #expect(try client.command(["FUNCTION", "LOAD", Self.library]) == "$5\r\nmylib\r\n")
        for key in ["foo", "bar"] {
            #expect(try client.command(["EVALSHA", digest, "1", key]) == ":1\r\n")
            #expect(try client.command(["FCALL", "double", "1", key]) == ":3\r\n")
        }
        for (index, key) in ["bar", "foo"].enumerated() {
            fixture.shards[index].kill()
            try fixture.restartShard(index)
            // Two clients, so that one finds what the other brought.
            for expected in [1, 2] {
                let other = try fixture.connect(10001)
                #expect(try other.command(["EVALSHA", digest.uppercased(), "1", key]) == ":\(expected)\r\n")
            }
            #expect(try client.command(["FCALL", "double", "1", key]) == ":4\r\n")
            #expect(try client.command(["FCALL", "double", "1", key]) == ":6\r\n")
        }
        #expect(try client.command(["FCALL", "nosuch", "1", "foo"]) == "-ERR Function not found\r\n")
        #expect(try client.command(["FCALL_RO", "nosuch", "1", "bar"]) == "-ERR Function not found\r\n")
        #expect(try client.command(["SCRIPT", "FLUSH"]) == "+OK\r\n")
        #expect(try client.command(["EVALSHA", digest, "1", "foo"]).hasPrefix("-NOSCRIPT "))
    }

    /// EVAL leaves a script at one shard; by its digest it is found everywhere.
    @Test func whatOneShardHasFromEvalAllHave() throws {
        let fixture = try ProxyFixture(host: "127.0.62.30", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let client = try fixture.connect(10001)
        let body = "return redis.call('INCR', KEYS[1])"
        let digest = "db4a6e9bf3d1c5f0b6e0f7b9f6a2e4c1d0a9b8c7"
        #expect(try client.command(["EVAL", body, "1", "bar"]) == ":1\r\n")
        let shard = try RedisConnection(path: fixture.socket(0))
        let known = String(try shard.command(["SCRIPT", "LOAD", body]).split(whereSeparator: \.isNewline)[1])
        #expect(try client.command(["SCRIPT", "EXISTS", known.uppercased(), digest]) == "*2\r\n:1\r\n:0\r\n")
        for key in ["foo", "hello", "baz"] {
            let reply = try client.command(["EVALSHA", known, "1", key])
            #expect(reply == ":1\r\n", "\(key)")
        }
        // One that could not be compiled is nowhere.
        #expect(try client.command(["EVAL", "return (", "0"]).hasPrefix("-ERR Error compiling script"))
        #expect(
            try client.command(["SCRIPT", "EXISTS", "728acb63e2aaef0ee859ece5db586bff5d800d1e"]) == "*1\r\n:0\r\n")
        #expect(try client.command(["SCRIPT", "FLUSH"]) == "+OK\r\n")
        #expect(try client.command(["EVALSHA", known, "1", "foo"]).hasPrefix("-NOSCRIPT "))
        #expect(try client.command(["SCRIPT", "EXISTS", known]) == "*1\r\n:0\r\n")
    }

    /// What was sent behind it must not be overtaken: then the client hears what is missing.
    @Test func aPipelineIsNotReordered() throws {
        let fixture = try ProxyFixture(host: "127.0.53.134", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        let loaded = try client.command(["SCRIPT", "LOAD", "return redis.call('INCR', KEYS[1])"])
        let digest = String(loaded.split(whereSeparator: \.isNewline)[1])
        let shard = try RedisConnection(path: fixture.socket(0))
        #expect(try shard.command(["SCRIPT", "FLUSH"]) == "+OK\r\n")
        try client.send(
            RedisConnection.encode(["EVALSHA", digest, "1", "n"]) + RedisConnection.encode(["SET", "n", "7"]))
        #expect(String(decoding: try client.reply(), as: UTF8.self).hasPrefix("-NOSCRIPT "))
        #expect(try client.reply() == Array("+OK\r\n".utf8))
        #expect(try client.command(["EVALSHA", digest, "1", "n"]) == ":8\r\n")
    }
}
