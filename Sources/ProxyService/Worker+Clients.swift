import ProxyCore
import RESP
import Reactor

/// CLIENT: about the connections of clients, wherever their requests go. LIST, KILL, UNBLOCK and PAUSE reach the
/// clients of all loops of this proxy; those of other nodes' proxies are theirs to tell.
extension Worker {
    private enum Subcommand {
        case caching, getname, getredir, help, id, info, kill, list, noEvict, noTouch, pause, reply, setinfo, setname
        case tracking, trackinginfo, unblock, unpause
    }

    /// With the arity that redis-server gives them.
    private static let subcommands: [String: (Subcommand, arity: Int)] = [
        "caching": (.caching, 3), "getname": (.getname, 2), "getredir": (.getredir, 2), "help": (.help, 2),
        "id": (.id, 2), "info": (.info, 2), "kill": (.kill, -3), "list": (.list, -2), "no-evict": (.noEvict, 3),
        "no-touch": (.noTouch, 3), "pause": (.pause, -3), "reply": (.reply, 3), "setinfo": (.setinfo, 4),
        "setname": (.setname, 3), "tracking": (.tracking, -3), "trackinginfo": (.trackinginfo, 2),
        "unblock": (.unblock, -3), "unpause": (.unpause, 2),
    ]

    mutating func client(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        let name = arguments[1].text.lowercased()
        guard let (subcommand, arity) = Self.subcommands[name] else {
            return reject(session, "ERR unknown subcommand '\(arguments[1].text)'. Try CLIENT HELP.")
        }
        guard arity > 0 ? arguments.count == arity : arguments.count >= -arity else {
            return reject(session, Self.arityText("client|\(name)"))
        }
        switch subcommand {
        case .caching: return caching(session, arguments[2])
        case .tracking: return track(session, arguments)
        case .reply: return setReplies(session, arguments[2])
        case .setinfo: return setInformation(session, arguments)
        case .kill:
            switch ClientFilter.kill(arguments, asker: session.pointee.identifier) {
            case .failure(let refusal): return reject(session, refusal.text)
            case .success(let filter):
                return askLoops(session, .kill(filter), arguments.count == 3 ? .okIfAny : .count)
            }
        case .list:
            switch ClientFilter.list(arguments, asker: session.pointee.identifier) {
            case .failure(let refusal): return reject(session, refusal.text)
            case .success(let filter): return askLoops(session, .list(filter), .lines)
            }
        case .unblock: return unblock(session, arguments)
        case .pause: return pause(session, arguments)
        case .unpause: return askLoops(session, .unpause, .ok)
        case .trackinginfo:
            answerTrackingInfo(session)
            return .next
        case .setname:
            guard Self.isName(arguments[2]) else { return reject(session, Self.nameText) }
            details(session).name = arguments[2].bytes
            answer(session, Self.ok)
            return .next
        case .noEvict, .noTouch:
            guard arguments[2].isWord("on") || arguments[2].isWord("off") else {
                return reject(session, "ERR syntax error")
            }
            answer(session, Self.ok)
            return .next
        case .getname, .getredir, .help, .id, .info: return answerFact(session, subcommand)
        }
    }

    static let ok = Array("+OK\r\n".utf8)
    static let nameText = "ERR Client names cannot contain spaces, newlines or special characters."
    static func isName(_ span: ByteSpan) -> Bool { span.bytes.allSatisfy { $0 >= 33 && $0 <= 126 } }

    private mutating func answerFact(_ session: SessionPointer, _ subcommand: Subcommand) -> Step {
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        let details = details(session)
        switch subcommand {
        case .getname: if details.name.isEmpty { writer.null() } else { writer.bulk(details.name) }
        case .getredir: writer.integer(details.tracking.map { $0.redirect ?? 0 } ?? -1)
        case .id: writer.integer(session.pointee.identifier)
        case .info: writer.verbatim(describe(session))
        default:
            writer.array(Self.help.count)
            for line in Self.help { writer.bulk(line) }
        }
        answer(session, writer.bytes)
        return .next
    }

