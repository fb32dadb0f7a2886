import ProxyCore
import RESP

/// EXEC of a transaction in which something is the proxy's to answer.
///
/// The shard executes its block first; an error, or the null of a watched key that has changed, is the client's, and
/// nothing else happens. After that the proxy does its parts one by one, as if they came now, and keeps their answers.
/// The session waits meanwhile, and its reply leaves whole:
/// ```
///   EXEC ──▶ block ──▶ finishBlock ──▶ proceed ─┬─▶ dispatch … isKept ─┐
///                                      ▲        │                      │
///                                      └────────┴──── resume ◀─────────┘   … ──▶ answer
/// ```
extension Worker {
    /// The shard's reply to EXEC.
    mutating func finishBlock(_ gather: Gather) {
        let session = gather.session
        guard !session.pointee.isDead, let details = session.pointee.details, details.execution != nil else {
            return deliver(session, gather.sequence, [])
        }
        if details.execution?.begin(gather.parts[0]) == true {
            session.pointee.isMuted = true
            deliver(session, gather.sequence, [])
        } else {
            details.execution = nil
            deliver(session, gather.sequence, gather.parts[0])
            endReply(session)
        }
    }

    /// Nothing of the session is unanswered.
    /// - Returns: False while parts are missing; the session is parked then.
    mutating func proceed(_ session: SessionPointer) -> Bool {
        guard let details = session.pointee.details else { return true }
        while let (part, element) = details.execution?.next() {
            details.execution?.collect()
            let step = perform(session, part, element)
            if session.pointee.isDead { return false }
            if step == .parked {
                details.execution?.giveUp()
                return false
            }
            if session.pointee.hasUnanswered {
                park(session, untilReplied: true)
                return false
            }
        }
        guard let reply = details.execution?.reply else { return true }
        details.execution = nil
        session.pointee.isMuted = !details.muted.isEmpty
        answer(session, reply)
        endReply(session)
        return true
    }

    private mutating func endReply(_ session: SessionPointer) {
        session.pointee.isMidReply = false
        releasePushes(session)
    }

    private mutating func perform(
        _ session: SessionPointer, _ part: Transaction.Part, _ element: [UInt8]?
    ) -> Step {
        switch part {
        case .shard: return .next
        case .proxy(let request):
            return withCommand(session, request) { worker, bytes, command, info in
                worker.dispatch(session, bytes, command, info)
            }
        case .everyShard(let request):
            return withCommand(session, request) { worker, bytes, command, info in
                worker.askOthers(session, bytes, command, info, element ?? [])
            }
        case .select(let request):
            return withCommand(session, request) { worker, bytes, command, _ in
                let index = ArgumentCursor.all(bytes, command)[1].integer ?? 0
                if element == Self.ok && index != session.pointee.lane.databaseIndex { worker.select(session, index) }
                worker.answer(session, element ?? Self.ok)
                return .next
            }
        }
    }

    private mutating func withCommand(
        _ session: SessionPointer, _ request: [UInt8],
        _ body: (inout Worker, Bytes, ScannedCommand, CommandInfo) -> Step
    ) -> Step {
        var request = request
        let count = request.count
        request += [UInt8](repeating: 0, count: scanSlackBytes)
        return request.withUnsafeMutableBufferPointer { buffer in
            let bytes = buffer.baseAddress.unsafelyUnwrapped
            var command = ScannedCommand()
            guard scanCommand(bytes, count, &command) == .complete,
                case .command(let entry) = find(session.pointee.database, bytes, command)
            else { return reject(session, Self.unknownText(bytes, command)) }
            session.pointee.lastCommand = entry
            return body(&self, bytes, command, entry.pointee)
        }
    }

    /// The transaction's shard has done it in its place; now the others do.
    private mutating func askOthers(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo, _ element: [UInt8]
    ) -> Step {
        if mustParkForAll(session) { return .parked }
        if info.handling == .scriptFlush { forgetScripts(session) }
        let count = session.pointee.database.pointee.shardCount
        let done = min(session.pointee.details?.execution?.shard ?? 0, count - 1)
        let gather = makeGather(session, merge(session, bytes, command, info), count)
        for shard in 0..<count where shard != done {
            ask(gather, shard, sharedUpstream(session, shard), bytes, command.byteCount, isWrite: info.needsLease)
        }
        var element = element
        element.withUnsafeMutableBufferPointer { buffer in
            if let base = buffer.baseAddress { gather.add(done, base, buffer.count) }
        }
        if gather.finishPart() { complete(gather) }
        return .next
    }

    // MARK: Keeping answers

    /// Whether a reply does not go to the client: it is part of EXEC's, or was not to be sent at all (CLIENT REPLY).
    func isKept(_ session: SessionPointer, _ sequence: UInt32, _ bytes: Bytes, _ count: Int) -> Bool {
        if let details = session.pointee.details, details.execution?.isCollecting == true {
            details.execution?.add(UnsafeBufferPointer(start: bytes, count: count))
            return true
        }
        return isMuted(session, sequence)
    }

    func isKept(_ session: SessionPointer, _ sequence: UInt32, _ reply: [UInt8]) -> Bool {
        if let details = session.pointee.details, details.execution?.isCollecting == true {
            reply.withUnsafeBufferPointer { details.execution?.add($0) }
            return true
        }
        return isMuted(session, sequence)
    }
}
