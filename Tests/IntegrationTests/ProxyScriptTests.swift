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

    /// What a client sent behind its own script comes after it; what it sends later, after that.
    @Test func theOrderOfASessionHolds() throws {
        let fixture = try fixture("127.0.53.113", shards: 1)
        let client = try fixture.connect(10001)
        let slow = "local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + 300000 "
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
