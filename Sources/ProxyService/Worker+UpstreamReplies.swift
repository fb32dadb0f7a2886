import Glibc
import ProxyCore
import RESP
import Reactor

/// What comes from shards: reads, finds the ends of replies, hands them on.
extension Worker {
    mutating func read(_ upstream: UpstreamPointer) {
        if upstream.pointee.isListening { return readMessages(upstream) }
        while true {
            if upstream.pointee.withholds && holdReading(upstream) { return }
            let kept = upstream.pointee.rest.count
            if Self.arenaBytes &- arenaUsed < Self.minimumReadBytes &+ kept {
                flushSessions()
                arenaUsed = arenaFloor
            }
            let buffer = arena + arenaUsed
            if kept > 0 {
                buffer.update(from: upstream.pointee.rest.first, count: kept)
                pool.release(&upstream.pointee.rest)
            }
            let wanted = min(256 << 10, Self.arenaBytes &- arenaUsed &- kept)
            let received: Int
            if let connection = upstream.pointee.tls {
                received = tls.read(connection, buffer + kept, wanted)
            } else {
                received = Sockets.receive(upstream.pointee.descriptor, buffer + kept, wanted)
            }
            if received <= 0 {
                if kept > 0 { pool.append(&upstream.pointee.rest, buffer, kept) }
                if received == 0 || received != Int(-EAGAIN) { lose(upstream) }
                return
            }
            upstream.pointee.readsMuch = received >= Self.readAheadBytes
            arenaUsed &+= kept &+ received
            if !takeReceived(upstream, buffer, kept &+ received) { return }
            if received < wanted && upstream.pointee.tls == nil && !upstream.pointee.isHungUp { break }
        }
        finishReading(upstream)
    }

