import Glibc
import Testing

@testable import dev

@Suite struct RESPClientTests {
    /// A server that has one client and one answer, written in pieces of `size` bytes.
    private func replies(to count: Int, answer: String, inPiecesOf size: Int) throws -> [RESPClient.Reply] {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let server = ends[1]
        let client = RESPClient(adopting: ends[0])
        let bytes = Array(answer.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
        let writer = Thread { for piece in pieces { _ = write(server, piece, piece.count) } }
        defer {
            writer.join()
            close(server)
        }
        return try client.send((0..<count).map { _ in ["PING"] })
    }

    @Test(arguments: [1, 2, 3, 1000])
    func readsEveryKindOfReplyInAnySplit(size: Int) throws {
        let answer = "+OK\r\n-ERR no\r\n:42\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n$1\r\nx\r\n*1\r\n:7\r\n$0\r\n\r\n"
        let replies = try replies(to: 7, answer: answer, inPiecesOf: size)
        #expect(
            replies == [
                .simple("OK"), .error("ERR no"), .integer(42), .bulk(Array("a\r\nbc".utf8)), .null,
                .array([.bulk(Array("x".utf8)), .array([.integer(7)])]), .bulk([]),
            ])
    }

    @Test func comparesValuesWholly() {
        let bulk: (String) -> RESPClient.Reply = { .bulk(Array($0.utf8)) }
        #expect(SampleData.matches(.set(["a", "b"]), .array([bulk("b"), bulk("a")])))
        #expect(!SampleData.matches(.set(["a", "b"]), .array([bulk("b"), bulk("a"), bulk("a")])))
        #expect(!SampleData.matches(.hash(["f": "1"]), .array([bulk("f"), bulk("2")])))
        #expect(!SampleData.matches(.hash([:]), .array([bulk("f"), bulk("2")])))
        #expect(!SampleData.matches(.string("1"), .null))
    }
}

/// The smallest thread that can be waited for.
private final class Thread {
    private var handle = pthread_t()
    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    init(_ run: @escaping () -> Void) {
        let body = Unmanaged.passRetained(Body(run)).toOpaque()
        pthread_create(
            &handle, nil,
            {
                Unmanaged<Body>.fromOpaque($0!).takeRetainedValue().run(); return nil
            }, body)
    }

    func join() { pthread_join(handle, nil) }
}
