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
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        let subcommand = arguments[1]
        if subcommand.isWord("setname") {
            guard arguments.count == 3 else { return reject(session, Self.arityText("client|setname")) }
            guard Self.isName(arguments[2]) else { return reject(session, Self.nameText) }
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
            writer.verbatim(describe(session, details) + "\n")
        } else if subcommand.isWord("no-evict") || subcommand.isWord("no-touch") {
            writer.simple("OK")
        } else {
            return reject(session, "ERR unknown subcommand '\(subcommand.text)'. Try CLIENT HELP.")
        }
        answer(session, writer.bytes)
        return .next
    }

    static let nameText = "ERR Client names cannot contain spaces, newlines or special characters."
    static func isName(_ span: ByteSpan) -> Bool { span.bytes.allSatisfy { $0 >= 33 && $0 <= 126 } }

    private func describe(_ session: SessionPointer, _ details: SessionDetails) -> String {
        let table = session.pointee.database.pointee.table
        let flags = session.pointee.isSubscribed ? "P" : "N"
        return "id=\(details.identifier) addr=\(details.address) "
            + "laddr=\(table.routes.listenHost ?? "?"):\(table.routes.port) fd=\(session.pointee.descriptor) "
            + "name=\(String(decoding: details.name, as: UTF8.self)) flags=\(flags) db=0 cmd=client user=default "
            + "resp=\(session.pointee.usesRESP3 ? 3 : 2) "
            + "lib-name=\(String(decoding: details.libraryName, as: UTF8.self)) "
            + "lib-ver=\(String(decoding: details.libraryVersion, as: UTF8.self))"
    }
}