    /// - Parameter bytes: In the arena: what lay in `rest` before, and what came.
    /// - Returns: False when the upstream is gone.
    @inline(__always)
    mutating func takeReceived(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Bool {
        if restraints.leasedDatabases > 0 && cutsOff(upstream) { return false }
        let used = takeReplies(upstream, bytes, count)
        if upstream.pointee.isDead || upstream.pointee.descriptor < 0 { return false }
        unanswered = max(unanswered, upstream.pointee.pending.count)
        if used < count { pool.append(&upstream.pointee.rest, bytes + used, count &- used) }
        return true
    }

    @inline(__always)
    mutating func finishReading(_ upstream: UpstreamPointer) {
        if upstream.pointee.isRetired && upstream.pointee.pending.isEmpty && upstream.pointee.withheld.isEmpty
            && upstream.pointee.refusals.isEmpty
        {
            destroy(upstream)
        }
    }

    /// - Returns: How many bytes were used; the rest is half a reply of less than a chunk.
    private mutating func takeReplies(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Int {
        var index = 0
        var answered = 0
        defer { if upstream.pointee.isShared { forgetSent(upstream, answered) } }
        if upstream.pointee.isStreamingReply {
            index = continueReply(upstream, bytes, count)
            if upstream.pointee.isStreamingReply { return index }
        }
        while index < count {
            if bytes[index] == UInt8(ascii: ">") || upstream.pointee.pending.isEmpty {
                guard let length = takePush(upstream, bytes + index, count &- index) else { return count }
                if length == 0 { return index }
                index &+= length
                continue
            }
            let run = takeRun(upstream, bytes + index, count &- index, &answered)
            if run > 0 {
                index &+= run
                continue
            }
            let length = replyLength(bytes + index, count &- index)
            if length <= 0 {
                if length < 0 { return loseMalformed(upstream, count) }
                if count &- index < BufferPool.chunkBytes { break }
                upstream.pointee.streamed = upstream.pointee.pending.removeFirst()
                answered &+= Int(upstream.pointee.streamed.byteCount)
                upstream.pointee.progress = ReplyProgress()
                upstream.pointee.isStreamingReply = true
                if !upstream.pointee.refusals.isEmpty,
                    isAskedAgain(upstream, upstream.pointee.streamed, answered: answered)
                {
                    upstream.pointee.streamed = Pending(
                        target: nil, sequence: 0, byteCount: 0, kind: .discard, isWrite: false)
                }
                upstream.pointee.isKeepingReply = upstream.pointee.withholds && isKept(upstream.pointee.streamed)
                return index + continueReply(upstream, bytes + index, count &- index)
            }
            let pending = upstream.pointee.pending.removeFirst()
            answered &+= Int(pending.byteCount)
            if bytes[index] == UInt8(ascii: "-"), replay(upstream, pending, answered: answered, bytes + index, length) {
                index &+= length
                continue
            }
            if bytes[index] == UInt8(ascii: "-"),
                repeatIfDeclined(upstream, pending, answered: answered, bytes + index, length)
                    || askAgainLater(upstream, pending, bytes + index, length)
            {
                index &+= length
                continue
            }
            let effects = pending.effectCode | Upstream.everyEffect
            if pending.kind == .session && effects & upstream.pointee.divertedEffects == 0 {
                deliver(
                    pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self), pending.sequence,
                    bytes + index, length)
            } else {
                takeOther(upstream, pending, answered: answered, bytes + index, length)
                if upstream.pointee.isDead || upstream.pointee.descriptor < 0 { return count }
            }
            index &+= length
        }
        return index
    }

    /// Replies for which one session waits next, one behind the other: they leave as they lie, after one look at the
    /// session for all of them. Errors are left to the caller, since the request may come again.
    ///
    /// - Returns: How many bytes were used.
    @inline(__always)
    private mutating func takeRun(
        _ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int, _ answered: inout Int
    ) -> Int {
        let first = upstream.pointee.pending[0]
        guard first.kind == .session, let target = first.target else { return 0 }
        let divertedEffects = upstream.pointee.divertedEffects
        let session = target.assumingMemoryBound(to: Session.self)
        var sequence = session.pointee.sendSequence
        if session.pointee.isDead || session.pointee.isMuted || session.pointee.ring.used > 0 { return 0 }
        var index = 0
        while index < count && bytes[index] != UInt8(ascii: "-") && bytes[index] != UInt8(ascii: ">")
            && upstream.pointee.pending.isNext(target, sequence)
            && (upstream.pointee.pending[0].effectCode | Upstream.everyEffect) & divertedEffects == 0
        {
            let length = replyLength(bytes + index, count &- index)
            if length <= 0 { break }
            answered &+= Int(upstream.pointee.pending.removeFirst().byteCount)
            index &+= length
            sequence &+= 1
        }
        if index == 0 { return 0 }
        session.pointee.sendSequence = sequence
        emit(session, bytes, index)
        return index
    }

    /// A whole reply that is not simply passed on.
    @inline(never)
    private mutating func takeOther(
        _ upstream: UpstreamPointer, _ pending: Pending, answered: Int, _ bytes: Bytes, _ count: Int
    ) {
        if !upstream.pointee.refusals.isEmpty && isAskedAgain(upstream, pending, answered: answered) { return }
        if upstream.pointee.withholds && pending.changesData && withhold(upstream, pending, bytes, count) { return }
        if pending.kind == .session {
            deliver(
                pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self), pending.sequence, bytes, count)
        } else {
            special(upstream, pending, bytes, count, isLast: true)
        }
    }

    private mutating func repeatIfDeclined(
        _ upstream: UpstreamPointer, _ pending: Pending, answered: Int, _ bytes: Bytes, _ count: Int
    ) -> Bool {
        guard let reason = declined(upstream, pending, bytes, count) else { return false }
        return repeatLater(upstream, pending, reason, answered: answered, bytes, count)
    }

