import ProxyCore
import RESP

/// Commands that can't simply pass: looks at each and decides.
extension Worker {
    @inline(never)
    mutating func examine(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand) -> Step {
        if command.argumentCount == 0 { return .next }
        let database = session.pointee.database
        let entry: CommandTable.Entry
        switch find(database, bytes, command) {
        case .command(let found): entry = found
        case .unknownCommand:
            if session.pointee.mode.contains(.unauthenticated) { return refuseUnauthenticated(session) }
            return askAbout(session, bytes, command) ?? reject(session, Self.unknownText(bytes, command))
        case .unknownSubcommand:
            if session.pointee.mode.contains(.unauthenticated) { return refuseUnauthenticated(session) }
            return askAbout(session, bytes, command) ?? reject(session, Self.unknownSubcommandText(bytes, command))
        }
        let info = entry.pointee
        guard info.accepts(argumentCount: command.argumentCount) else {
            // A newer server may take more; clients that aren't logged in can't ask it.
            if !session.pointee.mode.contains(.unauthenticated), let asked = askAbout(session, bytes, command) {
                return asked
            }
            return reject(session, Self.arityText(info.name))
        }
        if session.pointee.mode.contains(.unauthenticated) {
            switch info.handling {
            case .auth, .hello, .quit, .reset: break
            default: return refuseUnauthenticated(session)
            }
        }
        if mustRest(database) {
            rest(session)
            return .parked
        }
        session.pointee.lastCommand = entry
        session.pointee.commandBytes = UInt32(truncatingIfNeeded: command.byteCount)
        if session.pointee.mode.contains(.subscriber) {
            return examineSubscribed(session, bytes, command, info)
        }
        if database.pointee.pause.isOn, let step = heldByPause(session, bytes, command, info) { return step }
        if database.pointee.isCutOff, let step = stopWithoutLease(session, info) { return step }
        if session.pointee.mode.contains(.transaction) {
            return enqueue(session, bytes, command, info)
        }
        let step = dispatch(session, bytes, command, info)
        if session.pointee.mode.contains(.caching) && step != .parked && info.handling != .client
            && !session.pointee.mode.contains(.transaction)
        {
            session.pointee.mode.remove(.caching)
        }
        return step
    }

    private mutating func refuseUnauthenticated(_ session: SessionPointer) -> Step {
        answerError(session, "NOAUTH Authentication required.")
        return .next
    }

    /// An error at a place where a transaction would be spoilt by it.
    mutating func reject(_ session: SessionPointer, _ text: String) -> Step { reject(session, Array(text.utf8)) }

    mutating func reject(_ session: SessionPointer, _ text: [UInt8]) -> Step {
        if session.pointee.mode.contains(.transaction) { details(session).transaction.isAborted = true }
        var writer = ReplyWriter()
        writer.error(text)
        answer(session, writer.bytes)
        return .next
    }

    /// - Parameter name: As Redis prints it: `command` or `command|subcommand`.
    mutating func rejectPermission(_ session: SessionPointer, _ name: String) -> Step {
        refuse(session, Array(Self.permissionText(name).utf8))
    }

    /// A command that clients of a database may not use. Counted, so that somebody can see who tries.
    mutating func refuse(_ session: SessionPointer, _ text: [UInt8]) -> Step {
        session.pointee.database.pointee.statistics.refusedRequests &+= 1
        return reject(session, text)
    }

    static func permissionText(_ name: String) -> String {
        "NOPERM this user has no permissions to run the '\(name)' command"
    }

    mutating func dispatch(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        switch info.handling {
        case .key, .keys, .keysByShard, .sort: return forwardKeyed(session, bytes, command, info)
        case .otherDatabase:
            if session.pointee.database.pointee.slots != nil, namesOtherDatabase(bytes, command, info) {
                return reject(session, "ERR DB index is out of range")
            }
            return forwardKeyed(session, bytes, command, info)
        case .mget, .mset, .countOfKeys, .sunion, .sinter, .sdiff: return split(session, bytes, command, info)
        case .anyShard: return forwardAnywhere(session, bytes, command, info)
        case .firstShard: return forward(session, toShard: 0, bytes, command, info)
        case .allShardsOK, .allShardsFirst, .allShardsSum, .allShardsList, .allShardsEvery, .allShardsInfo,
            .latencyHistogram, .latencyLatest, .latencyHistory, .latencyReport, .namedCounts, .lastsave, .scriptLoad,
            .scriptFlush:
            if info.handling == .scriptFlush { forgetScripts(session) }
            return fanOut(session, bytes, command, merge(session, bytes, command, info), isWrite: info.needsLease)
        case .allShardsAnyOK, .functionStats:
            return askPastScripts(session, bytes, command, merge(session, bytes, command, info))
        case .slowlogGet, .slowlogLength: return slowlog(session, bytes, command, info)
        case .randomKey: return randomKey(session)
        case .scan: return scan(session, bytes, command, info)
        case .multi:
            session.pointee.mode.insert(.transaction)
            details(session).transaction = Transaction(opening: ByteSpan(start: bytes, count: command.byteCount).bytes)
            answer(session, Self.ok)
            return .next
        case .exec, .discard: return reject(session, "ERR \(info.name.uppercased()) without MULTI")
        case .watch: return watch(session, bytes, command, info)
        case .unwatch: return unwatch(session)
        case .subscribe, .shardSubscribe: return subscribe(session, bytes, command, info)
        case .unsubscribe: return unsubscribe(session, bytes, command, info)
        case .monitor: return monitor(session)
        case .wait: return wait(session, bytes, command)
        case .refused: return refuse(session, Self.unknownText(bytes, command))
        case .notPermitted:
            return rejectPermission(session, info.name)
        case .auth, .hello, .ping, .echo, .quit, .select, .client, .commandInfo, .time, .config, .reset, .role, .acl,
            .readonly:
            return local(session, ArgumentCursor.all(bytes, command), bytes, command, info)
        }
    }

