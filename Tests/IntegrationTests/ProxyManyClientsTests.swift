import Primitives
import ProxyControl
import TestSupport
import Testing

/// What many clients ask in one turn leaves and comes together, and is nobody else's.
@Suite struct ProxyManyClientsTests {
    private let port: UInt16 = 10001

    /// With each way of making calls; with more clients than calls are made at once, and values of every size between
    /// what is fetched ahead and what no socket takes at once.
    @Test(arguments: ["auto", "io_uring", "epoll"]) func everybodyGetsItsOwn(driver: String) throws {
        let number = ["auto": 196, "io_uring": 197, "epoll": 198][driver]!
        let fixture = try ProxyFixture(host: "\(ownNetwork).\(number)", shards: 3, threads: 1, driver: driver)
        _ = try fixture.tell(.update(fixture.routes(1, port: port, shards: 3)))
        let clients = try (0..<150).map { _ in try fixture.connect(port) }
        var random = SeededRandom(seed: 11)
        let sizes = [1, 64, 1000, 4070, 5000, 20_000, 70_000]
        var written: [String: [UInt8]] = [:]
        for round in 0..<12 {
            var expected: [[[UInt8]]] = []
            for (index, client) in clients.enumerated() {
                var requests: [UInt8] = []
                var replies: [[UInt8]] = []
                // Few replies of few clients fill a socket: all requests are sent before any reply is read.
                for _ in 0..<Int.random(in: 1...(index % 10 == 0 ? 40 : 3), using: &random) {
                    let key = "c\(index):\(Int.random(in: 0..<20, using: &random))"
                    if let value = written[key], Bool.random(using: &random) {
                        requests += RedisConnection.encode(["GET", key])
                        replies.append(Array("$\(value.count)\r\n".utf8) + value + Array("\r\n".utf8))
                    } else {
                        let mark = "\(key)/\(round)/"
                        let size = sizes[Int.random(in: 0..<(index % 10 == 1 ? sizes.count : 5), using: &random)]
                        let value = Array((mark + String(repeating: "v", count: max(0, size - mark.utf8.count))).utf8)
                        written[key] = value
                        requests += RedisConnection.encode([Array("SET".utf8), Array(key.utf8), value])
                        replies.append(Array("+OK\r\n".utf8))
                    }
                }
                try client.send(requests)
                expected.append(replies)
            }
            for (client, replies) in zip(clients, expected) {
                for reply in replies { #expect(try client.reply() == reply) }
            }
        }
    }

    /// Some leave in the middle of a request or without their replies; the others notice nothing.
    @Test(arguments: ["io_uring", "epoll"]) func whoLeavesHarmsNobody(driver: String) throws {
        let fixture = try ProxyFixture(
            host: "\(ownNetwork).\(driver == "epoll" ? 199 : 189)", shards: 2, threads: 1, driver: driver)
        _ = try fixture.tell(.update(fixture.routes(1, port: port, shards: 2)))
        let staying = try (0..<20).map { _ in try fixture.connect(port) }
        let value = String(repeating: "v", count: 3000)
        for (index, client) in staying.enumerated() {
            #expect(try client.command(["SET", "own\(index)", "\(index)" + value]) == "+OK\r\n")
        }
        for round in 0..<30 {
            var leaving = try (0..<20).map { _ in try fixture.connect(port) }
            for (index, client) in staying.enumerated() {
                try client.send(RedisConnection.encode(["GET", "own\(index)"]))
                try leaving[index].send(
                    (0..<10).flatMap { RedisConnection.encode(["GET", "own\(($0 + round) % 20)"]) }
                        + Array("*2\r\n$3\r\nGET\r\n$4\r\now".utf8))
            }
            leaving = []
            for (index, client) in staying.enumerated() {
                #expect(try client.reply() == Array("$\(3000 + "\(index)".utf8.count)\r\n\(index)\(value)\r\n".utf8))
            }
        }
    }
}
