import Glibc
import ProxyCore
import RESP
import Reactor

/// Commands that the proxy answers itself.
extension Worker {
    mutating func local(
        _ session: SessionPointer, _ arguments: [ByteSpan], _ bytes: Bytes, _ command: ScannedCommand,
        _ info: CommandInfo
    ) -> Step {
        var writer = ReplyWriter()
        switch info.handling {
        case .ping:
            if arguments.count > 2 { return reject(session, Self.arityText("ping")) }
            if arguments.count == 2 { writer.bulk(arguments[1]) } else { writer.simple("PONG") }
        case .echo: writer.bulk(arguments[1])
        case .time:
            var now = timeval()
            gettimeofday(&now, nil)
            writer.array(2)
            writer.bulk(String(now.tv_sec))
            writer.bulk(String(now.tv_usec))
        case .select: return select(session, arguments)
        case .quit:
            writer.simple("OK")
            answer(session, writer.bytes)
            closeWhenDone(session)
            return .stop
        case .reset: return reset(session)
        case .auth: return authenticate(session, arguments)
        case .hello: return hello(session, arguments)
        case .client: return client(session, arguments)
        case .config: return config(session, arguments)
        case .commandInfo: return forwardAnywhere(session, bytes, command, info)
        case .role:
            writer.array(3)
            writer.bulk("master")
            writer.integer(0)
            writer.array(0)
        case .acl: return accessControl(session, arguments)
        case .lastsave: return fanOut(session, bytes, command, .first, isWrite: false)
        case .readonly: return reject(session, "ERR This instance has cluster support disabled")
        default: return reject(session, Self.unknownText(bytes, command))
        }
        answer(session, writer.bytes)
        return .next
    }

    static func arityText(_ name: String) -> String { "ERR wrong number of arguments for '\(name)' command" }

    private mutating func select(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard let index = arguments[1].integer else {
            return reject(session, "ERR invalid DB index")
        }
        if index != 0 { return reject(session, "ERR DB index is out of range") }
        answer(session, Array("+OK\r\n".utf8))
        return .next
    }

    private mutating func reset(_ session: SessionPointer) -> Step {
        if let upstream = session.pointee.pinned {
            session.pointee.pinned = nil
            abandon(upstream)
        }
        let identifier = session.pointee.details?.identifier
        session.pointee.details = nil
        if let identifier { details(session).identifier = identifier }
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

    private mutating func authenticate(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
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

    private mutating func hello(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        var index = 1
        if arguments.count > 1 {
            guard let version = arguments[1].integer else {
                return reject(session, "ERR Protocol version is not an integer or out of range")
            }
            if version != 2 { return reject(session, "NOPROTO unsupported protocol version") }
            index = 2
        }
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
                index += 2
            } else {
                return reject(session, "ERR Syntax error in HELLO option '\(arguments[index].text)'")
            }
        }
        if session.pointee.mode.contains(.unauthenticated) {
            return reject(
                session,
                "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH "
                    + "<user> <pass> option can be used to authenticate the client and select the RESP protocol version "
                    + "at the same time")
        }
        if let name { details(session).name = name }
        answerHello(session)
        return .next
    }

    private mutating func answerHello(_ session: SessionPointer) {
        var writer = ReplyWriter()
        writer.array(14)
        writer.bulk("server")
        writer.bulk("redis")
        writer.bulk("version")
        writer.bulk("7.0.15")
        writer.bulk("proto")
        writer.integer(2)
        writer.bulk("id")
        writer.integer(identifier(session))
        writer.bulk("mode")
        writer.bulk("standalone")
        writer.bulk("role")
        writer.bulk("master")
        writer.bulk("modules")
        writer.array(0)
        answer(session, writer.bytes)
    }

    // MARK: CLIENT

    /// Given on first use; unique among the loops of this proxy.
    mutating func identifier(_ session: SessionPointer) -> Int {
        let details = details(session)
        if details.identifier == 0 {
            nextIdentifier += 1
            details.identifier = nextIdentifier * loopCount + index
            details.address = Sockets.peer(of: session.pointee.descriptor)
        }
        return details.identifier
    }

    private mutating func client(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        let identifier = identifier(session)
        let details = details(session)
        var writer = ReplyWriter()
        let subcommand = arguments[1]
        if subcommand.isWord("setname") {
            guard arguments.count == 3 else { return reject(session, Self.arityText("client|setname")) }
            if arguments[2].bytes.contains(where: { $0 < 33 || $0 > 126 }) {
                return reject(session, "ERR Client names cannot contain spaces, newlines or special characters.")
            }
            details.name = arguments[2].bytes
            writer.simple("OK")
        } else if subcommand.isWord("getname") {
            if details.name.isEmpty { writer.null() } else { writer.bulk(details.name) }
        } else if subcommand.isWord("id") {
            writer.integer(identifier)
        } else if subcommand.isWord("setinfo") {
            guard arguments.count == 4 else { return reject(session, Self.arityText("client|setinfo")) }
            if arguments[2].isWord("lib-name") {
                details.libraryName = arguments[3].bytes
            } else if arguments[2].isWord("lib-ver") {
                details.libraryVersion = arguments[3].bytes
            } else {
                return reject(session, "ERR Unrecognized option '\(arguments[2].text)'")
            }
            writer.simple("OK")
        } else if subcommand.isWord("info") || subcommand.isWord("list") {
            writer.bulk(describe(session, details) + "\n")
        } else if subcommand.isWord("no-evict") || subcommand.isWord("no-touch") {
            writer.simple("OK")
        } else {
            return reject(session, "ERR unknown subcommand '\(subcommand.text)'. Try CLIENT HELP.")
        }
        answer(session, writer.bytes)
        return .next
    }

