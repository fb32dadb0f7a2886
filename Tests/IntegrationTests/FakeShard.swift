import Dispatch
import Glibc
import LocalSocket
import Synchronization
import TestSupport

/// Speaks RESP on a unix socket and answers as it was told: what no redis-server here would say.
final class FakeShard: Sendable {
    let path: String
    private let listener: Int32
    private let isClosed = Atomic<Bool>(false)
    private let answer: @Sendable ([String]) -> String

    /// At the end of a reply: the connection is closed behind it.
    static let hangUp = "<hang up>"

    /// - Parameter answer: The reply to a command, whole, in RESP2.
    init(path: String, answer: @escaping @Sendable ([String]) -> String) throws {
        self.path = path
        self.answer = answer
        listener = try LocalSocket.listen(path: path)
        _ = fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) & ~O_NONBLOCK)
        DispatchQueue.global().async { [self] in
            while !isClosed.load(ordering: .relaxed) {
                let connection = accept(listener, nil, nil)
                if connection < 0 { return }
                DispatchQueue.global().async { [self] in serve(connection) }
            }
        }
    }

    func close() {
        isClosed.store(true, ordering: .relaxed)
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
    }

    private func serve(_ connection: Int32) {
        defer { Glibc.close(connection) }
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            while let (words, length) = Self.command(buffer) {
                buffer.removeFirst(length)
                let text = answer(words)
                let isLast = text.hasSuffix(Self.hangUp)
                let reply = Array((isLast ? String(text.dropLast(Self.hangUp.count)) : text).utf8)
                if send(connection, reply, reply.count, Int32(MSG_NOSIGNAL)) < 0 || isLast { return }
            }
            let count = recv(connection, &chunk, chunk.count, 0)
            if count <= 0 { return }
            buffer += chunk[..<count]
        }
    }

    private static func command(_ bytes: [UInt8]) -> (words: [String], length: Int)? {
        var position = 0
        func number() -> Int? {
            guard let end = bytes[position...].firstIndex(of: 10) else { return nil }
            defer { position = end + 1 }
            return Int(String(decoding: bytes[position + 1..<end - 1], as: UTF8.self))
        }
        guard !bytes.isEmpty, let count = number() else { return nil }
        var words: [String] = []
        for _ in 0..<count {
            guard position < bytes.count, let length = number(), position + length + 2 <= bytes.count else {
                return nil
            }
            words.append(String(decoding: bytes[position..<position + length], as: UTF8.self))
            position += length + 2
        }
        return (words, position)
    }
}
