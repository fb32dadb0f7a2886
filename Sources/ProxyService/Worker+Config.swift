import ProxyCore
import RESP

/// CONFIG and ACL, as far as clients of a database may see them.
extension Worker {
    /// CONFIG GET, answered by the first shard: all have the same settings. The rest of CONFIG is refused.
    mutating func config(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard arguments[1].isWord("get"), arguments.count >= 3 else {
            return rejectPermission(session, "config|\(arguments[1].text.lowercased())")
        }
        let routes = session.pointee.database.pointee.table.routes
        let own = [
            "databases": "1", "maxclients": String(routes.maximumConnections), "timeout": "0",
            "maxmemory": String(routes.memoryLimitBytes), "port": String(routes.port),
        ]
        if mustPark(session, sharedUpstream(session, 0)) { return .parked }
        var writer = ReplyWriter()
        writer.array(arguments.count)
        for argument in arguments { writer.bulk(argument) }
        ask(session, writer.bytes, .configuration(own))
        return .next
    }

    mutating func accessControl(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard arguments[1].isWord("whoami") else {
            return rejectPermission(session, "acl|\(arguments[1].text.lowercased())")
        }
        answer(session, Array("$7\r\ndefault\r\n".utf8))
        return .next
    }
}
