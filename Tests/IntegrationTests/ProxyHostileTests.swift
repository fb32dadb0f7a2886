import Glibc
import Primitives
import ProxyFuzz
import Testing
import TestSupport

/// Byte streams of every bad kind against a live proxy, while a client that behaves has to get exactly its own replies.
@Suite struct ProxyHostileTests {
    @Test(arguments: [1, 2]) func nobodyElseNotices(shards: Int) throws {
        let seed = getenv("TARN_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 77
        let fixture = try ProxyFixture(host: ownNetwork + ".\(100 + shards)", shards: shards)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards)))
        let good = try fixture.connect(10001)
        var random = SeededRandom(seed: seed)
        var hostile: [RedisConnection] = []
        let end = ContinuousClock.now + .seconds(6)
        var round = 0
        while ContinuousClock.now < end {
            round += 1
            while hostile.count < 8 { hostile.append(try fixture.connect(10001)) }
            for _ in 0..<4 {
                let index = Int(random.next() % UInt64(hostile.count))
                // Refused or stuck, it is of no further use; others only stop to read.
                let isOpen = hostile[index].push(HostileStream.bytes(&random))
                if !isOpen || random.next() % 8 == 0 { hostile.remove(at: index) }
            }
            do {
                try converse(good, round, "seed \(seed), round \(round)")
            } catch {
                let log = try? runProgram("/usr/bin/head", ["-c", "4000", fixture.directory.path + "/proxy.log"]).output
                throw Violation("\(error) at round \(round) of seed \(seed); the proxy's log begins with: \(log ?? "")")
            }
        }
        #expect(round > 10)
        hostile.removeAll()
        try converse(good, round + 1, "afterwards")
        let kibibytes = try residentKibibytes(fixture.proxyIdentifier)
        #expect(kibibytes < 600_000, "\(kibibytes) KiB after \(round) rounds of seed \(seed)")
    }

    /// Replies that can't be mistaken for anybody else's.
    private func converse(_ client: RedisConnection, _ round: Int, _ place: String) throws {
        let mark = "good-\(round)"
        let requests = [
            ["SET", "good:\(round % 50)", mark], ["GET", "good:\(round % 50)"], ["ECHO", mark],
            ["MSET", "good:a", mark, "good:b", mark, "good:c", mark], ["MGET", "good:a", "good:b", "good:c"],
            ["EVAL", "return ARGV[1]", "1", "good:e", mark],
        ]
        try client.send(requests.flatMap(RedisConnection.encode))
        let bulk = "$\(mark.utf8.count)\r\n\(mark)\r\n"
        for (request, expected) in zip(
            requests, ["+OK\r\n", bulk, bulk, "+OK\r\n", "*3\r\n\(bulk)\(bulk)\(bulk)", bulk])
        {
            let got = String(decoding: try client.reply(), as: UTF8.self)
            try #require(got == expected, "\(request[0]) at \(place)")
        }
    }

    private func residentKibibytes(_ process: Int32) throws -> Int {
        let status = try runProgram("/bin/cat", ["/proc/\(process)/status"]).output
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first ?? .max
    }

    /// A million requests at once, of which nobody reads a reply until all are sent.
    @Test func aMillionTinyRequests() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".110", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        let block = (0..<10_000).flatMap { _ in Array("*1\r\n$4\r\nPING\r\n*0\r\n".utf8) }
        for batch in 0..<50 {
            try client.send(block)
            for _ in 0..<10_000 { _ = try client.reply() }
            #expect(try other.command(["ECHO", "\(batch)"]) == "$\("\(batch)".utf8.count)\r\n\(batch)\r\n")
        }
        #expect(try client.command(["ECHO", "end"]) == "$3\r\nend\r\n")
        #expect(try residentKibibytes(fixture.proxyIdentifier) < 200_000)
    }

    @Test(arguments: [
        ("*1\rX$4\rYPINGab", "+PONG\r\n"), ("*1\r\n$4\r\nPI\u{0}G\r\n", "-ERR unknown command 'PI'"),
        ("*2\r\n$4\r\nA\r\nB\r\n$2\r\nx\n\r\n", "-ERR unknown command 'A  B', with args beginning with: 'x ' \r\n"),
        ("*1\r\n$0\r\n\r\n", "-ERR unknown command '', with args beginning with: \r\n"),
        ("*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("*99999999999999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*1\r\n$99999999999999999999\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("*1\r\n!4\r\nPING\r\n", "-ERR Protocol error: expected '$', got '!'\r\n"),
        ("GET \"x\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
    ])
    func oddRequests(bytes: String, expected: String) throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".111", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        for connection in [try RedisConnection(path: fixture.socket(0)), try fixture.connect(10001)] {
            try connection.send(Array(bytes.utf8))
            #expect(String(decoding: try connection.reply(), as: UTF8.self).hasPrefix(expected))
        }
    }

    /// Errors echo what was sent byte by byte, valid UTF-8 or not.
    @Test func echoedBytesAreNotChanged() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".112", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let plain = try RedisConnection(path: fixture.socket(0))
        let endpoint = try fixture.connect(10001)
        let odd: [UInt8] = [0xFF, 0xC3, 0x28, 0x80]
        for words in [
            [odd], [odd, odd, [0]], [Array("OBJECT".utf8), odd],
            [Array("nosuch".utf8), [UInt8](repeating: 0xE9, count: 200)],
        ] {
            for connection in [plain, endpoint] { try connection.send(RedisConnection.encode(words)) }
            #expect(try plain.reply() == endpoint.reply())
        }
    }
}