    private func describe(_ session: SessionPointer, _ details: SessionDetails) -> String {
        let table = session.pointee.database.pointee.table
        let flags = session.pointee.mode.contains(.subscriber) ? "P" : "N"
        return "id=\(details.identifier) addr=\(details.address) "
            + "laddr=\(table.routes.listenHost ?? "?"):\(table.routes.port) fd=\(session.pointee.descriptor) "
            + "name=\(String(decoding: details.name, as: UTF8.self)) flags=\(flags) db=0 cmd=client user=default "
            + "resp=2 lib-name=\(String(decoding: details.libraryName, as: UTF8.self)) "
            + "lib-ver=\(String(decoding: details.libraryVersion, as: UTF8.self))"
    }

    // MARK: CONFIG, ACL

    /// What clients probe, as it is; the rest of CONFIG is refused.
    private mutating func config(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard arguments[1].isWord("get"), arguments.count >= 3 else {
            return reject(
                session, "NOPERM this user has no permissions to run the 'config|\(arguments[1].text.lowercased())' command")
        }
        let routes = session.pointee.database.pointee.table.routes
        let known = [
            ("appendonly", "no"), ("databases", "1"), ("maxclients", String(routes.maximumConnections)),
            ("maxmemory", String(routes.memoryLimitBytes)), ("port", String(routes.port)), ("save", ""),
            ("timeout", "0"), ("proto-max-bulk-len", "536870912"),
        ]
        var found: [(String, String)] = []
        for pattern in arguments.dropFirst(2) {
            let text = pattern.text.lowercased()
            found += known.filter { Self.matches($0.0, text) && !found.map(\.0).contains($0.0) }
        }
        var writer = ReplyWriter()
        writer.array(found.count * 2)
        for (name, value) in found {
            writer.bulk(name)
            writer.bulk(value)
        }
        answer(session, writer.bytes)
        return .next
    }

    /// Glob of stars only, which is what clients send.
    private static func matches(_ name: String, _ pattern: String) -> Bool {
        if pattern == "*" { return true }
        if pattern.hasSuffix("*") { return name.hasPrefix(pattern.dropLast()) }
        if pattern.hasPrefix("*") { return name.hasSuffix(pattern.dropFirst()) }
        return name == pattern
    }

    private mutating func accessControl(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard arguments[1].isWord("whoami") else {
            return reject(
                session, "NOPERM this user has no permissions to run the 'acl|\(arguments[1].text.lowercased())' command")
        }
        answer(session, Array("$7\r\ndefault\r\n".utf8))
        return .next
    }

    // MARK: Containers

    /// Commands whose subcommands are of different kinds.
    mutating func container(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let arguments = ArgumentCursor.all(bytes, command)
        let name = arguments[1]
        switch info.handling {
        case .object, .xgroup: return forwardSecondKey(session, arguments, bytes, command, info)
        case .memory where name.isWord("usage"): return forwardSecondKey(session, arguments, bytes, command, info)
        case .script where name.isWord("exists"): return fanOut(session, bytes, command, .every, isWrite: false)
        case .script where name.isWord("load"): return fanOut(session, bytes, command, .first, isWrite: true)
        case .script where name.isWord("flush") || name.isWord("kill"):
            return fanOut(session, bytes, command, .allOK, isWrite: true)
        case .function where name.isWord("list") || name.isWord("dump") || name.isWord("stats"):
            return forward(session, toShard: 0, bytes, command, info)
        case .function where name.isWord("load") || name.isWord("delete") || name.isWord("flush")
            || name.isWord("restore") || name.isWord("kill"):
            return fanOut(session, bytes, command, .first, isWrite: true)
        case .latency where name.isWord("histogram"), .script where name.isWord("help"),
            .function where name.isWord("help"):
            return forwardAnywhere(session, bytes, command, info)
        case .slowlog where name.isWord("len"): return fanOut(session, bytes, command, .sum, isWrite: false)
        case .slowlog where name.isWord("get"): return fanOut(session, bytes, command, .slowlog, isWrite: false)
        case .slowlog where name.isWord("reset"): return fanOut(session, bytes, command, .allOK, isWrite: false)
        default:
            return reject(
                session,
                "NOPERM this user has no permissions to run the '\(info.name)|\(name.text.lowercased())' command")
        }
    }

    private mutating func forwardSecondKey(
        _ session: SessionPointer, _ arguments: [ByteSpan], _ bytes: Bytes, _ command: ScannedCommand,
        _ info: CommandInfo
    ) -> Step {
        guard arguments.count > 2, let slots = session.pointee.database.pointee.slots else {
            return forward(session, toShard: 0, bytes, command, info)
        }
        let key = arguments[2]
        return forward(
            session, toShard: Int(slots[hasher.slot(of: key.start, count: key.count)]), bytes, command, info)
    }
}