    /// Why the shard did not execute the request, if it did not for what it is at the moment.
    @inline(never)
    private func declined(
        _ upstream: UpstreamPointer, _ pending: Pending, _ bytes: Bytes, _ count: Int
    ) -> Refusals.Reason? {
        let reason = Refusals.reason(bytes, count)
        if pending.kind == .discard {
            if let reason { upstream.pointee.declinedPart = reason }
            return nil
        }
        defer { upstream.pointee.declinedPart = nil }
        return reason ?? Refusals.abortReason(bytes, count, part: upstream.pointee.declinedPart)
    }

    private mutating func continueReply(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Int {
        let step = upstream.pointee.progress.advance(bytes, count)
        let pending = upstream.pointee.streamed
        if step.outcome == .malformed { return loseMalformed(upstream, count) }
        let isComplete = step.outcome == .complete
        if isComplete { upstream.pointee.isStreamingReply = false }
        if step.taken == 0 && !isComplete { return 0 }
        if upstream.pointee.isKeepingReply {
            keepReply(upstream, bytes, step.taken, isComplete: isComplete)
            return step.taken
        }
        if pending.kind == .session {
            deliverPiece(
                pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self), pending.sequence, bytes,
                step.taken, isLast: isComplete)
        } else {
            special(upstream, pending, bytes, step.taken, isLast: isComplete)
        }
        return step.taken
    }

    /// What a shard sent can't be a reply: whose bytes follow is not known any more.
    @inline(never)
    private mutating func loseMalformed(_ upstream: UpstreamPointer, _ count: Int) -> Int {
        log("shard \(upstream.pointee.shard.pointee.identifier) sent what is no reply")
        lose(upstream)
        return count
    }

    /// Replies that no client gets as they are.
    @inline(never)
    mutating func special(
        _ upstream: UpstreamPointer, _ pending: Pending, _ bytes: Bytes, _ count: Int, isLast: Bool
    ) {
        switch pending.kind {
        case .session, .discard: break
        case .errand:  // Without what was asked, the connection is not what the session believes it to be.
            if bytes[0] == UInt8(ascii: "-") { lose(upstream) }
        case .login:
            upstream.pointee.backoffMilliseconds = 0
            if bytes[0] == UInt8(ascii: "-") {
                let text = ByteSpan(start: bytes + 1, count: max(0, count - 3)).text
                if text.hasPrefix("BUSY ") {  // To SELECT, while a script runs: so would have been what follows.
                    failAll(upstream, text)
                } else {
                    log("shard \(upstream.pointee.shard.pointee.identifier) refused the proxy's login")
                    failAll(upstream, "ERR the shard refused the proxy's login")
                }
                lose(upstream)
            } else if upstream.pointee.isLoggingIn,
                upstream.pointee.pending.isEmpty || upstream.pointee.pending[0].kind != .login
            {
                finishLogin(upstream)
            }
        case .identity:
            var reader = ReplyReader(bytes, count)
            if bytes[0] == UInt8(ascii: ":") { upstream.pointee.shardClientIdentifier = reader.number() ?? 0 }
            if upstream.pointee.role == .invalidation { companionIsReady(upstream) }
        case .relay:
            var reader = ReplyReader(bytes, count)
            if isLast { answerRelay(pending, bytes[0] == UInt8(ascii: ":") ? reader.number() ?? 0 : 0) }
        case .part: addPart(pending, bytes, count, isLast: isLast)
        case .process: noteProcess(upstream, bytes, count)
        case .witness: takeTestimony(upstream, bytes, count)
        }
    }

    mutating func addPart(_ pending: Pending, _ bytes: Bytes, _ count: Int, isLast: Bool) {
        let reference = Unmanaged<Gather>.fromOpaque(pending.target.unsafelyUnwrapped)
        let gather = reference.takeUnretainedValue()
        gather.add(Int(pending.part), bytes, count)
        if isLast {
            if gather.finishPart() { complete(gather) }
            reference.release()
        }
    }
}
