import ProxyCore
import RESP

/// ACL, as far as clients of a database may see it: there is one user, `default`, and what it may do is what the proxy
/// lets through. The shards' own users are nobody's business, nor is a password or its digest.
extension Worker {
    private static let user = "default"

    /// In the words of an ACL rule: what ``CommandHandling`` refuses is in `@admin` or `@dangerous`, and these are not.
    private static let commandRules =
        "+@all -@admin -@dangerous +keys +flushall +flushdb +sort +sort_ro +restore +info +role +lastsave +monitor "
        + "+config|get +config|set +config|resetstat +config|rewrite +slowlog|get +slowlog|len +slowlog|reset "
        + "+latency|doctor +latency|graph +latency|histogram +latency|history +latency|latest "
        + "+latency|reset +client|list +client|kill +client|pause "
        + "+client|unpause +client|unblock +client|no-evict +acl|cat +acl|list +acl|users +acl|getuser +acl|dryrun "
        + "+acl|whoami"

    mutating func accessControl(
        _ session: SessionPointer, _ arguments: [ByteSpan], _ bytes: Bytes, _ command: ScannedCommand,
        _ info: CommandInfo
    ) -> Step {
        let subcommand = arguments[1]
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        if subcommand.isWord("cat") || subcommand.isWord("help") {
            return forwardAnywhere(session, bytes, command, info)  // The shards know the categories.
        } else if subcommand.isWord("whoami"), arguments.count == 2 {
            writer.bulk(Self.user)
        } else if subcommand.isWord("users"), arguments.count == 2 {
            writer.array(1)
            writer.bulk(Self.user)
        } else if subcommand.isWord("list"), arguments.count == 2 {
            writer.array(1)
            writer.bulk("user \(Self.user) \(flags(session).joined(separator: " ")) ~* &* \(Self.commandRules)")
        } else if subcommand.isWord("getuser"), arguments.count == 3 {
            if arguments[2].isEqual(to: Array(Self.user.utf8)) { describeUser(session, &writer) } else { writer.null() }
        } else if subcommand.isWord("dryrun"), arguments.count >= 4 {
            return rehearse(session, arguments)
        } else {
            let name = subcommand.text.lowercased()
            let isKnown = ["whoami", "users", "list", "getuser", "dryrun"].contains(name)
            return isKnown ? reject(session, Self.arityText("acl|\(name)")) : rejectPermission(session, "acl|\(name)")
        }
        answer(session, writer.bytes)
        return .next
    }

    private func flags(_ session: SessionPointer) -> [String] {
        let needsPassword = !session.pointee.database.pointee.table.password.isEmpty
        return needsPassword ? ["on", "sanitize-payload"] : ["on", "nopass", "sanitize-payload"]
    }

    private func describeUser(_ session: SessionPointer, _ writer: inout ReplyWriter) {
        writer.map(pairs: 6)
        writer.bulk("flags")
        let flags = flags(session)
        writer.set(flags.count)
        for flag in flags { writer.bulk(flag) }
        writer.bulk("passwords")
        writer.array(0)
        for (name, value) in [("commands", Self.commandRules), ("keys", "~*"), ("channels", "&*")] {
            writer.bulk(name)
            writer.bulk(value)
        }
        writer.bulk("selectors")
        writer.array(0)
    }

    /// ACL DRYRUN user command …
    private mutating func rehearse(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard arguments[2].isEqual(to: Array(Self.user.utf8)) else {
            return reject(session, "ERR User '\(arguments[2].text)' not found")
        }
        let name = arguments[3]
        let learned = session.pointee.database.pointee.learned
        guard
            let entry = commands.find(name.start, count: name.count) ?? learned?.find(name.start, count: name.count)
        else { return reject(session, "ERR Command '\(name.text)' not found") }
        let info = entry.pointee
        guard info.accepts(argumentCount: arguments.count - 3) else {
            return reject(session, Self.arityText(info.name))
        }
        switch info.handling {
        case .refused, .notPermitted:
            var writer = ReplyWriter()
            writer.bulk("This user has no permissions to run the '\(info.name)' command")
            answer(session, writer.bytes)
        default: answer(session, Array("+OK\r\n".utf8))
        }
        return .next
    }
}
