import ProxyCore
import RESP
import Reactor

/// Scripts that run long. Redis reads nothing more from the connection that sent one, while it answers others with
/// BUSY and lets them kill it. So a shared upstream whose script takes long is overtaken: a new one stands in its
/// place, and the old one goes when it has answered.
///
/// ```
///   sessions ──▶ shared upstream: EVAL (50 ms without a reply) … what came behind it ──▶ gone when answered
///            └─▶ its successor: BUSY, SCRIPT KILL
/// ```
/// Sessions with requests in the old one wait for those replies first, so that their own order holds.
extension Worker {
    /// A script that takes longer than this holds up everybody behind it; below redis' own limit for BUSY (5 s).
    private static let patienceMilliseconds = 50

    /// A script was given to a shared upstream.
    mutating func noteScript(_ upstream: UpstreamPointer) {
        guard upstream.pointee.role == .shared, !upstream.pointee.isOvertaken else { return }
        upstream.pointee.lastScript = upstream.pointee.pending.endNumber
        if upstream.pointee.isScripting { return }
        upstream.pointee.isScripting = true
        upstream.pointee.firstUnanswered = upstream.pointee.pending.firstNumber
        if scriptingUpstreams.count == 0 {
            nextScriptCheck = MonotonicClock.milliseconds() + Self.patienceMilliseconds
        }
        scriptingUpstreams.append(upstream)
    }

    mutating func checkScripts() {
        let now = MonotonicClock.milliseconds()
        if now < nextScriptCheck { return }
        nextScriptCheck = now + Self.patienceMilliseconds
        var index = 0
        while index < scriptingUpstreams.count {
            let upstream = scriptingUpstreams[index]
            let first = upstream.pointee.pending.firstNumber
            let isStuck = upstream.pointee.firstUnanswered == first
            upstream.pointee.firstUnanswered = first
            if hasScript(upstream) && upstream.pointee.state == .ready {
                if isStuck { overtake(upstream) } else { index += 1 }
            } else {
                endScripting(upstream)
            }
        }
    }

    private func hasScript(_ upstream: UpstreamPointer) -> Bool {
        upstream.pointee.isScripting && upstream.pointee.pending.firstNumber < upstream.pointee.lastScript
    }

    mutating func endScripting(_ upstream: UpstreamPointer) {
        guard upstream.pointee.isScripting else { return }
        upstream.pointee.isScripting = false
        scriptingUpstreams.remove(upstream)
    }

    private mutating func overtake(_ upstream: UpstreamPointer) {
        endScripting(upstream)
        guard !upstream.pointee.isRetired else { return }
        let shard = upstream.pointee.shard
        let database = shard.pointee.database
        let lane = upstream.pointee.lane
        parkAskers(upstream)
        upstream.pointee.isRetired = true
        upstream.pointee.isOvertaken = true
        database.pointee.table.shared.longScripts.add(1, ordering: .relaxed)
        let next = makeUpstream(shard, .shared, lane)
        shard.pointee.shared[lane] = next
        for index in 0..<database.pointee.shardCount where database.pointee.shards[index] == shard {
            database.pointee.lanes[lane][index] = next
        }
    }

    /// A long script runs at some shard of the database, whichever loop sent it.
    func hasLongScript(_ database: DatabasePointer) -> Bool {
        database.pointee.table.shared.longScripts.load(ordering: .relaxed) > 0
    }

    /// SCRIPT KILL, FUNCTION KILL, FUNCTION STATS: past the script, to every shard.
    mutating func askPastScripts(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ merge: Gather.Merge
    ) -> Step {
        let database = session.pointee.database
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            for upstream in Array(shard.pointee.shared.values) where hasScript(upstream) {
                if upstream.pointee.state == .ready { overtake(upstream) }
            }
        }
        if session.pointee.isParked { return .parked }  // Its own script is among them.
        // While a script runs a new connection can log in, and not select a logical database.
        let lane = Lane(databaseIndex: 0, usesRESP3: session.pointee.usesRESP3)
        openLane(database, lane)
        let gather = makeGather(session, merge, database.pointee.shardCount)
        let request = ByteSpan(start: bytes, count: command.byteCount).bytes
        for index in 0..<database.pointee.shardCount {
            ask(gather, index, database.pointee.lanes[lane][index], request, isWrite: false)
        }
        return .next
    }

    // MARK: Scripts that only read

    /// Whether a script that is called may not write, by what it says of itself. Of one that the proxy doesn't know,
    /// and of functions that it did not ask for, the worst is believed.
    func onlyReads(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo) -> Bool {
        guard info.isScript else { return false }
        let what = ArgumentCursor.all(bytes, command)[1]
        switch info.name {
        case "eval": return ScriptFlags.onlyReads(UnsafeBufferPointer(start: what.start, count: what.count))
        case "evalsha":
            let digest = what.bytes.map(asciiLowered)
            let shared = session.pointee.database.pointee.table.shared
            return shared.scripts.withLock { $0.body(of: digest) }.map(ScriptFlags.onlyReads) ?? false
        case "fcall":
            guard let details = session.pointee.details, details.askedFor == session.pointee.nextSequence else {
                return false
            }
            defer { details.readOnlyFunctions = nil }
            return details.readOnlyFunctions?.contains(what.bytes) ?? false
        default: return false
        }
    }

    /// What functions may do is a shard's to tell; all shards have the same.
    /// - Returns: True when the session has to wait for that.
    mutating func asksForFunctions(_ session: SessionPointer, _ info: CommandInfo) -> Bool {
        guard info.name == "fcall" else { return false }
        let details = details(session)
        if details.readOnlyFunctions != nil && details.askedFor == session.pointee.nextSequence { return false }
        if mustPark(session, sharedUpstream(session, 0)) { return true }
        var writer = ReplyWriter()
        writer.command(["FUNCTION", "LIST"])
        ask(session, writer.bytes, .functionFlags)
        details.askedFor = session.pointee.nextSequence
        park(session, untilReplied: true)
        return true
    }

    func learnFunctions(_ session: SessionPointer, _ reply: [UInt8]) {
        details(session).readOnlyFunctions = ScriptFlags.readOnlyFunctions(reply)
    }
}
