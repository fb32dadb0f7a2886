import ProxyCore
import RESP

/// Commands that can't simply pass: looks at each and decides.
extension Worker {
    @inline(never)
    mutating func examine(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand) -> Step {
        if command.argumentCount == 0 { return .next }
        let database = session.pointee.database
        guard let entry = find(database, bytes + command.nameOffset, command.nameCount) else {
            if session.pointee.mode.contains(.unauthenticated) { return refuseUnauthenticated(session) }
            return examineUnknown(session, bytes, command)
        }
        let info = entry.pointee
        guard info.accepts(argumentCount: command.argumentCount) else {
            return reject(session, "ERR wrong number of arguments for '\(info.name)' command")
        }
        if session.pointee.mode.contains(.unauthenticated) {
            switch info.handling {
            case .auth, .hello, .quit, .reset: break
            default: return refuseUnauthenticated(session)
            }
        }
        if session.pointee.mode.contains(.subscriber) {
            return examineSubscribed(session, bytes, command, info)
        }
        if session.pointee.mode.contains(.transaction) {
            return enqueue(session, bytes, command, info)
        }
        session.pointee.lastCommand = entry
        session.pointee.commandBytes = UInt32(truncatingIfNeeded: command.byteCount)
        if database.pointee.pause.isOn, let step = heldByPause(session, info) { return step }
        let step = dispatch(session, bytes, command, info)
        if session.pointee.mode.contains(.caching) && step != .parked && info.handling != .client
            && !session.pointee.mode.contains(.transaction)
        {
            session.pointee.mode.remove(.caching)
        }
        return step
    }

    func find(_ database: DatabasePointer, _ name: Bytes, _ count: Int) -> CommandTable.Entry? {
        commands.find(name, count: count) ?? database.pointee.learned?.find(name, count: count)
    }

    private mutating func refuseUnauthenticated(_ session: SessionPointer) -> Step {
        answerError(session, "NOAUTH Authentication required.")
        return .next
    }

    /// An error at a place where a transaction would be spoilt by it.
    mutating func reject(_ session: SessionPointer, _ text: String) -> Step {
        if session.pointee.mode.contains(.transaction) { details(session).isAborted = true }
        answerError(session, text)
        return .next
    }

    /// - Parameter name: As Redis prints it: `command` or `command|subcommand`.
    mutating func rejectPermission(_ session: SessionPointer, _ name: String) -> Step {
        reject(session, Self.permissionText(name))
    }

    static func permissionText(_ name: String) -> String {
        "NOPERM this user has no permissions to run the '\(name)' command"
    }

    private mutating func dispatch(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let database = session.pointee.database
        switch info.handling {
        case .key, .keys, .countedKeys, .streams, .storeOption:
            return forwardKeyed(session, bytes, command, info)
        case .otherDatabase:
            if session.pointee.database.pointee.slots != nil, namesOtherDatabase(bytes, command, info) {
                return reject(session, "ERR DB index is out of range")
            }
            return forwardKeyed(session, bytes, command, info)
        case .mget, .mset, .countOfKeys: return split(session, bytes, command, info)
        case .anyShard: return forwardAnywhere(session, bytes, command, info)
        case .firstShard: return forward(session, toShard: 0, bytes, command, info)
        case .allShardsOK: return fanOut(session, bytes, command, .allOK, isWrite: true)
        case .allShardsSum: return fanOut(session, bytes, command, .sum, isWrite: false)
        case .allShardsList: return fanOut(session, bytes, command, .list, isWrite: false)
        case .allShardsAny: return fanOut(session, bytes, command, .anyValue, isWrite: false)
        case .allShardsInfo:
            return fanOut(session, bytes, command, .info(infoFacts(database)), isWrite: false)
        case .scan: return scan(session, bytes, command)
        case .script, .function, .object, .memory, .xgroup, .latency, .slowlog, .pubsub:
            return container(session, bytes, command, info)
        case .multi:
            session.pointee.mode.insert(.transaction)
            answer(session, Array("+OK\r\n".utf8))
            return .next
        case .exec, .discard: return reject(session, "ERR \(info.name.uppercased()) without MULTI")
        case .watch: return watch(session, bytes, command, info)
        case .unwatch: return unwatch(session)
        case .subscribe, .shardSubscribe: return subscribe(session, bytes, command, info)
        case .unsubscribe: return unsubscribe(session, bytes, command, info)
        case .monitor: return monitor(session)
        case .wait: return wait(session, bytes, command)
        case .refused: return reject(session, Self.unknownText(bytes, command))
        case .notPermitted:
            return rejectPermission(session, info.name)
        case .auth, .hello, .ping, .echo, .quit, .select, .client, .commandInfo, .time, .config, .reset, .role, .acl,
            .lastsave, .readonly:
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
            switch KeyExtractor.slot(bytes, command, info, hasher) {
            case .slot(let slot): index = Int(slots[slot])
            case .crossSlot: return reject(session, Self.crossSlotText)
            case .none, .malformed: index = 0  // The shard finds the right words.
            }
        }
        if info.mayBlock && blocks(bytes, command, info) {
            return forwardBlocking(session, toShard: index, bytes, command, info)
        }
        return forward(session, toShard: index, bytes, command, info)
    }

    func namesOtherDatabase(_ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo) -> Bool {
        let arguments = ArgumentCursor.all(bytes, command)
        if info.name == "swapdb" { return true }
        if info.name == "move" { return arguments[2].integer != 0 }
        guard let word = arguments.dropFirst(3).firstIndex(where: { $0.isWord("db") }) else { return false }
        return word + 1 < arguments.count && arguments[word + 1].integer != 0
    }

    static let crossSlotText = "CROSSSLOT Keys in request don't hash to the same slot"

    mutating func forward(
        _ session: SessionPointer, toShard index: Int, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let upstream = sharedUpstream(session, index)
        if mustPark(session, upstream) { return .parked }
        forward(session, upstream, bytes, command.byteCount, isWrite: info.isWrite)
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

    // MARK: Unknown commands

    /// Asks a shard whether it knows the command (a newer server, a module), once; the table keeps what it learns.
    private mutating func examineUnknown(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand
    ) -> Step {
        let name = ByteSpan(start: bytes + command.nameOffset, count: command.nameCount).bytes
        let details = details(session)
        if details.askedName == name || name.count > 24 || name.isEmpty {
            details.askedName = []
            return reject(session, Self.unknownText(bytes, command))
        }
        details.askedName = name
        var writer = ReplyWriter()
        writer.array(3)
        writer.bulk("COMMAND")
        writer.bulk("INFO")
        writer.bulk(name)
        ask(session, writer.bytes, .learn)
        park(session, untilReplied: true)
        return .parked
    }

    /// Redis' words, with the first arguments up to 128 characters.
    static func unknownText(_ bytes: Bytes, _ command: ScannedCommand) -> String {
        var cursor = ArgumentCursor(bytes, command)
        let name = cursor.next().map { ByteSpan(start: $0.start, count: min($0.count, 128)).text } ?? ""
        var shown = ""
        while shown.utf8.count < 128, let argument = cursor.next() {
            let room = 128 - shown.utf8.count
            shown += "'" + ByteSpan(start: argument.start, count: min(argument.count, room)).text + "' "
        }
        return "ERR unknown command '\(name)', with args beginning with: \(shown)"
    }

    func details(_ session: SessionPointer) -> SessionDetails {
        if let details = session.pointee.details { return details }
        let details = SessionDetails()
        session.pointee.details = details
        return details
    }
}
