import Glibc
import Primitives
import WatchdogProtocol

/// One connection of a manager or of `tarn`: frames in, frames out, both bounded.
final class WatchdogConnection {
    /// A request carries one specification; the longest real one has a few KiB.
    static let requestLimitBytes = 1 << 20
    /// What a peer that does not read may leave waiting; beyond this it is dropped, it can connect again and list.
    static let queueLimitBytes = 1 << 20
    private static let readsPerTurn = 16

    let descriptor: Int32
    private var input = FrameBuffer(limitBytes: requestLimitBytes)
    private var output: ArraySlice<UInt8> = []
    private(set) var isBroken = false
    /// Whether the loop has been told to wait for room.
    var isWaitingToWrite = false

    /// Owns the descriptor from here on.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    deinit { close(descriptor) }

    var hasOutput: Bool { !output.isEmpty }

    /// The requests that have arrived whole. A peer that breaks the protocol or is gone leaves the connection broken.
    func read() -> [WatchdogRequest] {
        var requests: [WatchdogRequest] = []
        withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 1) { buffer in
            for _ in 0..<Self.readsPerTurn {
                let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if count < 0, errno == EINTR { continue }
                if count < 0, errno == EAGAIN { return }
                guard count > 0 else {
                    isBroken = true
                    return
                }
                input.append(buffer[..<count])
                guard let arrived = try? takeRequests() else {
                    Journal.note("connection closed for a malformed request")
                    isBroken = true
                    return
                }
                requests += arrived
            }
        }
        return requests
    }

    private func takeRequests() throws(WireError) -> [WatchdogRequest] {
        var requests: [WatchdogRequest] = []
        while let frame = try input.next() {
            var reader = WireReader(frame)
            requests.append(try WatchdogRequest(from: &reader))
            guard reader.isAtEnd else { throw .invalid("rest after a request") }
        }
        return requests
    }

    /// Whether so much waits that it has to be flushed before more is queued.
    var isFull: Bool { output.count > Self.queueLimitBytes }

    /// Nothing leaves before ``flush()``.
    func queue(_ reply: WatchdogReply) {
        if !isBroken { output.append(contentsOf: reply.framed()) }
    }

    /// Sends what the peer takes now. One that has let too much pile up is given up.
    func flush() {
        sendWhatFits()
        guard isFull, !isBroken else { return }
        Journal.note("connection closed for not reading", ["queued_bytes": String(output.count)])
        isBroken = true
    }

    private func sendWhatFits() {
        while !output.isEmpty, !isBroken {
            let count = output.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else {
                isBroken = true
                return
            }
            output = output.dropFirst(count)
        }
        // A slice keeps the whole array it was cut from.
        if output.isEmpty { output = [] }
    }
}
