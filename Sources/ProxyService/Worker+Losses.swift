import Glibc
import ProxyCore
import RESP
import Reactor

/// What happens when a shard can't be reached, goes away, or leaves the routes.
///
/// A request that was not sent waits for a new connection or a new route, five seconds at most. So does a read that
/// was sent and not answered. A write that was sent gets an error that says that it may have been applied.
extension Worker {
    static let waitLimitMilliseconds = 5000
    private static let maximumBackoffMilliseconds = 250
    /// How often a lost read is repeated. A read that kills its shard must not do so for ever.
    private static let repetitionLimit = 3

    /// The connection is gone.
    ///
    /// - Parameter repeatsParts: Whether reads that are parts of a ``Gather`` come again, too; nobody counts how often.
    mutating func lose(_ upstream: UpstreamPointer, repeatsParts: Bool = false) {
        if upstream.pointee.isDead { return }
        if upstream.pointee.isListening { return loseListener(upstream) }
        if upstream.pointee.role == .witness { return loseWitness(upstream) }
        disconnect(upstream)
        upstream.pointee.shardClientIdentifier = 0
        upstream.pointee.isLoggingIn = false
        if upstream.pointee.role == .tracking, let owner = upstream.pointee.owner { invalidateEverything(owner) }
        if upstream.pointee.isDead { return }
        if upstream.pointee.isStreamingReply {
            failStreamed(upstream)
            if upstream.pointee.isDead { return }  // It was that session's own.
        }
        pool.release(&upstream.pointee.rest)
        endOvertaken(upstream)
        let kept = splitUnsent(upstream)
        var again = upstream.pointee.refusals.take()
        takeRepeatable(upstream, upstream.pointee.pending.count - kept.count, repeatsParts, &again)
        if upstream.pointee.isDead { return }
        pool.release(&upstream.pointee.output)
        for request in again.requests.reversed() { upstream.pointee.pending.prepend(request) }
        pool.append(&upstream.pointee.output, again.bytes + kept.bytes)
        if upstream.pointee.isRetired { return leave(upstream) }
        if upstream.pointee.hold != .none { restrainLost(upstream) }
        if upstream.pointee.output.isEmpty && (upstream.pointee.isShared || upstream.pointee.withheld.isEmpty) {
            if upstream.pointee.role == .lent, let owner = upstream.pointee.owner { detach(owner, from: upstream) }
            upstream.pointee.state = .idle
            if upstream.pointee.isBlocked {
                upstream.pointee.isBlocked = false
                wakeBlocked()
            }
            if !upstream.pointee.isShared { return destroy(upstream) }
            if upstream.pointee.role == .tracking { backOff(upstream) }  // It has to track again, asked or not.
            return
        }
        // A shard that dies may still accept for a moment; the tries must not be over by then.
        if !again.requests.isEmpty {
            upstream.pointee.backoffMilliseconds = max(10, upstream.pointee.backoffMilliseconds)
        }
        backOff(upstream)
    }

    private mutating func failStreamed(_ upstream: UpstreamPointer) {
        upstream.pointee.isStreamingReply = false
        if upstream.pointee.isKeepingReply {
            upstream.pointee.isKeepingReply = false
            upstream.pointee.isKeptReplyTooLong = false
            pool.release(&upstream.pointee.keptReply)
            fail(upstream.pointee.streamed, Self.unknownText)
        } else {
            // Half a reply has left already; nothing can repair that client's stream.
            fail(upstream.pointee.streamed, "ERR upstream connection lost", endsSession: true)
        }
    }

    mutating func disconnect(_ upstream: UpstreamPointer) {
        if let connection = upstream.pointee.tls { tls.close(connection) }
        upstream.pointee.tls = nil
        if upstream.pointee.descriptor >= 0 { Glibc.close(upstream.pointee.descriptor) }
        upstream.pointee.descriptor = -1
        upstream.pointee.connection &+= 1
        upstream.pointee.state = .idle
    }

    /// Takes the requests that were sent out of the queue: reads to be repeated, the others answered with an error.
    private mutating func takeRepeatable(
        _ upstream: UpstreamPointer, _ count: Int, _ repeatsParts: Bool,
        _ again: inout (requests: [Pending], bytes: [UInt8])
    ) {
        let copies = ByteSpan(
            start: upstream.pointee.sent.isEmpty ? arena : upstream.pointee.sent.first,
            count: upstream.pointee.sent.count
        ).bytes
        var offset = copies.count - upstream.pointee.sentUnanswered
        upstream.pointee.sentUnanswered = 0
        pool.release(&upstream.pointee.sent)
        for _ in 0..<count {
            var pending = upstream.pointee.pending.removeFirst()
            let end = offset + Int(pending.byteCount)
            let isKept = offset >= 0 && end <= copies.count
            let isRepeatable =
                pending.kind == .session && pending.part < Self.repetitionLimit || pending.kind == .part && repeatsParts
            if isRepeatable && !pending.isWrite && isKept {
                if pending.kind == .session { pending.part += 1 }
                again.requests.append(pending)
                again.bytes.append(contentsOf: copies[offset..<end])
            } else {
                fail(pending)
            }
            offset = end
        }
    }

