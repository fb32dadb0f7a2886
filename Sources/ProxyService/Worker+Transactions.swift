import ProxyCore
import RESP

/// MULTI … EXEC is collected here and sent as one block, so it needs no upstream of its own: nobody's
/// requests come between the parts of a block. WATCH does need one, from the first WATCH to EXEC.
extension Worker {
    /// Bytes that one transaction may collect.
    private static let transactionLimit = 64 << 20

    mutating func enqueue(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let details = details(session)
        switch info.handling {
        case .exec: return exec(session, details)
        case .discard:
            endTransaction(session, details)
            stopWatching(session, details)
            answer(session, Array("+OK\r\n".utf8))
            return .next
        case .multi: return answerInside(session, "ERR MULTI calls can not be nested")
        case .watch: return answerInside(session, "ERR WATCH inside MULTI is not allowed")
        case .quit, .reset:
            return local(session, ArgumentCursor.all(bytes, command), bytes, command, info)
        case .refused: return refuse(session, Self.unknownText(bytes, command))
        case .notPermitted:
            return rejectPermission(session, info.name)
        case .otherDatabase
        where session.pointee.database.pointee.slots != nil && namesOtherDatabase(bytes, command, info):
            return reject(session, "ERR DB index is out of range")
        case .key, .keys, .keysByShard, .sort, .otherDatabase, .mget, .mset, .countOfKeys, .sunion, .sinter, .sdiff,
            .ping, .echo, .time, .anyShard, .firstShard, .unwatch:
            break
        case .allShardsOK, .allShardsSum, .allShardsList, .allShardsFirst, .allShardsEvery, .allShardsAnyOK,
            .scriptLoad, .scriptFlush, .functionStats, .latencyHistogram, .latencyLatest, .latencyHistory, .slowlogGet,
            .namedCounts, .randomKey, .scan, .lastsave, .commandInfo:
            if session.pointee.database.pointee.shardCount > 1 {
                return reject(session, "ERR \(info.name) inside MULTI is not possible on a sharded database")
            }
        case .select, .allShardsInfo, .auth, .hello, .client, .config, .role, .acl, .readonly, .subscribe,
            .shardSubscribe, .unsubscribe, .wait, .monitor:
            return reject(session, "ERR \(info.name) inside MULTI is not supported by this endpoint")
        }
        return collect(session, details, bytes, command, info)
    }

    private mutating func collect(
        _ session: SessionPointer, _ details: SessionDetails, _ bytes: Bytes, _ command: ScannedCommand,
        _ info: CommandInfo
    ) -> Step {
        if session.pointee.database.pointee.slots != nil {
            switch KeyExtractor.slot(bytes, command, info, hasher) {
            case .slot(let slot):
                if details.slot >= 0 && details.slot != slot { return reject(session, Self.crossSlotText) }
                if info.handling == .sort, let text = strayPatternText(bytes, command, slot) {
                    return reject(session, text)
                }
                details.slot = slot
            case .crossSlot: return reject(session, Self.crossSlotText)
            case .unknown:
                return reject(session, "ERR \(info.name) inside MULTI is not possible on a sharded database")
            case .none, .malformed: break
            }
        }
        if details.queued.count + command.byteCount > Self.transactionLimit {
            return reject(session, "ERR the transaction is larger than 64 MiB")
        }
        details.queued.append(contentsOf: UnsafeBufferPointer(start: bytes, count: command.byteCount))
        details.queuedCount += 1
        if info.mayReplicate { details.queuesWrite = true }
        answer(session, Array("+QUEUED\r\n".utf8))
        return .next
    }

    /// Nesting is answered and, as in Redis, does not spoil the transaction.
    private mutating func answerInside(_ session: SessionPointer, _ text: String) -> Step {
        answerError(session, text)
        return .next
    }

