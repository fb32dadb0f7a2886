import ProxyCore
import RESP
import Reactor

/// Commands that may wait: each has an upstream of its own while it does, and the session waits with it.
///
/// When the shard leaves the routes, or is no primary any more, the wait goes on at its successor: the old shard ends
/// it, which says that nothing was taken, and the command is asked again with what is left of its time.
extension Worker {
    /// XREAD and XREADGROUP block only when told to.
    func blocks(_ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo) -> Bool {
        if info.name != "xread" && info.name != "xreadgroup" { return true }
        return ArgumentCursor.all(bytes, command).contains { $0.isWord("block") }
    }

    mutating func forwardBlocking(
        _ session: SessionPointer, toShard index: Int, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        if let step = stopAtHeld(session, session.pointee.database.pointee.shards[index]) { return step }
        if session.pointee.hasUnanswered || session.pointee.pinned != nil {
            if !session.pointee.hasUnanswered { return forwardOnPinned(session, bytes, command, info) }
            park(session, untilReplied: true)
            return .parked
        }
        let upstream = borrow(session.pointee.database.pointee.shards[index], for: session)
        session.pointee.pinned = upstream
        let details = details(session)
        var call = BlockingCall(
            ArgumentCursor.all(bytes, command), name: info.name, now: MonotonicClock.milliseconds())
        call.declinedSince = details.blockingCall?.declinedSince
        details.blockingCall = call
        forward(session, upstream, bytes, command.byteCount, effect: info.effect)
        return .nextAfterReplies
    }

    /// The session watches keys and blocks: its watching upstream can't block too, so the shared one must not either.
    private mutating func forwardOnPinned(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        guard let upstream = session.pointee.pinned else { return .next }
        forward(session, upstream, bytes, command.byteCount, effect: info.effect)
        return .nextAfterReplies
    }

    // MARK: Asking again

    /// A shard that leaves the routes or is held shall end the waits at it. Said again while they go on: a call may
    /// have been on its way. WAIT ends as if its time were over.
    mutating func endBlockingCalls(_ shard: ShardPointer) {
        let all = upstreams(of: shard)
        if all.contains(where: isUnblocking) { return }  // It takes its time.
        let blocked = all.filter { upstream in
            upstream.pointee.role == .lent && upstream.pointee.shardClientIdentifier > 0
                && !upstream.pointee.pending.isEmpty && upstream.pointee.owner?.pointee.details != nil
                && (upstream.pointee.owner?.pointee.details?.blockingCall != nil || isWaitHelper(upstream))
        }
        if blocked.isEmpty { return }
        let errand = makeUpstream(shard, .lent, .resp2)
        errand.pointee.isRetired = true  // It goes when it has its answers.
        for upstream in blocked {
            upstream.pointee.isEnding = true
            let reason = isWaitHelper(upstream) ? "TIMEOUT" : "ERROR"
            var writer = ReplyWriter()
            writer.command(["CLIENT", "UNBLOCK", "\(upstream.pointee.shardClientIdentifier)", reason])
            errand.pointee.pending.append(
                Pending(target: nil, sequence: 0, byteCount: writer.bytes.count, kind: .errand, isWrite: true))
            var request = writer.bytes
            request.withUnsafeMutableBufferPointer { send(errand, $0.baseAddress!, $0.count) }
        }
        connect(errand)
    }

    private func isUnblocking(_ upstream: UpstreamPointer) -> Bool {
        upstream.pointee.role == .lent && upstream.pointee.isRetired && upstream.pointee.owner == nil
    }

    private func isWaitHelper(_ upstream: UpstreamPointer) -> Bool {
        upstream.pointee.owner?.pointee.details?.lent.contains(upstream) == true
    }

    /// A shard ended a wait. By request of a client it did so only while it is in the routes.
    /// - Returns: False when the answer has to be the client's.
    mutating func askAgainLater(_ upstream: UpstreamPointer, _ pending: Pending, _ bytes: Bytes, _ count: Int) -> Bool {
        guard upstream.pointee.role == .lent, pending.kind == .session, let session = upstream.pointee.owner,
            !session.pointee.isDead, session.pointee.details?.blockingCall != nil,
            BlockingCall.isEnded(bytes, count, isLeaving: upstream.pointee.isRetired || upstream.pointee.isEnding)
        else { return false }
        let now = MonotonicClock.milliseconds()
        let details = details(session)
        let since = details.blockingCall?.declinedSince ?? now
        let reason = Refusals.reason(bytes, count) ?? .role
        if now - since >= reason.limitMilliseconds { return false }
        details.blockingCall?.declinedSince = since
        let isOurs = upstream.pointee.isRetired || upstream.pointee.isEnding
        let delay = isOurs ? 0 : details.blockingCall?.delay(now: now) ?? 0
        repetitions.append(Repetition(session: session, at: now + delay))
        return true
    }

    mutating func askAgain() {
        let now = MonotonicClock.milliseconds()
        let due = repetitions.filter { $0.at <= now }
        repetitions.removeAll { $0.at <= now }
        for repetition in due { askAgain(repetition.session, now) }
    }

    private mutating func askAgain(_ session: SessionPointer, _ now: Int) {
        if session.pointee.isDead {
            session.pointee.sendSequence &+= 1
            return reap(session)
        }
        if let upstream = session.pointee.pinned {
            session.pointee.pinned = nil
            giveBack(upstream)
        }
        guard var request = details(session).blockingCall?.request(now: now) else {
            var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
            writer.nullArray()
            return deliver(session, session.pointee.sendSequence, writer.bytes)
        }
        // As if it came now, in the place that it has in the session's order.
        session.pointee.nextSequence &-= 1
        session.pointee.isParked = false
        session.pointee.waitsForReplies = false
        let count = request.count
        request += [UInt8](repeating: 0, count: scanSlackBytes)
        let used = request.withUnsafeMutableBufferPointer { consume(session, $0.baseAddress!, count) }
        if used == 0 && !session.pointee.isDead { putBack(session, request, count) }  // A pause, say.
    }

    private mutating func putBack(_ session: SessionPointer, _ request: [UInt8], _ count: Int) {
        var input = ByteQueue()
        pool.append(&input, Array(request[..<count]))
        if !session.pointee.input.isEmpty {
            pool.append(&input, session.pointee.input.first, session.pointee.input.count)
            pool.release(&session.pointee.input)
        }
        session.pointee.input = input
    }
}

/// A blocking command that is to be asked again.
struct Repetition {
    let session: SessionPointer
    /// Monotonic milliseconds.
    let at: Int
}