    /// A copy of what has not left. The login is never in it.
    private func splitUnsent(_ upstream: UpstreamPointer) -> (count: Int, bytes: [UInt8]) {
        let tail = upstream.pointee.unsentTail
        if tail.count == 0 { return (0, []) }
        let start = upstream.pointee.output.first + (upstream.pointee.output.count - tail.byteCount)
        return (tail.count, Array(UnsafeBufferPointer(start: start, count: tail.byteCount)))
    }

    /// Tries again later: soon at first, then at most four times a second.
    mutating func backOff(_ upstream: UpstreamPointer) {
        let now = MonotonicClock.milliseconds()
        let delay = upstream.pointee.backoffMilliseconds
        upstream.pointee.backoffMilliseconds = min(Self.maximumBackoffMilliseconds, max(5, delay * 2))
        upstream.pointee.state = .waiting
        upstream.pointee.retryAt = now + delay
        if upstream.pointee.waitingSince == 0 { upstream.pointee.waitingSince = now }
        listForTime(upstream)
    }

    mutating func listForTime(_ upstream: UpstreamPointer) {
        if upstream.pointee.isListedForTime { return }
        upstream.pointee.isListedForTime = true
        timedUpstreams.append(upstream)
    }

    /// Milliseconds to the next deadline, -1 for none.
    func timeout() -> Int {
        var next = Int.max
        for index in 0..<timedUpstreams.count { next = min(next, deadline(timedUpstreams[index])) }
        if isStopping { next = min(next, stopDeadline) }
        if halfSessions.count > 0 || watchedDatabases > 0 || !repetitions.isEmpty {
            next = min(next, nextStallDeadline())
        }
        if scriptingUpstreams.count > 0 { next = min(next, nextScriptCheck) }
        next = min(next, restraints.nextCheck)
        return next == Int.max ? -1 : max(0, next - MonotonicClock.milliseconds())
    }

    private func deadline(_ upstream: UpstreamPointer) -> Int {
        let wait = upstream.pointee.waitingSince > 0 ? upstream.pointee.waitingSince + Self.waitLimitMilliseconds : .max
        switch upstream.pointee.state {
        case .waiting: return min(wait, upstream.pointee.retryAt)
        case .connecting: return min(wait, upstream.pointee.connectDeadline)
        case .ready: return upstream.pointee.refusals.isEmpty ? Int.max : upstream.pointee.retryAt
        case .idle: return Int.max
        }
    }

    mutating func checkTimes() {
        let now = MonotonicClock.milliseconds()
        var index = 0
        while index < timedUpstreams.count {
            let upstream = timedUpstreams[index]
            if !upstream.pointee.isDead { checkTime(upstream, now) }
            let isConnected = upstream.pointee.state == .ready
            if isConnected || upstream.pointee.state == .idle { upstream.pointee.waitingSince = 0 }
            let isSettled = isConnected && upstream.pointee.refusals.isEmpty || upstream.pointee.state == .idle
            if upstream.pointee.isDead || isSettled {
                upstream.pointee.isListedForTime = false
                timedUpstreams.remove(upstream)
            } else {
                index += 1
            }
        }
    }

    private mutating func checkTime(_ upstream: UpstreamPointer, _ now: Int) {
        let since = upstream.pointee.waitingSince
        switch upstream.pointee.state {
        case .idle: return
        case .ready:
            if !upstream.pointee.refusals.isEmpty && now >= upstream.pointee.retryAt { probe(upstream, now) }
            return
        case .waiting, .connecting:
            if since > 0 && now - since >= Self.waitLimitMilliseconds {
                if upstream.pointee.isListening { return giveUpConfirming(upstream, now) }
                upstream.pointee.waitingSince = 0
                failAll(upstream, "ERR the shard could not be reached for 5 seconds, the command was not sent")
                return lose(upstream)
            }
        }
        if upstream.pointee.state == .connecting && now >= upstream.pointee.connectDeadline { return lose(upstream) }
        guard upstream.pointee.state == .waiting && now >= upstream.pointee.retryAt else { return }
        if upstream.pointee.descriptor < 0 { connect(upstream) } else { sendRefusedAgain(upstream, now) }
    }

