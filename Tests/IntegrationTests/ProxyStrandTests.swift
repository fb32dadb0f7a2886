import Glibc
import Primitives
import ProxyControl
import Testing
import TestSupport

/// Sessions that ask for much at once have connections of their own to the shards, and nobody sees a difference.
@Suite struct ProxyStrandTests {
    private let port: UInt16 = 10001

    /// What the shard's CLIENT LIST has of the proxy: all but the asking connection itself.
    private func connections(_ fixture: ProxyFixture, _ shard: Int = 0) throws -> Int {
        let list = try RedisConnection(path: fixture.socket(shard)).command(["CLIENT", "LIST"])
        return list.split(separator: "\n").filter { $0.contains("id=") && $0.contains("addr=") }.count - 1
    }

    @Test func onlyThoseWhoAskForMuchAreSpread() throws {
        let fixture = try ProxyFixture(host: "\(ownNetwork).190", shards: 1, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: port, shards: 1)))
        let clients = try (0..<12).map { _ in try fixture.connect(port) }
        let value = String(repeating: "v", count: 1024)
        for client in clients { #expect(try client.command(["SET", "key", value]) == "+OK\r\n") }
        for client in clients {  // A pipeline, and not much.
            try client.send((0..<20).flatMap { _ in RedisConnection.encode(["INCR", "count"]) })
            for _ in 0..<20 { _ = try client.reply() }
        }
        #expect(try connections(fixture) == 1)
        let batch = (0..<64).flatMap { RedisConnection.encode(["SET", "k\($0)", value]) }
        for _ in 0..<10 {  // Should the proxy find the start of a batch only, it will see the next one whole.
            for client in clients { try client.send(batch) }
            for client in clients { for _ in 0..<64 { #expect(try client.reply() == Array("+OK\r\n".utf8)) } }
        }
        #expect(try connections(fixture) == 5)
        #expect(try clients[0].command(["INCR", "count"]) == ":241\r\n")
        #expect(try connections(fixture) == 5)
    }

    @Test func largeRepliesCountToo() throws {
        let fixture = try ProxyFixture(host: "\(ownNetwork).191", shards: 1, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: port, shards: 1)))
        let client = try fixture.connect(port)
        _ = try client.command(["SET", "key", String(repeating: "v", count: 60_000)])
        let batch = (0..<64).flatMap { _ in RedisConnection.encode(["GET", "key"]) }
        for _ in 0..<2 {
            try client.send(batch)
            for _ in 0..<64 { #expect(try client.reply().count == 60_010) }
        }
        #expect(try connections(fixture) == 2)
    }

    /// Batches of every size, so that the sessions change strands all the time; each sees its own writes in order.
    @Test(arguments: [1, 2]) func orderHoldsWhileStrandsChange(shards: Int) throws {
        let fixture = try ProxyFixture(host: "\(ownNetwork).\(191 + shards)", shards: shards)
        _ = try fixture.tell(.update(fixture.routes(1, port: port, shards: shards)))
        let clients = try (0..<6).map { _ in try fixture.connect(port) }
        var random = SeededRandom(seed: 7)
        let lengths = [1, 1, 20, 300]
        var counts = [Int](repeating: 0, count: clients.count)
        for round in 0..<200 {
            var batches: [(client: Int, expected: [String])] = []
            for (number, client) in clients.enumerated() {
                var bytes: [UInt8] = []
                var expected: [String] = []
                for _ in 0..<lengths[Int(random.next() >> 16) % lengths.count] {
                    let padding = String(repeating: "x", count: Int(random.next() >> 16) % 200)
                    counts[number] += 1
                    switch random.next() >> 16 & 7 {
                    case 0:
                        for words in [["MULTI"], ["INCR", "{k\(number)}count"], ["EXEC"]] {
                            bytes += RedisConnection.encode(words)
                        }
                        expected += ["+OK\r\n", "+QUEUED\r\n", "*1\r\n:\(counts[number])\r\n"]
                    case 1:
                        bytes += Array("INCR {k\(number)}count\r\n".utf8)
                        expected.append(":\(counts[number])\r\n")
                    default:
                        bytes += RedisConnection.encode(["INCR", "{k\(number)}count"])
                        bytes += RedisConnection.encode(["SET", "{k\(number)}value", padding])
                        bytes += RedisConnection.encode(["GET", "{k\(number)}value"])
                        expected += [":\(counts[number])\r\n", "+OK\r\n", "$\(padding.count)\r\n\(padding)\r\n"]
                    }
                }
                try client.send(bytes)
                batches.append((number, expected))
            }
            for batch in batches {
                for expected in batch.expected {
                    let got = String(decoding: try clients[batch.client].reply(), as: UTF8.self)
                    guard got == expected else {
                        Issue.record("round \(round), client \(batch.client): \(got) for \(expected)")
                        return
                    }
                }
            }
        }
        #expect(try connections(fixture) > 2, "nobody was spread")
    }

    /// What a session asks while much of it is unanswered takes the same way, however little it is.
    @Test func littleStaysBehindMuch() throws {
        let fixture = try ProxyFixture(host: "\(ownNetwork).195", shards: 1, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: port, shards: 1)))
        let client = try fixture.connect(port)
        let observer = try fixture.connect(port)
        #expect(try client.command(["CLIENT", "SETNAME", "asker"]) == "+OK\r\n")
        #expect(try client.command(["GET", "nothing"]) == "$-1\r\n")
        func waitUntilTaken(_ name: String) throws {
            _ = try settled("the proxy takes \(name)", { try observer.command(["CLIENT", "LIST"]) }) { list in
                list.split(separator: "\n").contains { $0.contains("name=asker") && $0.contains(" cmd=\(name) ") }
            }
        }
        kill(fixture.shards[0].pid, SIGSTOP)
        let value = String(repeating: "v", count: 500)
        try client.send(
            (0..<100).flatMap { _ in
                RedisConnection.encode(["INCR", "count"]) + RedisConnection.encode(["SET", "key", value])
            })
        try waitUntilTaken("set")
        try client.send(RedisConnection.encode(["INCR", "count"]))
        try waitUntilTaken("incr")
        kill(fixture.shards[0].pid, SIGCONT)
        for number in 1...100 {
            #expect(try client.reply() == Array(":\(number)\r\n".utf8))
            #expect(try client.reply() == Array("+OK\r\n".utf8))
        }
        #expect(try client.reply() == Array(":101\r\n".utf8))
    }

    /// New routes find the sessions on their strands.
    @Test func strandsFollowTheRoutes() throws {
        let fixture = try ProxyFixture(host: "\(ownNetwork).194", shards: 2, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: port, shards: 1)))
        let clients = try (0..<4).map { _ in try fixture.connect(port) }
        let batch = (0..<64).flatMap { RedisConnection.encode(["SET", "k\($0)", String(repeating: "v", count: 1024)]) }
        for epoch in 2...9 {
            for client in clients { try client.send(batch) }
            _ = try fixture.tell(
                .update(fixture.routes(1, epoch: epoch, port: port, shards: 1 + epoch % 2)))
            for client in clients { for _ in 0..<64 { #expect(try client.reply() == Array("+OK\r\n".utf8)) } }
        }
    }
}