    // MARK: Passing whole commands

    private mutating func forwardKeyed(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let database = session.pointee.database
        var index = 0
        if let slots = database.pointee.slots {
            switch slot(session, bytes, command, info) {
            case .slot(let slot):
                index = Int(slots[slot])
                if info.handling == .sort, let text = strayPatternText(session, bytes, command, slot) {
                    return reject(session, text)
                }
            case .crossSlot: return reject(session, Self.crossSlotText)
            case .refused(let refusal): return reject(session, refusal.text)
            case .unknown: return askForKeys(session, bytes, command)
            case .none, .malformed: index = 0  // The shard finds the right words.
            }
        }
        if info.mayBlock && blocks(bytes, command, info) {
            return forwardBlocking(session, toShard: index, bytes, command, info)
        }
        let step = forward(session, toShard: index, bytes, command, info)
        if info.isScript, case .next = step {
            noteScript(sharedUpstream(session, index))
            if database.pointee.slots != nil { rememberScript(session, bytes, command, info) }
        }
        return step
    }

    func namesOtherDatabase(_ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo) -> Bool {
        let arguments = ArgumentCursor.all(bytes, command)
        if info.name == "swapdb" { return true }
        // What is no number is the shard's to refuse.
        if info.name == "move" { return arguments[2].integer ?? 0 != 0 }
        guard let word = arguments.dropFirst(3).firstIndex(where: { $0.isWord("db") }) else { return false }
        return word + 1 < arguments.count && arguments[word + 1].integer ?? 0 != 0
    }

    /// The slot of a command's keys, from its arguments or from what a shard was asked before.
    private func slot(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> KeyExtractor.Result {
        if let details = session.pointee.details, let answer = details.askedKeys {
            details.askedKeys = nil
            if details.askedFor == session.pointee.nextSequence { return answer }
        }
        return KeyExtractor.slot(bytes, command, info, slotFinder(session.pointee.database))
    }

    /// SORT may look at keys of its own slot only; others would seem to be missing.
    func strayPatternText(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ slot: Int
    ) -> String? {
        let arguments = ArgumentCursor.all(bytes, command)
        let slots = slotFinder(session.pointee.database)
        guard let option = KeyExtractor.strayPattern(arguments, slot: slot, slots) else { return nil }
        return "ERR \(option) option of SORT denied in cluster mode when keys formed by the pattern may be in "
            + "different slots."
    }

    static let crossSlotText = "CROSSSLOT Keys in request don't hash to the same slot"

    mutating func forward(
        _ session: SessionPointer, toShard index: Int, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let upstream = sharedUpstream(session, index)
        if mustPark(session, upstream) { return .parked }
        forward(session, upstream, bytes, command.byteCount, effect: info.effect)
        return .next
    }

    /// The upstream that carries the session's requests to a shard.
    @inline(__always)
    func sharedUpstream(_ session: SessionPointer, _ index: Int) -> UpstreamPointer { upstreams(of: session)[index] }

    /// One for each shard: those of the session's lane, or its own.
    @inline(__always)
    func upstreams(of session: SessionPointer) -> UnsafeMutablePointer<UpstreamPointer> {
        session.pointee.ownUpstreams ?? session.pointee.database.pointee.lanes[session.pointee.lane]
    }

    mutating func forwardAnywhere(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let database = session.pointee.database
        database.pointee.nextShard = (database.pointee.nextShard + 1) % database.pointee.shardCount
        return forward(session, toShard: database.pointee.nextShard, bytes, command, info)
    }

    func details(_ session: SessionPointer) -> SessionDetails {
        if let details = session.pointee.details { return details }
        let details = SessionDetails()
        session.pointee.details = details
        return details
    }
}
