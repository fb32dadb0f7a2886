import ProxyCore
import RESP

/// CONFIG and ACL, as far as clients of a database may see them.
extension Worker {
    /// What clients probe, as it is; the rest of CONFIG is refused.
    mutating func config(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
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
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        writer.map(pairs: found.count)
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

    mutating func accessControl(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard arguments[1].isWord("whoami") else {
            return reject(
                session, "NOPERM this user has no permissions to run the 'acl|\(arguments[1].text.lowercased())' command")
        }
        answer(session, Array("$7\r\ndefault\r\n".utf8))
        return .next
    }
}
