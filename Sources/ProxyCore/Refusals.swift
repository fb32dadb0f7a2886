package import RESP

/// Requests that a shard declined for what it is at the moment: a replica, or one that is still loading.
///
/// Such an answer says that the request was not executed, so it may be sent again: to the same shard a little later,
/// or to the one that the next routes name. A client then sees a pause instead of an error during a failover.
package struct Refusals {
    package private(set) var requests: [Pending] = []
    package private(set) var bytes: [UInt8] = []
    /// What the shard said last; the client gets it when waiting was in vain.
    package private(set) var text: [UInt8] = []
    /// Monotonic milliseconds; when the shard began to decline, and did so last.
    package private(set) var since = 0
    private var last = 0

    package init() {}

    package var isEmpty: Bool { requests.isEmpty }

    /// How long to wait before the next try: half of the time that has passed, 5 ... 250 ms.
    package func delay(now: Int) -> Int { min(250, max(5, (now - since) / 2)) }

    /// - Parameter limit: How long the shard may decline before clients are told, in milliseconds.
    /// - Returns: False when that has passed: the answer is the client's.
    package mutating func noteRefusal(now: Int, limit: Int) -> Bool {
        if now - last > limit { since = now }
        last = now
        return now - since < limit
    }

    /// A transaction that was sent as one block: replies that nobody waits for come before the one of EXEC.
    package mutating func add(block request: Pending, _ requestBytes: Bytes, text: [UInt8]) {
        var command = ScannedCommand()
        var index = 0
        let count = Int(request.byteCount)
        while index < count, scanCommand(requestBytes + index, count - index, &command) == .complete {
            index += command.byteCount
            if index < count {
                requests.append(Pending(target: nil, sequence: 0, byteCount: 0, kind: .discard, isWrite: true))
            }
        }
        add(request, requestBytes, text: text)
    }

    package mutating func add(_ request: Pending, _ requestBytes: Bytes, text: [UInt8]) {
        requests.append(request)
        bytes.append(contentsOf: UnsafeBufferPointer(start: requestBytes, count: Int(request.byteCount)))
        self.text = text
    }

    /// Empties the list; the times stay.
    package mutating func take() -> (requests: [Pending], bytes: [UInt8]) {
        defer {
            requests = []
            bytes = []
        }
        return (requests, bytes)
    }

    /// What EXEC answers when a command before it was declined.
    package static func isAborted(_ reply: Bytes, _ count: Int) -> Bool {
        UnsafeBufferPointer(start: reply, count: count).starts(with: "-EXECABORT ".utf8)
    }

    /// Whether a reply is such an answer. The whole sentence is compared for READONLY, since scripts, which
    /// may have written before, choose their own errors.
    package static func isRefusal(_ reply: Bytes, _ count: Int) -> Bool {
        switch count {
        case 8..<128:
            let text = UnsafeBufferPointer(start: reply, count: count)
            return text.elementsEqual("-READONLY You can't write against a read only replica.\r\n".utf8)
                || text.starts(with: "-LOADING ".utf8) || text.starts(with: "-MASTERDOWN ".utf8)
        default: return false
        }
    }
}
