import ProxyCore
import RESP

/// Commands whose subcommands go different ways: SCRIPT, FUNCTION, OBJECT, MEMORY, XGROUP, LATENCY, SLOWLOG.
extension Worker {
    /// Commands whose subcommands are of different kinds.
    mutating func container(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let arguments = ArgumentCursor.all(bytes, command)
        let name = arguments[1]
        switch info.handling {
        case .pubsub where name.isWord("shardchannels"): return fanOut(session, bytes, command, .list, isWrite: false)
        case .pubsub where name.isWord("shardnumsub"):
            return fanOut(session, bytes, command, .namedCounts, isWrite: false)
        case .pubsub: return forward(session, toShard: 0, bytes, command, info)  // It has all classic channels.
        case .object, .xgroup: return forwardSecondKey(session, arguments, bytes, command, info)
        case .memory where name.isWord("usage"): return forwardSecondKey(session, arguments, bytes, command, info)
        case .script where name.isWord("exists"): return fanOut(session, bytes, command, .every, isWrite: false)
        case .script where name.isWord("load"): return fanOut(session, bytes, command, .first, isWrite: true)
        case .script where name.isWord("flush") || name.isWord("kill"):
            return fanOut(session, bytes, command, .allOK, isWrite: true)
        case .function where name.isWord("list") || name.isWord("dump") || name.isWord("stats"):
            return forward(session, toShard: 0, bytes, command, info)
        case .function
        where name.isWord("load") || name.isWord("delete") || name.isWord("flush")
            || name.isWord("restore") || name.isWord("kill"):
            return fanOut(session, bytes, command, .first, isWrite: true)
        case .latency where name.isWord("histogram"), .script where name.isWord("help"),
            .function where name.isWord("help"):
            return forwardAnywhere(session, bytes, command, info)
        case .slowlog where name.isWord("len"): return fanOut(session, bytes, command, .sum, isWrite: false)
        case .slowlog where name.isWord("get"): return fanOut(session, bytes, command, .slowlog, isWrite: false)
        case .slowlog where name.isWord("reset"): return fanOut(session, bytes, command, .allOK, isWrite: false)
        default:
            return rejectPermission(session, "\(info.name)|\(name.text.lowercased())")
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
