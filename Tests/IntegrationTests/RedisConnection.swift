import Glibc
import LocalSocket
import TestSupport

/// A client with blocking calls that sees every byte of every reply.
final class RedisConnection {
    let descriptor: Int32
    private var buffer: [UInt8] = []
    private var position = 0

    init(path: String) throws {
        descriptor = try LocalSocket.connect(path: path)
        limitWaiting()
    }

    init(host: String, port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        let outcome = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard outcome == 0 else {
            close(descriptor)
            throw Violation("can't connect to \(host):\(port): \(String(cString: strerror(errno)))")
        }
        limitWaiting()
    }

    deinit { close(descriptor) }

    private func limitWaiting() {
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    static func encode(_ words: [String]) -> [UInt8] { encode(words.map { Array($0.utf8) }) }

    static func encode(_ words: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words {
            bytes += Array("$\(word.count)\r\n".utf8)
            bytes += word
            bytes += [13, 10]
        }
        return bytes
    }

    func command(_ words: [String]) throws -> String {
        try send(Self.encode(words))
        return String(decoding: try reply(), as: UTF8.self)
    }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Violation("the connection was closed while sending") }
            sent += count
        }
    }

    /// Sends what the peer takes at once, for a peer that may have closed or be full.
    /// - Returns: False when the connection is of no more use.
    func push(_ bytes: [UInt8]) -> Bool {
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        return count >= 0 || bytes.isEmpty
    }

    func skip(_ count: Int) throws { _ = try take(count) }

    /// One whole reply, byte by byte as it came.
    func reply() throws -> [UInt8] {
        let line = try readLine()
        let count = Int(String(decoding: line.dropFirst().dropLast(2), as: UTF8.self)) ?? -1
        switch line.first {
        case UInt8(ascii: "$") where count >= 0, UInt8(ascii: "=") where count >= 0: return line + (try take(count + 2))
        case UInt8(ascii: "*") where count > 0, UInt8(ascii: ">"), UInt8(ascii: "~"): return line + (try replies(count))
        case UInt8(ascii: "%"): return line + (try replies(count * 2))
        default: return line
        }
    }

    private func replies(_ count: Int) throws -> [UInt8] {
        var whole: [UInt8] = []
        for _ in 0..<count { whole += try reply() }
        return whole
    }

    private func readLine() throws -> [UInt8] {
        var end = position
        while true {
            while end < buffer.count && buffer[end] != 10 { end += 1 }
            if end < buffer.count { return try take(end + 1 - position) }
            let offset = end - position
            try fill()
            end = position + offset
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count - position < count { try fill() }
        defer { position += count }
        return Array(buffer[position..<position + count])
    }

    private func fill() throws {
        if position > 0 {
            buffer.removeFirst(position)
            position = 0
        }
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else {
            let reason = errno == EAGAIN ? "no reply in 20 s" : String(cString: strerror(errno))
            throw Violation(count == 0 ? "the connection was closed" : reason)
        }
        buffer += chunk[..<count]
    }
}