    private mutating func exec(_ session: SessionPointer, _ details: SessionDetails) -> Step {
        if details.isAborted {
            endTransaction(session, details)
            stopWatching(session, details)
            answerError(session, "EXECABORT Transaction discarded because of previous errors.")
            return .next
        }
        let database = session.pointee.database
        let index = database.pointee.slots.map { details.slot >= 0 ? Int($0[details.slot]) : 0 } ?? 0
        var upstream = sharedUpstream(session, index)
        if details.isWatching {
            // What was asked before over the shared upstream must have happened before this block does.
            if session.pointee.hasUnanswered {
                park(session, untilReplied: true)
                return .parked
            }
            let shard = database.pointee.shards[index]
            if shard.pointee.isRefusing { discardTransaction(session) }
            if let step = stopAtHeld(session, shard) { return step }
            guard !details.hasLostWatch, let pinned = session.pointee.pinned, pinned.pointee.shard == shard else {
                // The watching connection was lost or its shard replaced: nobody knows whether the keys changed.
                discardTransaction(session)
                var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
                writer.nullArray()
                answer(session, writer.bytes)
                return .next
            }
            upstream = pinned
        } else if mustPark(session, upstream) {
            return .parked
        }
        sendBlock(session, details, upstream)
        let wasWatching = details.isWatching
        endTransaction(session, details)
        details.isWatching = false
        return wasWatching ? .nextAfterReplies : .next
    }

    /// `MULTI`, what was queued, `EXEC`; only the last reply is the client's. The last entry counts the bytes of the
    /// whole block, so that after a loss it is repeated whole or not at all.
    private mutating func sendBlock(
        _ session: SessionPointer, _ details: SessionDetails, _ upstream: UpstreamPointer
    ) {
        sendCaching(session, upstream)
        session.pointee.mode.remove(.caching)
        var block = Array("*1\r\n$5\r\nMULTI\r\n".utf8)
        block.append(contentsOf: details.queued)
        block.append(contentsOf: Array("*1\r\n$4\r\nEXEC\r\n".utf8))
        for _ in 0...details.queuedCount {
            upstream.pointee.pending.append(
                Pending(target: nil, sequence: 0, byteCount: 0, kind: .discard, isWrite: true))
        }
        block.withUnsafeMutableBufferPointer { buffer in
            forward(session, upstream, buffer.baseAddress!, buffer.count, isWrite: true)
        }
    }

    /// Nothing of it is executed, and nothing is watched any more.
    mutating func discardTransaction(_ session: SessionPointer) {
        let details = details(session)
        endTransaction(session, details)
        stopWatching(session, details)
    }

    private mutating func endTransaction(_ session: SessionPointer, _ details: SessionDetails) {
        session.pointee.mode.remove(.transaction)
        details.queued = []
        details.queuedCount = 0
        details.queuesWrite = false
        details.isAborted = false
        if !details.isWatching { details.slot = -1 }
    }

    // MARK: WATCH

    mutating func watch(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        let details = details(session)
        let database = session.pointee.database
        var index = 0
        if let slots = database.pointee.slots {
            guard case .slot(let slot) = KeyExtractor.slot(bytes, command, info, hasher),
                details.slot < 0 || details.slot == slot
            else { return reject(session, Self.crossSlotText) }
            details.slot = slot
            index = Int(slots[slot])
        }
        let shard = database.pointee.shards[index]
        if let step = stopAtHeld(session, shard) { return step }
        if details.isWatching && session.pointee.pinned?.pointee.shard != shard { details.hasLostWatch = true }
        if details.hasLostWatch {  // EXEC will say so.
            answer(session, Self.ok)
            return .next
        }
        let upstream = session.pointee.pinned ?? borrow(shard, for: session)
        session.pointee.pinned = upstream
        details.isWatching = true
        forward(session, upstream, bytes, command.byteCount, isWrite: false)
        return .nextAfterReplies
    }

    mutating func unwatch(_ session: SessionPointer) -> Step {
        let details = details(session)
        stopWatching(session, details)
        answer(session, Array("+OK\r\n".utf8))
        return .next
    }

    /// Watches end with their connection: cheaper than another round trip, and certain.
    mutating func stopWatching(_ session: SessionPointer, _ details: SessionDetails) {
        details.slot = -1
        details.hasLostWatch = false
        guard details.isWatching else { return }
        details.isWatching = false
        guard let upstream = session.pointee.pinned else { return }
        session.pointee.pinned = nil
        abandon(upstream)
    }
}
