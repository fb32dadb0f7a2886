import ProxyCore
import RESP
import Reactor

/// Requests that are sent again: declined by a shard that is no primary (yet), or on their way to one that left
/// the routes.
///
/// Order is what has to be kept: a write must not be repeated behind a later one of its session. So an upstream
/// whose shard declines sends nothing more until it has tried again, and what was declined goes first. Sessions that
/// wait for replies of an upstream that left the routes send nothing until they have them, so what it declines can
/// follow.
extension Worker {
    /// Remembers what leaves, as far as it is worth it.
    @inline(__always)
    mutating func consumeSent(_ upstream: UpstreamPointer, _ count: Int) {
        if upstream.pointee.isShared {
            upstream.pointee.sentUnanswered &+= count
            if upstream.pointee.sentUnanswered > Upstream.sentLimit {
                pool.release(&upstream.pointee.sent)  // Deep pipelines: copying them cost a tenth of the request.
            } else if upstream.pointee.sent.isEmpty && count == upstream.pointee.output.count {
                swap(&upstream.pointee.sent, &upstream.pointee.output)  // The usual case: nothing is copied.
                return
            } else {
                pool.append(&upstream.pointee.sent, upstream.pointee.output.first, count)
            }
        }
        pool.consume(&upstream.pointee.output, count)
    }

    @inline(__always)
    mutating func forgetSent(_ upstream: UpstreamPointer, _ count: Int) {
        upstream.pointee.sentUnanswered = max(0, upstream.pointee.sentUnanswered &- count)
        let superfluous = upstream.pointee.sent.count &- upstream.pointee.sentUnanswered
        if superfluous > 0 { pool.consume(&upstream.pointee.sent, superfluous) }
    }

    /// - Parameter answered: Bytes of the requests answered since `sentUnanswered` was last set, this one included.
    /// - Returns: False when the answer has to be the client's.
    @inline(never)
    mutating func repeatLater(
        _ upstream: UpstreamPointer, _ pending: Pending, _ reason: Refusals.Reason, answered: Int, _ text: Bytes,
        _ count: Int
    ) -> Bool {
        let isProbe = upstream.pointee.refusals.endProbe(pending)
        guard let session = asker(of: pending), let request = copy(of: pending, upstream, answered: answered),
            upstream.pointee.refusals.noteRefusal(
                reason, now: MonotonicClock.milliseconds(),
                confirmedAt: upstream.pointee.shard.pointee.durability.confirmedAt),
            !upstream.pointee.refusals.isFull
        else { return false }
        if upstream.pointee.isRetired && !session.pointee.waitsForReplies { return false }
        let isBlock = Refusals.abortReason(text, count, part: reason) != nil
        upstream.pointee.refusals.note(reason, ByteSpan(start: text, count: count).bytes, isBlock: isBlock)
        upstream.pointee.refusals.add(
            pending, request, of: session, end: upstream.pointee.pending.endNumber, isBlock: isBlock,
            isFirst: isProbe)
        if upstream.pointee.isRetired {
            let refused = upstream.pointee.refusals.take()
            move(refused.requests, refused.bytes, from: upstream)
        } else if upstream.pointee.refusals.isForReplicas {
            park(session, untilReplied: true)
            probeLater(upstream)
        } else if !upstream.pointee.isBlocked {
            hold(upstream)
        }
        return true
    }

    /// The bytes of a request that was just answered; nil when they were not kept.
    func copy(of pending: Pending, _ upstream: UpstreamPointer, answered: Int) -> Bytes? {
        let bytesToEnd = upstream.pointee.sentUnanswered - answered + Int(pending.byteCount)
        let offset = upstream.pointee.sent.count - bytesToEnd
        return upstream.pointee.isShared && offset >= 0 ? upstream.pointee.sent.first + offset : nil
    }