    /// A listener goes on trying. Only who waits for a confirmation has to be told that there is none to be had.
    private mutating func giveUpConfirming(_ upstream: UpstreamPointer, _ now: Int) {
        upstream.pointee.waitingSince = now
        guard let owner = upstream.pointee.owner, let details = owner.pointee.details else { return }
        let isCompanionMissed = upstream.pointee.role == .invalidation && owner.pointee.ownUpstreams == nil
        if details.confirmation != nil || isCompanionMissed { close(owner) }
    }

    // MARK: Failing requests

    /// Answers everything that waits in an upstream with one error; nothing of it is sent any more.
    mutating func failAll(_ upstream: UpstreamPointer, _ text: String) {
        pool.release(&upstream.pointee.output)
        for pending in upstream.pointee.refusals.take().requests { fail(pending, text) }
        while !upstream.pointee.pending.isEmpty { fail(upstream.pointee.pending.removeFirst(), text) }
        for pending in upstream.pointee.withheld.take().requests { fail(pending, text) }
    }

    private mutating func fail(_ pending: Pending) {
        fail(
            pending,
            pending.isWrite
                ? "ERR upstream connection lost, the write may or may not have been applied"
                : "ERR upstream connection lost, try again")
    }

    mutating func fail(_ pending: Pending, _ text: String, endsSession: Bool = false) {
        var writer = ReplyWriter()
        writer.error(text)
        switch pending.kind {
        case .login, .errand, .identity, .discard, .process, .witness: break
        case .relay: answerRelay(pending, 0)
        case .session:
            let session = pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self)
            if endsSession && !session.pointee.isDead { close(session) }
            deliver(session, pending.sequence, writer.bytes)
        case .part:
            let reference = Unmanaged<Gather>.fromOpaque(pending.target.unsafelyUnwrapped)
            let gather = reference.takeUnretainedValue()
            var bytes = writer.bytes
            bytes.withUnsafeMutableBufferPointer { gather.replace(Int(pending.part), $0.baseAddress!, $0.count) }
            if gather.finishPart() { complete(gather) }
            reference.release()
        }
    }

    // MARK: Leaving

    /// The connection of an upstream is gone whose shard left the routes. What a session had for itself ends with it;
    /// what it shared with others goes on elsewhere.
    private mutating func leave(_ upstream: UpstreamPointer) {
        if upstream.pointee.isShared { return reroute(upstream) }
        failAll(upstream, "ERR upstream connection lost, the command was not sent")
        if upstream.pointee.role == .lent, let owner = upstream.pointee.owner { detach(owner, from: upstream) }
        destroy(upstream)
    }

    /// Nobody wants this upstream's replies any more: close it in whatever state it is.
    mutating func abandon(_ upstream: UpstreamPointer) {
        if upstream.pointee.isDead { return }
        upstream.pointee.owner = nil
        disconnect(upstream)
        if upstream.pointee.isStreamingReply { failStreamed(upstream) }
        failAll(upstream, "ERR upstream connection lost")
        if upstream.pointee.role == .witness { failWithheld(upstream.pointee.shard) }
        destroy(upstream)
    }

    /// - Precondition: Nothing is pending.
    mutating func destroy(_ upstream: UpstreamPointer) {
        if upstream.pointee.isDead { return }
        disconnect(upstream)
        upstream.pointee.isDead = true
        if upstream.pointee.role == .witness { upstream.pointee.shard.pointee.durability.witness = nil }
        pool.release(&upstream.pointee.output)
        pool.release(&upstream.pointee.rest)
        pool.release(&upstream.pointee.sent)
        upstream.pointee.pending.deallocate()
        upstream.pointee.shard.pointee.all.remove(upstream)
        upstream.pointee.shard.pointee.idle.remove(upstream)
        if upstream.pointee.isListedForTime { timedUpstreams.remove(upstream) }
        endScripting(upstream)
        if upstream.pointee.isOvertaken {
            upstream.pointee.shard.pointee.database.pointee.table.shared.longScripts.subtract(1, ordering: .relaxed)
        }
        if upstream.pointee.isBlocked { wakeBlocked() }
        upstreamGraves.append(upstream)
        let shard = upstream.pointee.shard
        if shard.pointee.isRetired && shard.pointee.all.count == 0 && !shard.pointee.isInGrave {
            shard.pointee.isInGrave = true
            shard.pointee.database.pointee.retired.remove(shard)
            shardGraves.append(shard)
        }
        dismissWitness(shard)
    }

    /// The session's own upstream is gone under it.
    private mutating func detach(_ session: SessionPointer, from upstream: UpstreamPointer) {
        upstream.pointee.owner = nil
        if session.pointee.streamUpstream == upstream { session.pointee.streamUpstream = nil }
        if session.pointee.pinned == upstream {
            session.pointee.pinned = nil
            if let details = session.pointee.details, details.isWatching { details.hasLostWatch = true }
        }
        session.pointee.details?.lent.removeAll { $0 == upstream }
    }
}
