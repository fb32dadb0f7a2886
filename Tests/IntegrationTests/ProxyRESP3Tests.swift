import ProxyControl
import Testing
import TestSupport

@Suite struct ProxyRESP3Tests {
    @Test func answersOfItsOwnAreInTheSessionsVersion() throws {
        let fixture = try ProxyFixture(host: "127.0.41.120", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2, password: "secret")))
        let client = try fixture.connect(10001)
        #expect(try client.command(["HELLO", "3"]).hasPrefix("-NOAUTH HELLO must be called"))
        #expect(try client.command(["HELLO", "3", "AUTH", "default", "no"]).hasPrefix("-WRONGPASS"))
        let hello = try client.command(["HELLO", "3", "AUTH", "default", "secret", "SETNAME", "bob"])
        #expect(hello.hasPrefix("%7\r\n$6\r\nserver\r\n") && hello.contains("$5\r\nproto\r\n:3\r\n"))
        for (words, expected) in [
            (["CLIENT", "GETNAME"], "$3\r\nbob\r\n"), (["GET", "none"], "_\r\n"),
            (["MGET", "a", "b"], "*2\r\n_\r\n_\r\n"), (["RANDOMKEY"], "_\r\n"),
            (["HELLO", "4"], "-NOPROTO unsupported protocol version\r\n"),
            (["UNSUBSCRIBE"], ">3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n"),
        ] { #expect(try client.command(words) == expected, "\(words)") }
        let info = try client.command(["INFO"])
        #expect(info.hasPrefix("=") && info.contains("\r\ntxt:# Server\r\n"))
        #expect(try client.command(["CLIENT", "INFO"]).contains(" resp=3 "))
        // The version changes behind what was asked before it.
        try client.send(
            RedisConnection.encode(["GET", "none"]) + RedisConnection.encode(["HELLO", "2"])
                + RedisConnection.encode(["GET", "none"]))
        #expect(try text(client) == "_\r\n")
        #expect(try text(client).hasPrefix("*14\r\n"))
        #expect(try text(client) == "$-1\r\n")
    }

    /// Messages come between replies, never inside one, and confirmations before what was sent after them.
    @Test func aSubscriberGoesOnWithOtherCommands() throws {
        let fixture = try ProxyFixture(host: "127.0.41.121", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        _ = try client.command(["HELLO", "3"])
        let value = String(repeating: "0123456789", count: 30_000)
        #expect(try client.command(["SET", "big", value]) == "+OK\r\n")
        try client.send(
            ["SUBSCRIBE ch", "GET none", "SSUBSCRIBE sh1", "SSUBSCRIBE sh2", "GET none", "UNSUBSCRIBE gone", "PING"]
                .flatMap { RedisConnection.encode($0.split(separator: " ").map(String.init)) })
        let expected = [
            ">3\r\n$9\r\nsubscribe\r\n", "_\r\n", ">3\r\n$10\r\nssubscribe\r\n$3\r\nsh1",
            ">3\r\n$10\r\nssubscribe\r\n$3\r\nsh2",
            "_\r\n", ">3\r\n$11\r\nunsubscribe\r\n$4\r\ngone", "+PONG\r\n",
        ]
        for start in expected { #expect(try text(client).hasPrefix(start), "\(start)") }
        let rounds = 60
        try client.send((0..<rounds).flatMap { _ in RedisConnection.encode(["GET", "big"]) })
        for round in 0..<rounds { #expect(try other.command(["PUBLISH", "ch", "tick\(round)"]) == ":1\r\n") }
        var replies = 0
        var pushes = 0
        while replies < rounds || pushes < rounds {
            let reply = try text(client)
            if reply.hasPrefix(">") {
                #expect(reply == ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$\("tick\(pushes)".count)\r\ntick\(pushes)\r\n")
                pushes += 1
            } else {
                guard reply == "$300000\r\n\(value)\r\n" else { throw Violation("a reply was torn") }
                replies += 1
            }
        }
        #expect(try client.command(["RESET"]) == "+RESET\r\n")
        #expect(try other.command(["PUBLISH", "ch", "x"]) == ":0\r\n")
        #expect(try client.command(["GET", "none"]) == "$-1\r\n")
    }

    private func text(_ client: RedisConnection) throws -> String {
        String(decoding: try client.reply(), as: UTF8.self)
    }
}
