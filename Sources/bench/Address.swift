import Glibc
import Reactor

/// Where a system listens.
struct Address: Hashable {
    var host: String
    var port: UInt16

    /// - Returns: A connected, non-blocking descriptor.
    func connect() throws(BenchFailure) -> Int32 {
        let descriptor = Sockets.connect(host: host, port: port)
        guard descriptor >= 0 else { throw failure(-descriptor) }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while poll(&waiting, 1, 10_000) < 0 && errno == EINTR {}
        let error = waiting.revents == 0 ? ETIMEDOUT : Sockets.error(of: descriptor)
        guard error == 0 else {
            close(descriptor)
            throw failure(error)
        }
        return descriptor
    }

    private func failure(_ error: Int32) -> BenchFailure {
        BenchFailure("connect to \(host):\(port): \(String(cString: strerror(error)))")
    }

    /// Sends the bytes and waits for exactly as many bytes of replies, the first of them `+` or `$`.
    /// - Returns: The last piece of the replies.
    @discardableResult
    func exchange(_ request: [UInt8], replyBytes: Int, on descriptor: Int32) throws(BenchFailure) -> [UInt8] {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        var rest = request[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw failure(errno) }
            rest = rest.dropFirst(count)
        }
        var left = replyBytes
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while left > 0 {
            let count = recv(descriptor, &chunk, min(left, chunk.count), 0)
            guard count > 0 else { throw failure(count == 0 ? ECONNRESET : errno) }
            if chunk[0] == UInt8(ascii: "-") {
                throw BenchFailure("\(host):\(port): \(String(decoding: chunk[..<count], as: UTF8.self))")
            }
            left -= count
            if left == 0 { return Array(chunk[..<count]) }
        }
        return []
    }
}
