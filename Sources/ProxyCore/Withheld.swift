/// Requests that were given to an upstream and must not be sent yet: its shard is held, or there is a write among them
/// and the node's lease has lapsed.
///
/// They wait beside the upstream, not in it, so that what its stream owes is only what was sent.
package struct Withheld {
    package private(set) var requests: [Pending] = []
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package var isEmpty: Bool { requests.isEmpty }

    package mutating func append(_ requests: some Sequence<Pending>, _ bytes: some Sequence<UInt8>) {
        self.requests.append(contentsOf: requests)
        self.bytes.append(contentsOf: bytes)
    }

    /// What was asked before the others and came back without having been executed.
    package mutating func prepend(_ requests: some Collection<Pending>, _ bytes: some Collection<UInt8>) {
        self.requests.insert(contentsOf: requests, at: 0)
        self.bytes.insert(contentsOf: bytes, at: 0)
    }

    package mutating func take() -> (requests: [Pending], bytes: [UInt8]) {
        defer { self = Withheld() }
        return (requests, bytes)
    }
}

extension Upstream {
    /// The requests at the tail of the stream of which no byte has left. A login or an errand is never among them, nor
    /// is a long command in pieces, whose first pieces are gone.
    package var unsentTail: (count: Int, byteCount: Int) {
        let unsentBytes = output.count
        var count = 0
        var byteCount = 0
        var index = pending.count - 1
        while index >= 0 {
            let request = pending[index]
            if !request.isMovable || byteCount + Int(request.byteCount) > unsentBytes { break }
            if request.byteCount == 0 && count == 0 { break }
            byteCount += Int(request.byteCount)
            count += 1
            index -= 1
        }
        return byteCount > 0 ? (count, byteCount) : (0, 0)
    }

    /// How many requests at the tail, and bytes of them, are from the first unsent write on; what is in front of it
    /// may leave. A transaction is one piece.
    package var unsentTailFromFirstWrite: (count: Int, byteCount: Int) {
        let tail = unsentTail
        var count = tail.count
        var byteCount = tail.byteCount
        for index in (pending.count - tail.count)..<pending.count {
            let request = pending[index]
            if request.needsLease { return (count, byteCount) }
            // Parts of a block have no bytes of their own: it begins with the first of them.
            if request.byteCount == 0 { continue }
            count = pending.count - 1 - index
            byteCount -= Int(request.byteCount)
        }
        return (0, 0)
    }

    /// Whether a write was sent whole or in part and is not answered.
    package var owesWrite: Bool {
        if isStreamingReply && streamed.needsLease { return true }
        let sent = pending.count - unsentTail.count
        for index in 0..<sent where pending[index].needsLease { return true }
        return false
    }

    /// Whether somebody still gets a reply to what was sent. What the proxy itself wants to know of a connection is
    /// nobody's.
    package var owesReply: Bool {
        if isListening { return false }
        if isStreamingReply { return true }
        for index in 0..<pending.count where pending[index].isOfClients { return true }
        return false
    }
}

extension Pending {
    /// May go to another shard than the one it was meant for first.
    package var isMovable: Bool {
        switch kind {
        case .session, .part, .discard, .identity: byteCount != UInt32.max
        case .login, .errand, .relay, .process, .witness: false
        }
    }

    package var needsLease: Bool { isWrite && (kind == .session || kind == .part) }

    fileprivate var isOfClients: Bool { kind == .session || kind == .part || kind == .discard }
}
