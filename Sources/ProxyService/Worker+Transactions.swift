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
        case .exec: return exec(session, details, bytes, command)
        case .discard:
            showUnexecuted(session, details, bytes, command)
            discardTransaction(session)
            answer(session, Self.ok)
            return .next
        case .multi: return answerInside(session, "ERR MULTI calls can not be nested")
        case .watch: return answerInside(session, "ERR WATCH inside MULTI is not allowed")
        case .quit, .reset:
            return local(session, ArgumentCursor.all(bytes, command), bytes, command, info)
        case .notPermitted where Self.neverQueued.contains(info.name):
            return reject(session, "ERR Command not allowed inside a transaction")
        case .refused: return refuse(session, Self.unknownText(bytes, command))
        case .notPermitted:
            return rejectPermission(session, info.name)
        case .otherDatabase
        where session.pointee.database.pointee.slots != nil && namesOtherDatabase(bytes, command, info):
            return reject(session, "ERR DB index is out of range")
        case .subscribe, .shardSubscribe, .unsubscribe, .monitor:
            return reject(session, "ERR \(info.name) inside MULTI is not supported by this endpoint")
        case .client where info.name == "client|reply":
            return reject(session, "ERR \(info.name) inside MULTI is not supported by this endpoint")
        default: return collect(session, details, bytes, command, info)
        }
    }

    /// Redis looks for these before it asks whether the client may.
    private static let neverQueued: Set<String> = ["save", "shutdown", "sync", "psync"]

    /// Who has the answer of a command that is queued.
    private func part(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Transaction.Part {
        let isSharded = session.pointee.database.pointee.slots != nil
        let request = ByteSpan(start: bytes, count: command.byteCount).bytes
        switch info.handling {
        case .client where info.name == "client|caching" && session.pointee.ownUpstreams != nil:
            return .shard  // It concerns the commands behind it.
        case .auth, .hello, .client, .config, .role, .acl, .readonly, .slowlogGet, .slowlogLength:
            return .proxy(request)
        case .select: return isSharded ? .proxy(request) : .select(request)
        case .randomKey, .scan: return isSharded ? .proxy(request) : .shard
        case .allShardsInfo, .latencyHistogram, .scriptLoad, .scriptFlush: return .everyShard(request)
        case .allShardsOK, .allShardsSum, .allShardsList, .allShardsFirst, .allShardsEvery, .allShardsAnyOK,
            .functionStats, .latencyLatest, .latencyHistory, .latencyReport, .namedCounts, .lastsave:
            return isSharded ? .everyShard(request) : .shard
        default: return .shard
        }
    }

    private mutating func collect(
        _ session: SessionPointer, _ details: SessionDetails, _ bytes: Bytes, _ command: ScannedCommand,
        _ info: CommandInfo
    ) -> Step {
        var slot = details.slot
        if session.pointee.database.pointee.slots != nil {
            switch KeyExtractor.slot(bytes, command, info, slotFinder(session.pointee.database)) {
            case .slot(let own):
                if slot >= 0 && slot != own { return reject(session, Self.crossSlotText) }
                if info.handling == .sort, let text = strayPatternText(session, bytes, command, own) {
                    return reject(session, text)
                }
                slot = own
            case .crossSlot: return reject(session, Self.crossSlotText)
            case .refused(let refusal): return reject(session, refusal.text)
            case .unknown:
                return reject(session, "ERR \(info.name) inside MULTI is not possible on a sharded database")
            case .none, .malformed: break
            }
        }
        if details.transaction.byteCount + command.byteCount > Self.transactionLimit {
            return reject(session, "ERR the transaction is larger than 64 MiB")
        }
        switch askWhetherBusy(session, details, slot) {
        case .asked: return .parked
        case .busy(let text): return reject(session, text)
        case .idle: break
        }
        details.slot = slot
        details.transaction.append(
            part(session, bytes, command, info), UnsafeBufferPointer(start: bytes, count: command.byteCount))
        if info.mayReplicate && !onlyReads(session, bytes, command, info) { details.transaction.mayReplicate = true }
        answer(session, Array("+QUEUED\r\n".utf8))
        return .next
    }

    /// Nesting is answered and, as in Redis, does not spoil the transaction.
    private mutating func answerInside(_ session: SessionPointer, _ text: String) -> Step {
        answerError(session, text)
        return .next
    }

    // MARK: EXEC

    private mutating func exec(
        _ session: SessionPointer, _ details: SessionDetails, _ bytes: Bytes, _ command: ScannedCommand
    ) -> Step {
        switch askWhetherBusy(session, details, details.slot) {
        case .asked: return .parked
        case .busy(let text): return abort(session, Array("because of: ".utf8) + text)
        case .idle: break
        }
        if details.transaction.isAborted {
            showUnexecuted(session, details, bytes, command)
            return abort(session, Array("because of previous errors.".utf8))
        }
        var upstream = sharedUpstream(session, shardIndex(session, details.slot))
        // What was asked before over the shared upstream must have happened before a watching one is told; and what
        // the proxy does for a transaction counts for all that comes later.
        if (details.isWatching || details.transaction.isMixed) && session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        if details.isWatching {
            let shard = session.pointee.database.pointee.shards[shardIndex(session, details.slot)]
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
        let waits = details.isWatching || details.transaction.isMixed
        sendBlock(session, details, upstream, UnsafeBufferPointer(start: bytes, count: command.byteCount))
        details.isWatching = false
        endTransaction(session, details)
        return waits ? .nextAfterReplies : .next
    }

    /// The shard has not seen it: MULTI, and what ends it.
    private mutating func showUnexecuted(
        _ session: SessionPointer, _ details: SessionDetails, _ bytes: Bytes, _ command: ScannedCommand
    ) {
        let end = ArgumentCursor.all(bytes, command).map(\.bytes)
        // `*1\r\n$5\r\nMULTI\r\n`, in the client's letters.
        showOwn(session, [[Array(details.transaction.opening.dropLast(2).suffix(5))], end])
    }

    private mutating func abort(_ session: SessionPointer, _ reason: [UInt8]) -> Step {
        discardTransaction(session)
        var writer = ReplyWriter()
        writer.error(Array("EXECABORT Transaction discarded ".utf8) + reason)
        answer(session, writer.bytes)
        return .next
    }

    /// The shard of a transaction; the first one before it has a key.
    func shardIndex(_ session: SessionPointer, _ slot: Int) -> Int {
        session.pointee.database.pointee.slots.map { slot >= 0 ? Int($0[slot]) : 0 } ?? 0
    }

    /// `MULTI`, what was queued, `EXEC`; only the last reply is the client's. The last entry counts the bytes of the
    /// whole block, so that after a loss it is repeated whole or not at all.
    private mutating func sendBlock(
        _ session: SessionPointer, _ details: SessionDetails, _ upstream: UpstreamPointer,
        _ exec: UnsafeBufferPointer<UInt8>
    ) {
        sendCaching(session, upstream)
        session.pointee.mode.remove(.caching)
        var (block, commandCount) = details.transaction.block(
            exec: exec, database: session.pointee.lane.databaseIndex)
        for _ in 1..<commandCount {
            upstream.pointee.pending.append(
                Pending(target: nil, sequence: 0, byteCount: 0, kind: .discard, isWrite: true))
        }
        if details.transaction.isMixed {
            let gather = makeGather(session, .transaction, 1)
            details.execution = Execution(
                details.transaction, shard: shardIndex(session, details.slot), sequence: gather.sequence)
            session.pointee.isMidReply = true  // What the shards push meanwhile comes behind the reply, as in Redis.
            ask(gather, 0, upstream, block, isWrite: true)
            return
        }
        block.withUnsafeMutableBufferPointer { buffer in
            forward(
                session, upstream, buffer.baseAddress!, buffer.count,
                effect: details.transaction.mayReplicate ? .data : .passing)
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
        details.transaction = Transaction()
        if !details.isWatching { details.slot = -1 }
    }

    // MARK: While a script runs

    private enum Busy { case idle, asked, busy([UInt8]) }

    /// Redis queues nothing while a script runs long, and does not execute. Whether it does is the shard's to say; over
    /// the first logical database, since a new connection can't select another one then.
    private mutating func askWhetherBusy(_ session: SessionPointer, _ details: SessionDetails, _ slot: Int) -> Busy {
        if let answer = details.busyAnswer {
            details.busyAnswer = nil
            if details.askedFor == session.pointee.nextSequence {
                return answer.starts(with: "-BUSY ".utf8) ? .busy(Array(answer.dropFirst().dropLast(2))) : .idle
            }
        }
        let database = session.pointee.database
        guard hasLongScript(database) else { return .idle }
        let lane = Lane(databaseIndex: 0, usesRESP3: session.pointee.usesRESP3)
        openLane(database, lane)
        let upstream = database.pointee.lanes[lane][shardIndex(session, slot)]
        if mustPark(session, upstream) { return .asked }
        ask(session, Array("*1\r\n$4\r\nROLE\r\n".utf8), .busy, over: upstream)
        details.askedFor = session.pointee.nextSequence
        park(session, untilReplied: true)
        return .asked
    }
}