    private static let help = [
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CACHING (YES|NO) | TRACKING (ON|OFF) [BCAST] [PREFIX p ...] [OPTIN|OPTOUT] [NOLOOP] | TRACKINGINFO | GETREDIR",
        "GETNAME | SETNAME <name> | SETINFO (LIB-NAME|LIB-VER) <value> | ID | INFO",
        "LIST [TYPE type | ID id ...] | KILL <ip:port> | KILL [ID|TYPE|USER|ADDR|LADDR|MAXAGE|SKIPME value] ...",
        "PAUSE <milliseconds> [WRITE|ALL] | UNPAUSE | UNBLOCK <id> [TIMEOUT|ERROR]",
        "REPLY (ON|OFF|SKIP) | NO-EVICT (ON|OFF) | NO-TOUCH (ON|OFF) | HELP",
    ]

    private mutating func setInformation(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        let details = details(session)
        guard Self.isName(arguments[3]) else {
            return reject(
                session,
                "ERR \(arguments[2].text.lowercased()) cannot contain spaces, newlines or special characters.")
        }
        if arguments[2].isWord("lib-name") {
            details.libraryName = arguments[3].bytes
        } else if arguments[2].isWord("lib-ver") {
            details.libraryVersion = arguments[3].bytes
        } else {
            return reject(session, "ERR Unrecognized option '\(arguments[2].text)'")
        }
        answer(session, Self.ok)
        return .next
    }

    // MARK: CLIENT REPLY

    private mutating func setReplies(_ session: SessionPointer, _ mode: ByteSpan) -> Step {
        let details = details(session)
        let next = session.pointee.nextSequence
        let isOff = details.muted.last.map { $0.end == nil } ?? false
        if mode.isWord("on") {
            if isOff { details.muted[details.muted.count - 1].end = next }
            details.muted.removeAll { $0.first == next }  // A SKIP right before.
            answer(session, Self.ok)
        } else if mode.isWord("off") {
            if !isOff { details.muted.append(MutedRange(first: next, end: nil)) }
            session.pointee.isMuted = true
        } else if mode.isWord("skip") {
            if !isOff { details.muted.append(MutedRange(first: next, end: next &+ 1)) }
            session.pointee.isMuted = true
        } else {
            return reject(session, "ERR syntax error")
        }
        return .next
    }

    /// Whether the reply to this request is to be dropped. Forgets ranges that lie behind.
    func isMuted(_ session: SessionPointer, _ sequence: UInt32) -> Bool {
        guard let details = session.pointee.details else { return false }
        let sent = session.pointee.sendSequence
        details.muted.removeAll { range in range.end.map { Int32(bitPattern: sent &- $0) >= 0 } ?? false }
        if details.muted.isEmpty { session.pointee.isMuted = false }
        return details.muted.contains { $0.contains(sequence) }
    }

    func unmute(_ session: SessionPointer) {
        session.pointee.details?.muted = []
        session.pointee.isMuted = false
    }

    // MARK: CLIENT PAUSE

    private mutating func pause(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        var isWritesOnly = false
        if arguments.count > 4 { return reject(session, "ERR syntax error") }
        if arguments.count == 4 {
            isWritesOnly = arguments[3].isWord("write")
            if !isWritesOnly && !arguments[3].isWord("all") {
                return reject(session, "ERR CLIENT PAUSE mode must be WRITE or ALL")
            }
        }
        guard let milliseconds = arguments[2].integer, milliseconds < Int.max >> 1 else {
            return reject(session, "ERR timeout is not an integer or out of range")
        }
        if milliseconds < 0 { return reject(session, "ERR timeout is negative") }
        let until = MonotonicClock.milliseconds() + milliseconds
        return askLoops(session, .pause(until: until, isWritesOnly: isWritesOnly), .ok)
    }

