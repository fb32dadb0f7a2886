import ProxyCore
import RESP

/// Long commands, passed on while they arrive.
///
/// They go through an upstream of their own: a client that stalls or dies in the middle would hold or spoil
/// the shared one for everybody. To keep the client's order, the stream starts when it has nothing unanswered, and what
/// follows waits for its reply.
extension Worker {
    /// - Returns: How many bytes were used; 0 leaves the command to be gathered whole.
    mutating func startStream(
        _ session: SessionPointer, _ bytes: Bytes, _ count: Int, _ command: ScannedCommand
    ) -> Int {
        guard session.pointee.mode.rawValue == 0, command.completeArguments >= 2,
            let entry = commands.find(bytes + command.nameOffset, count: command.nameCount),
            entry.pointee.tier == 1, entry.pointee.accepts(argumentCount: command.argumentCount)
        else { return 0 }
        if let used = stopStreamWithoutLease(session, bytes, count, command, entry.pointee) { return used }
        let database = session.pointee.database
        guard database.pointee.mayStream else { return 0 }
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return 0
        }
        if session.pointee.pinned != nil { return 0 }  // It watches keys over that one.
        if mustRest(database) {
            rest(session)
            return 0
        }
        let slot: Int
        switch KeyExtractor.slot(bytes, command, entry.pointee, slotFinder(database)) {
        case .slot(let found): slot = found
        case .refused(let refusal): return refuseStream(session, bytes, count, command, refusal.text)
        case .none, .crossSlot, .malformed, .unknown: return 0
        }
        let shard = database.pointee.shards[database.pointee.slots.map { Int($0[slot]) } ?? 0]
        if shard.pointee.isRefusing { return refuseStream(session, bytes, count, command, Self.heldText) }
        if shard.pointee.isHeld {
            parkBlocked(session)
            return 0
        }
        let head = CommandProgress.headBytes(bytes, count)
        var progress = CommandProgress(argumentCount: command.argumentCount)
        let longest = database.pointee.limits.queryBytes
        let step = progress.advance(bytes + head, count - head, longest: longest)
        guard step.outcome == .needsMore else { return 0 }
        let upstream = borrow(shard, for: session)
        session.pointee.streamUpstream = upstream
        session.pointee.isStreaming = true
        session.pointee.progress = progress
        watchHalfRequest(session)
        upstream.pointee.pending.append(
            Pending(
                target: session, sequence: session.pointee.nextSequence, byteCount: Int(UInt32.max), kind: .session,
                isWrite: entry.pointee.isWrite))
        session.pointee.nextSequence &+= 1
        send(upstream, bytes, head + step.taken)
        if upstream.pointee.isBlocked { parkBlocked(session) }
        return head + step.taken
    }

    /// Answers a long command with an error; what is still to come of it is dropped.
    /// - Returns: How many bytes were used; 0 leaves the command to be gathered whole.
    mutating func refuseStream(
        _ session: SessionPointer, _ bytes: Bytes, _ count: Int, _ command: ScannedCommand, _ text: String
    ) -> Int {
        let head = CommandProgress.headBytes(bytes, count)
        var progress = CommandProgress(argumentCount: command.argumentCount)
        let step = progress.advance(bytes + head, count - head)
        guard step.outcome == .needsMore else { return 0 }
        answerError(session, text)
        session.pointee.isStreaming = true
        session.pointee.progress = progress
        watchHalfRequest(session)
        return head + step.taken
    }

    /// - Returns: How many bytes were used.
    mutating func continueStream(_ session: SessionPointer, _ bytes: Bytes, _ count: Int) -> Int {
        if let upstream = session.pointee.streamUpstream, upstream.pointee.isBlocked {
            parkBlocked(session)
            return 0
        }
        session.pointee.hasMoved = true
        let step = session.pointee.progress.advance(
            bytes, count, longest: session.pointee.database.pointee.limits.queryBytes)
        if let upstream = session.pointee.streamUpstream {
            send(upstream, bytes, step.taken)
        }  // Else the upstream was lost and the error is on its way: the rest is dropped.
        switch step.outcome {
        case .needsMore:
            if let upstream = session.pointee.streamUpstream, upstream.pointee.isBlocked { parkBlocked(session) }
        case .complete:
            session.pointee.isStreaming = false
            if let upstream = session.pointee.streamUpstream { session.pointee.pinned = upstream }
            session.pointee.streamUpstream = nil
            park(session, untilReplied: true)
        case .expectedBulk, .invalidBulkLength:
            // The shard must not see it: it would be the proxy that sent a malformed request.
            close(session)
        }
        return step.taken
    }

    // MARK: Lending upstreams

    /// An upstream that nobody else uses until ``releasePinned(_:)``.
    mutating func borrow(_ shard: ShardPointer, for session: SessionPointer) -> UpstreamPointer {
        let lane = session.pointee.lane.strand(0)
        let upstream = takeIdle(shard, lane) ?? makeUpstream(shard, .lent, lane)
        upstream.pointee.owner = session
        return upstream
    }

    private func takeIdle(_ shard: ShardPointer, _ lane: Lane) -> UpstreamPointer? {
        for index in 0..<shard.pointee.idle.count where shard.pointee.idle[index].pointee.lane == lane {
            let upstream = shard.pointee.idle[index]
            shard.pointee.idle.remove(upstream)
            return upstream
        }
        return nil
    }

    /// Gives the session's own upstream back, unless a watch still needs it.
    mutating func releasePinned(_ session: SessionPointer) {
        giveBackLent(session)
        guard let upstream = session.pointee.pinned else { return }
        session.pointee.details?.blockingCall = nil
        if session.pointee.details?.isWatching == true { return }
        session.pointee.pinned = nil
        giveBack(upstream)
    }

    mutating func giveBack(_ upstream: UpstreamPointer) {
        upstream.pointee.owner = nil
        let shard = upstream.pointee.shard
        let waits = shard.pointee.database.pointee.table.routes.durability.waitsForReplica
        let isClean =
            upstream.pointee.pending.isEmpty && upstream.pointee.state == .ready && !upstream.pointee.isEnding
            && upstream.pointee.withholds == waits
        if isClean && !upstream.pointee.isRetired && shard.pointee.idle.count < Shard.maximumIdle {
            shard.pointee.idle.append(upstream)
        } else {
            abandon(upstream)
        }
    }
}