    /// Nil when nobody asks (any more).
    func asker(of pending: Pending) -> SessionPointer? {
        let session: SessionPointer
        switch pending.kind {
        case .session: session = pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self)
        case .part:
            session = Unmanaged<Gather>.fromOpaque(pending.target.unsafelyUnwrapped).takeUnretainedValue().session
        case .login, .errand, .identity, .relay, .discard, .process, .witness: return nil
        }
        return session.pointee.isDead ? nil : session
    }

    /// The shard has left the routes and owes replies: who waits for one makes no request at the new shard before. So
    /// what the old one declines can go to the new one in order.
    mutating func parkAskers(_ upstream: UpstreamPointer) {
        parkAskers((0..<upstream.pointee.pending.count).map { upstream.pointee.pending[$0] })
    }

    mutating func parkAskers(_ requests: [Pending]) {
        for request in requests {
            if let session = asker(of: request) { park(session, untilReplied: true) }
        }
    }

    /// Sends nothing more for a while. Not in the middle of a request: ``flush(_:)-upstream`` calls again at its end.
    mutating func hold(_ upstream: UpstreamPointer) {
        guard upstream.pointee.state == .ready else { return }
        let now = MonotonicClock.milliseconds()
        upstream.pointee.state = .waiting
        upstream.pointee.retryAt = now + upstream.pointee.refusals.delay(now: now)
        listForTime(upstream)
    }

    /// The time of ``hold(_:)`` is over.
    mutating func sendRefusedAgain(_ upstream: UpstreamPointer, _ now: Int) {
        let isTooLate = now >= upstream.pointee.refusals.deadline
        if upstream.pointee.sentUnanswered > 0 && !isTooLate {
            upstream.pointee.retryAt = now + 20  // What is in flight may be declined too and belongs behind.
            return
        }
        upstream.pointee.state = .ready
        markDirty(upstream)
        if isTooLate { return giveUpRefused(upstream) }
        let refused = upstream.pointee.refusals.take()
        if upstream.pointee.hold != .none || !upstream.pointee.withheld.isEmpty {  // It belongs in front of that.
            upstream.pointee.withheld.prepend(refused.requests, refused.bytes)
            return
        }
        giveFirst(refused.requests, refused.bytes, to: upstream)
    }

    /// In front of what has not left.
    mutating func giveFirst(_ requests: [Pending], _ bytes: [UInt8], to upstream: UpstreamPointer) {
        if requests.isEmpty { return }
        if upstream.pointee.sentUnanswered > 0 {
            let unsent = takeUnsent(upstream, upstream.pointee.unsentTail)
            giveUnsent(requests + unsent.requests, bytes + unsent.bytes, to: upstream)
            return
        }
        for pending in requests.reversed() { upstream.pointee.pending.prepend(pending) }
        var stream = ByteQueue()
        pool.append(&stream, bytes)
        if !upstream.pointee.output.isEmpty {
            pool.append(&stream, upstream.pointee.output.first, upstream.pointee.output.count)
            pool.release(&upstream.pointee.output)
        }
        upstream.pointee.output = stream
        markDirty(upstream)
    }

    /// The shard left the routes: what was not sent goes where the new routes say; what was sent is answered here.
    mutating func reroute(_ upstream: UpstreamPointer) {
        let kept = takeUnsent(upstream, upstream.pointee.unsentTail)
        let refused = upstream.pointee.refusals.take()
        let withheld = upstream.pointee.withheld.take()
        if upstream.pointee.state == .waiting && upstream.pointee.descriptor >= 0 { upstream.pointee.state = .ready }
        move(
            refused.requests + kept.requests + withheld.requests, refused.bytes + kept.bytes + withheld.bytes,
            from: upstream)
        if upstream.pointee.isShared { upstream.pointee.owner = nil }  // What it still owes has its own names.
        if upstream.pointee.pending.isEmpty && upstream.pointee.owner == nil { destroy(upstream) }
    }

    /// Gives whole requests to the shared upstreams that the routes name now.
    mutating func move(_ requests: [Pending], _ requestBytes: [UInt8], from upstream: UpstreamPointer) {
        let database = upstream.pointee.shard.pointee.database
        let place = upstream.pointee.shard.pointee.firstSlot
        let upstreams = upstream.pointee.owner?.pointee.ownUpstreams ?? database.pointee.lanes[upstream.pointee.lane]
        var bytes = requestBytes + [UInt8](repeating: 0, count: scanSlackBytes)
        bytes.withUnsafeMutableBufferPointer { buffer in
            var offset = 0
            var first = 0
            for (position, pending) in requests.enumerated() where pending.byteCount > 0 {
                let start = buffer.baseAddress! + offset
                let target = upstreams[route(database, start, Int(pending.byteCount), place)]
                for entry in requests[first...position] { target.pointee.pending.append(entry) }
                send(target, start, Int(pending.byteCount))
                offset += Int(pending.byteCount)
                first = position + 1
            }
        }
    }

    /// The shard for a request (or a block of requests) that was routed before. What has no key, or keys of many slots
    /// (a part of MGET), goes to the shard at the place of the old one.
    private func route(_ database: DatabasePointer, _ bytes: Bytes, _ count: Int, _ place: Int) -> Int {
        guard let slots = database.pointee.slots else { return 0 }
        var index = 0
        var command = ScannedCommand()
        while index < count, scanCommand(bytes + index, count - index, &command) == .complete {
            if case .command(let entry) = find(database, bytes + index, command),
                case .slot(let slot) = KeyExtractor.slot(bytes + index, command, entry.pointee, slotFinder(database))
            {
                return Int(slots[slot])
            }
            index += command.byteCount
        }
        return Int(slots[place])
    }
}
