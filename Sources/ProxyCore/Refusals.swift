package import RESP

/// Requests that a shard declined for what it is at the moment: a replica, one that is still loading, or a primary
/// without the replicas that its writes need.
///
/// Such an answer says that the request was not executed, so it may be sent again: to the same shard a little later,
/// or to the one that the next routes name. A client then sees a pause instead of an error during a failover.
///
/// They lie in the order of the stream. So do reads that were executed behind a declined write of their session: their
/// answers are dropped, and asked again in their place they see what the write does. A write that was executed behind
/// a declined one can't be taken back, so the declined one has to end with its error (``take(of:before:)``).
package struct Refusals {
    private struct Entry {
        let request: Pending
        let session: SessionPointer
        /// Of the request in its session; parts of a block have that of its end.
        let sequence: UInt32
        /// Else it is a read that was executed.
        let isDeclined: Bool
        /// ``PendingQueue/endNumber`` of when it was declined: what its session sent behind it is in front of that.
        let end: Int

        func isOf(_ session: SessionPointer, before sequence: UInt32) -> Bool {
            self.session == session && Int32(bitPattern: self.sequence &- sequence) < 0
        }
    }

    private var entries: [Entry] = []
    package private(set) var bytes: [UInt8] = []
    /// Whose requests are here.
    private var sessions: Set<SessionPointer> = []
    /// Everything here waits for replicas; else the whole upstream waits for a primary.
    package private(set) var isForReplicas = true
    /// The first request was sent alone, and nothing follows before its answer.
    private var probe: (target: UnsafeMutableRawPointer?, sequence: UInt32)?
    /// What the shard said last; clients get it when waiting was in vain.
    private var text: [UInt8] = []
    /// The same for transactions.
    private var blockText: [UInt8] = []
    private var role = Patience()
    private var replicas = Patience()

    /// Bytes of requests that may be here. More would take long to send again, and be too much to be kept once more.
    package static let limitBytes = 1 << 20

    package init() {}

    package var isEmpty: Bool { entries.isEmpty && probe == nil }
    package var isProbing: Bool { probe != nil }
    package var isFull: Bool { bytes.count >= Self.limitBytes }
    package var requests: [Pending] { entries.map(\.request) }
    /// When nobody waits any more, in monotonic milliseconds.
    package var deadline: Int { patience.since + (isForReplicas ? Reason.replicas : .role).limitMilliseconds }

    private var patience: Patience { isForReplicas ? replicas : role }

    /// How long to wait before the next try: half of the time that has passed. A probe is one small request and harms
    /// nobody; who waits for a primary sends everything again.
    package func delay(now: Int) -> Int { min(isForReplicas ? 25 : 250, max(5, (now - patience.since) / 2)) }

    // MARK: Adding

    /// - Parameter confirmedAt: When a replica last confirmed a write to these slots, of whichever shard; 0: never.
    /// - Returns: False when the shard has declined for too long: the answer is the client's.
    package mutating func noteRefusal(_ reason: Reason, now: Int, confirmedAt: Int = 0) -> Bool {
        switch reason {
        case .role: role.noteRole(now: now)
        case .replicas: replicas.noteReplicas(now: now, confirmedAt: confirmedAt)
        }
    }

    /// A request that was declined.
    ///
    /// - Parameters:
    ///   - end: ``PendingQueue/endNumber`` of the upstream.
    ///   - isBlock: A transaction that was sent as one block: replies that nobody waits for come before that of EXEC.
    ///   - isFirst: It was the probe, and is in front of all that is here.
    package mutating func add(
        _ request: Pending, _ requestBytes: Bytes, of session: SessionPointer, end: Int, isBlock: Bool = false,
        isFirst: Bool = false
    ) {
        func entry(_ pending: Pending) -> Entry {
            Entry(request: pending, session: session, sequence: request.sequence, isDeclined: true, end: end)
        }
        var added: [Entry] = []
        if isBlock {
            let part = Pending(target: nil, sequence: 0, byteCount: 0, kind: .discard, isWrite: true)
            let count = Self.commandCount(requestBytes, Int(request.byteCount))
            added = Array(repeating: entry(part), count: max(0, count - 1))
        }
        added.append(entry(request))
        entries.insert(contentsOf: added, at: isFirst ? 0 : entries.count)
        let copy = UnsafeBufferPointer(start: requestBytes, count: Int(request.byteCount))
        bytes.insert(contentsOf: copy, at: isFirst ? 0 : bytes.count)
        sessions.insert(session)
    }

    /// A read that was executed behind something that was declined.
    package mutating func add(
        read request: Pending, _ requestBytes: Bytes, of session: SessionPointer, end: Int
    ) {
        entries.append(
            Entry(request: request, session: session, sequence: request.sequence, isDeclined: false, end: end))
        bytes.append(contentsOf: UnsafeBufferPointer(start: requestBytes, count: Int(request.byteCount)))
    }

    /// What the shard said, with CRLF.
    package mutating func note(_ reason: Reason, _ text: [UInt8], isBlock: Bool) {
        if reason == .role { isForReplicas = false }
        if isBlock { blockText = text } else { self.text = text }
    }

    private static func commandCount(_ bytes: Bytes, _ count: Int) -> Int {
        var command = ScannedCommand()
        var index = 0
        var found = 0
        while index < count, scanCommand(bytes + index, count - index, &command) == .complete {
            index += command.byteCount
            found += 1
        }
        return found
    }

    // MARK: Taking

    /// Empties the list; the times stay.
    package mutating func take() -> (requests: [Pending], bytes: [UInt8]) {
        defer {
            entries = []
            bytes = []
            sessions = []
            probe = nil
            isForReplicas = true
        }
        return (requests, bytes)
    }

    /// The first request, to be sent alone: nil while something of its session is under way behind it.
    package mutating func takeProbe(_ pending: PendingQueue) -> (requests: [Pending], bytes: [UInt8])? {
        guard let last = entries.firstIndex(where: { $0.request.byteCount > 0 }), isReady(entries[last], pending)
        else { return nil }
        let taken = takeFirst(last + 1)
        probe = taken.requests.last.map { ($0.target, $0.sequence) }
        return taken
    }

    /// The probe was not declined: what may follow it.
    package mutating func takeReady(_ pending: PendingQueue) -> (requests: [Pending], bytes: [UInt8]) {
        takeFirst(entries.firstIndex { !isReady($0, pending) } ?? entries.count)
    }

    /// Whether nothing of the sessions of what is here is under way.
    package func isReady(_ pending: PendingQueue) -> Bool {
        for entry in entries where !isReady(entry, pending) { return false }
        return true
    }

    /// Numbers are given again when unsent requests are taken aside, hence the second half.
    private func isReady(_ entry: Entry, _ pending: PendingQueue) -> Bool {
        entry.end <= pending.firstNumber || pending.isEmpty
    }

    private mutating func takeFirst(_ count: Int) -> (requests: [Pending], bytes: [UInt8]) {
        let taken = entries[..<count].map(\.request)
        let byteCount = taken.reduce(0) { $0 + Int($1.byteCount) }
        let takenBytes = Array(bytes[..<byteCount])
        entries.removeFirst(count)
        bytes.removeFirst(byteCount)
        sessions = Set(entries.map(\.session))
        return (taken, takenBytes)
    }

    /// Whether a request of the session waits here that was in front of this one.
    package func holdsEarlier(of session: SessionPointer, than sequence: UInt32) -> Bool {
        sessions.contains(session) && entries.contains { $0.isOf(session, before: sequence) }
    }

    /// Requests of the session that a later one has overtaken.
    package mutating func take(of session: SessionPointer, before sequence: UInt32) -> [(Pending, error: [UInt8])] {
        var taken: [(Pending, error: [UInt8])] = []
        var kept: [Entry] = []
        var keptBytes: [UInt8] = []
        var offset = 0
        for (index, entry) in entries.enumerated() {
            let end = offset + Int(entry.request.byteCount)
            if entry.isOf(session, before: sequence) {
                taken.append((entry.request, error(at: index)))
            } else {
                kept.append(entry)
                keptBytes += bytes[offset..<end]
            }
            offset = end
        }
        entries = kept
        bytes = keptBytes
        sessions = Set(kept.map(\.session))
        return taken
    }

    /// Nobody waits any more.
    /// - Returns: What has to end with an error; and reads that may be asked now, with their bytes.
    package mutating func giveUp(
        _ pending: PendingQueue
    ) -> (failed: [(Pending, error: [UInt8])], reads: [Pending], bytes: [UInt8]) {
        var failed: [(Pending, error: [UInt8])] = []
        var reads: [Pending] = []
        var readBytes: [UInt8] = []
        var offset = 0
        for (index, entry) in entries.enumerated() {
            let end = offset + Int(entry.request.byteCount)
            if entry.isDeclined || isForReplicas && !isReady(entry, pending) {
                failed.append((entry.request, error(at: index)))
            } else {
                reads.append(entry.request)
                readBytes += bytes[offset..<end]
            }
            offset = end
        }
        _ = take()
        return (failed, reads, readBytes)
    }

    /// What the client of a request is told, without `-` and CRLF.
    private func error(at index: Int) -> [UInt8] {
        let entry = entries[index]
        if !entry.isDeclined { return Array(Self.overtakenText.utf8) }
        let isBlock = index > 0 && entries[index - 1].request.kind == .discard
        return Array((isBlock ? blockText : text).dropFirst().dropLast(2))
    }

    private static let overtakenText =
        "ERR a write in front of this command was declined and a later one was executed; ask again"

    // MARK: The probe

    /// - Returns: Whether this was the answer to the probe; there is none under way then.
    package mutating func endProbe(_ request: Pending) -> Bool {
        guard let probe, probe.target == request.target, probe.sequence == request.sequence else { return false }
        self.probe = nil
        return true
    }

    /// Replicas are there again: a later gap is another one.
    package mutating func noteExecuted() { replicas = Patience() }
}

extension Refusals {
    /// Since when a shard declines.
    private struct Patience {
        /// Monotonic milliseconds; when the shard began to decline, and did so last.
        var since = 0
        var last = 0

        /// Not having declined for as long as the limit a shard gets its time anew.
        mutating func noteRole(now: Int) -> Bool {
            let limit = Reason.role.limitMilliseconds
            if now - last > limit { since = now }
            last = now
            return now - since < limit
        }

        /// Its time counts from the last confirmation, so that nobody waits for a replica whose node was lost: it is
        /// over when that is settled. It is given once, until a replica confirms again.
        mutating func noteReplicas(now: Int, confirmedAt: Int) -> Bool {
            if last == 0 || confirmedAt > since {
                let isRecent = confirmedAt > 0 && now - confirmedAt < Reason.memoryMilliseconds
                since = isRecent ? confirmedAt : now
            }
            last = now
            return now - since < Reason.replicas.limitMilliseconds
        }
    }
}
