import ProxyCore
import RESP

/// Who a session is and which version of the protocol it speaks: AUTH, HELLO, RESET.
extension Worker {
    mutating func reset(_ session: SessionPointer) -> Step {
        if session.pointee.hasUnanswered {  // What follows goes by RESP2, over another upstream: not before its turn.
            park(session, untilReplied: true)
            return .parked
        }
        if let upstream = session.pointee.pinned {
            session.pointee.pinned = nil
            abandon(upstream)
        }
        endAttached(session)
        endTracking(session)
        let old = session.pointee.details
        session.pointee.details = nil
        if let old {
            // Nothing is left but what is learnt about commands.
            details(session).askedName = old.askedName
        }
        unmute(session)
        enter(session, .resp2)
        session.pointee.mode = session.pointee.database.pointee.table.password.isEmpty ? [] : .unauthenticated
        answer(session, Array("+RESET\r\n".utf8))
        return .next
    }

    // MARK: AUTH, HELLO

    private enum Login { case accepted, rejected, noPasswordSet }

    private func logIn(_ session: SessionPointer, user: ByteSpan?, password: ByteSpan) -> Login {
        let expected = session.pointee.database.pointee.table.password
        if let user, !user.isEqual(to: Array("default".utf8)) { return .rejected }
        if expected.isEmpty { return user == nil ? .noPasswordSet : .accepted }
        return password.isEqual(to: expected) ? .accepted : .rejected
    }

    private static let wrongPassword = "WRONGPASS invalid username-password pair or user is disabled."

    mutating func authenticate(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        if arguments.count > 3 { return reject(session, "ERR syntax error") }
        let user = arguments.count == 3 ? arguments[1] : nil
        switch logIn(session, user: user, password: arguments[arguments.count - 1]) {
        case .accepted:
            session.pointee.mode.remove(.unauthenticated)
            answer(session, Array("+OK\r\n".utf8))
        case .rejected: answerError(session, Self.wrongPassword)
        case .noPasswordSet:
            answerError(
                session,
                "ERR AUTH <password> called without any password configured for the default user. "
                    + "Are you sure your configuration is correct?")
        }
        return .next
    }

    mutating func hello(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        var index = 1
        var usesRESP3 = session.pointee.usesRESP3
        if arguments.count > 1 {
            guard let version = arguments[1].integer else {
                return reject(session, "ERR Protocol version is not an integer or out of range")
            }
            guard version == 2 || version == 3 else { return reject(session, "NOPROTO unsupported protocol version") }
            usesRESP3 = version == 3
            index = 2
        }
        if usesRESP3 != session.pointee.usesRESP3, let obstacle = change(session) { return obstacle }
        var name: [UInt8]?
        while index < arguments.count {
            if arguments[index].isWord("auth"), index + 2 < arguments.count {
                guard logIn(session, user: arguments[index + 1], password: arguments[index + 2]) == .accepted else {
                    return reject(session, Self.wrongPassword)
                }
                session.pointee.mode.remove(.unauthenticated)
                index += 3
            } else if arguments[index].isWord("setname"), index + 1 < arguments.count {
                name = arguments[index + 1].bytes
                guard Self.isName(arguments[index + 1]) else { return reject(session, Self.nameText) }
                index += 2
            } else {
                return reject(session, "ERR Syntax error in HELLO option '\(arguments[index].text)'")
            }
        }
        if session.pointee.mode.contains(.unauthenticated) {
            return reject(
                session,
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
                    + "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
                    + "version at the same time")
        }
        if asksVersion(session, usesRESP3) { return .parked }
        if let name { details(session).name = name }
        if usesRESP3 != session.pointee.usesRESP3 {
            let lane = Lane(databaseIndex: session.pointee.lane.databaseIndex, usesRESP3: usesRESP3)
            enter(session, lane)
            changeOwnUpstreams(session, lane)
            noteSubscriber(session)
        }
        answerHello(session)
        return .next
    }

    /// What stands against a change of the protocol's version now: requests in both versions travel over
    /// different upstreams, so the order of the session would be lost, and what it holds speaks the old version.
    private mutating func change(_ session: SessionPointer) -> Step? {
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        if session.pointee.details?.isWatching == true {
            return reject(session, "ERR UNWATCH before changing the protocol version")
        }
        return nil
    }

    /// HELLO tells the version of the server, which a shard knows; it is asked once. HELLO is taken again then.
    private mutating func asksVersion(_ session: SessionPointer, _ usesRESP3: Bool) -> Bool {
        let database = session.pointee.database
        openLane(database, usesRESP3 ? .resp3 : .resp2)
        let upstream = database.pointee.lanes[usesRESP3 ? .resp3 : .resp2][0]
        let details = details(session)
        // A shard that can't be reached now must not keep clients from connecting.
        guard database.pointee.version == nil, !details.hasAskedVersion, upstream.pointee.state != .waiting,
            upstream.pointee.hold == .none
        else {
            return false
        }
        details.hasAskedVersion = true
        var writer = ReplyWriter()
        writer.command(["INFO", "server"])
        ask(session, writer.bytes, .learnVersion, over: upstream)
        park(session, untilReplied: true)
        return true
    }

    /// The oldest that shards may be, for when none could be asked.
    private static let leastVersion = "7.0.0"

    private mutating func answerHello(_ session: SessionPointer) {
        let usesRESP3 = session.pointee.usesRESP3
        var writer = ReplyWriter(usesRESP3: usesRESP3)
        writer.map(pairs: 7)
        writer.bulk("server")
        writer.bulk("redis")
        writer.bulk("version")
        writer.bulk(session.pointee.database.pointee.version ?? Self.leastVersion)
        writer.bulk("proto")
        writer.integer(usesRESP3 ? 3 : 2)
        writer.bulk("id")
        writer.integer(session.pointee.identifier)
        writer.bulk("mode")
        writer.bulk("standalone")
        writer.bulk("role")
        writer.bulk("master")
        writer.bulk("modules")
        writer.array(0)
        answer(session, writer.bytes)
    }
}