    /// A second pause makes the first one longer and stricter, as in Redis.
    mutating func pause(_ database: DatabasePointer, _ until: Int, _ isWritesOnly: Bool) {
        if !database.pointee.pause.isOn { watchedDatabases += 1 }
        database.pointee.pause.add(until: until, isWritesOnly: isWritesOnly)
        database.pointee.updatePassingTier()
    }

    mutating func endPause(_ database: DatabasePointer) {
        if !database.pointee.pause.isOn { return }
        watchedDatabases -= 1
        database.pointee.pause = Pause()
        database.pointee.updatePassingTier()
        for session in sessions(of: database) { release(session) }
        wakeBlocked()
    }

    /// No longer held by a pause.
    func release(_ session: SessionPointer) {
        if !session.pointee.isHeld { return }
        session.pointee.isHeld = false
        session.pointee.database.pointee.table.shared.heldClients.subtract(1, ordering: .relaxed)
    }

    /// CLIENT itself is never held, so that a pause can be ended.
    mutating func heldByPause(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step? {
        let pause = session.pointee.database.pointee.pause
        if info.handling == .client { return nil }
        if pause.isWritesOnly {
            let isInTransaction = session.pointee.mode.contains(.transaction)
            let isWrite =
                info.handling == .exec
                ? details(session).transaction.mayReplicate : info.mayReplicate && !isInTransaction
            if !isWrite { return nil }
            if info.isScript {
                if asksForFunctions(session, info) { return .parked }
                if onlyReads(session, bytes, command, info) { return nil }
            }
        }
        if !session.pointee.isHeld {
            session.pointee.isHeld = true
            session.pointee.database.pointee.table.shared.heldClients.add(1, ordering: .relaxed)
        }
        parkBlocked(session)
        return .parked
    }

    // MARK: CLIENT UNBLOCK

    private mutating func unblock(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        var isError = false
        if arguments.count > 4 { return reject(session, "ERR syntax error") }
        if arguments.count == 4 {
            isError = arguments[3].isWord("error")
            if !isError && !arguments[3].isWord("timeout") {
                return reject(session, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
            }
        }
        guard let identifier = arguments[2].integer else {
            return reject(session, "ERR value is not an integer or out of range")
        }
        return askLoops(
            session, .unblock(identifier: identifier, isError: isError), .count, only: loop(of: identifier))
    }

    /// The shard ends the blocking command; whether that or an element came first is its to say.
    /// - Returns: False when the client is not here or does not block.
    mutating func unblock(_ database: DatabasePointer, _ identifier: Int, _ isError: Bool, _ relay: Relay) -> Bool {
        guard let session = find(database, identifier), session.pointee.hasUnanswered else { return false }
        let own = (session.pointee.pinned.map { [$0] } ?? []) + (session.pointee.details?.lent ?? [])
        let blocked = own.filter { $0.pointee.shardClientIdentifier > 0 && !$0.pointee.pending.isEmpty }
        for upstream in blocked {
            guard let shared = upstream.pointee.shard.pointee.shared[.resp2] else { continue }
            var writer = ReplyWriter()
            let reason = isError ? "ERROR" : "TIMEOUT"
            writer.command(["CLIENT", "UNBLOCK", "\(upstream.pointee.shardClientIdentifier)", reason])
            relay.missing += 1
            shared.pointee.pending.append(
                Pending(
                    target: Unmanaged.passRetained(relay).toOpaque(), sequence: 0, byteCount: writer.bytes.count,
                    kind: .relay, isWrite: true))
            var request = writer.bytes
            request.withUnsafeMutableBufferPointer { send(shared, $0.baseAddress!, $0.count) }
        }
        return relay.missing > 0
    }

    mutating func answerRelay(_ pending: Pending, _ count: Int) {
        let relay = Unmanaged<Relay>.fromOpaque(pending.target.unsafelyUnwrapped).takeRetainedValue()
        relay.count += count
        relay.missing -= 1
        if relay.missing == 0 {
            loops[relay.origin].post(.answer(ticket: relay.ticket, ClientAnswer(count: min(1, relay.count))))
        }
    }
}
