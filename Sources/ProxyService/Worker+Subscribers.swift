import ProxyCore
import RESP

/// SUBSCRIBE and its kin. What a session listens to is the proxy's to know (``Subscriptions``); the messages come over
/// upstreams of the session's own (`Worker+Attached`), one for each shard it listens at, so that the counts of
/// PUBLISH and PUBSUB are those of clients.
extension Worker {
    mutating func subscribe(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        guard let kind = Subscriptions.Kind(command: info.name) else { return .next }
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        let names = ArgumentCursor.all(bytes, command).dropFirst().map(\.bytes)
        let details = details(session)
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        for name in names {
            details.subscriptions.insert(name, kind)
            Self.confirm(kind.subscribe, name, details.subscriptions.count(kind), &writer)
        }
        let database = session.pointee.database
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            let here = names.filter { belongs($0, kind, to: shard) }
            if here.isEmpty { continue }
            if let upstream = listener(session, shard, .subscription) {
                instruct(upstream, kind.subscribe, here)
            } else {
                attach(session, to: shard, .subscription)
            }
        }
        noteSubscriber(session)
        awaitConfirmations(session, writer.bytes)
        return .nextAfterReplies
    }

    mutating func unsubscribe(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        guard let kind = Subscriptions.Kind(command: info.name) else { return .next }
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        let details = details(session)
        var names = ArgumentCursor.all(bytes, command).dropFirst().map(\.bytes)
        if names.isEmpty { names = details.subscriptions.names(kind) }
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        var gone: [[UInt8]] = []
        for name in names {
            if details.subscriptions.remove(name, kind) { gone.append(name) }
            Self.confirm(kind.unsubscribe, name, details.subscriptions.count(kind), &writer)
        }
        if names.isEmpty { Self.confirm(kind.unsubscribe, nil, details.subscriptions.count(kind), &writer) }
        for upstream in details.attached where upstream.pointee.role == .subscription {
            let here = gone.filter { belongs($0, kind, to: upstream.pointee.shard) }
            if !here.isEmpty { instruct(upstream, kind.unsubscribe, here) }
        }
        awaitConfirmations(session, writer.bytes)
        return .nextAfterReplies
    }

    /// Without a connection nothing is said: the next one begins with all there is to say.
    private mutating func instruct(_ upstream: UpstreamPointer, _ command: String, _ names: [[UInt8]]) {
        guard upstream.pointee.descriptor >= 0 else { return }
        var writer = ReplyWriter()
        Self.write(command, names, &writer)
        upstream.pointee.confirmationsDue += names.count
        var request = writer.bytes
        request.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
    }

    private static func confirm(_ command: String, _ name: [UInt8]?, _ count: Int, _ writer: inout ReplyWriter) {
        writer.push(3)
        writer.bulk(command)
        if let name { writer.bulk(name) } else { writer.null() }
        writer.integer(count)
    }

    /// Whether a shard, by the routes of now, is where these messages come from.
    func belongs(_ name: [UInt8], _ kind: Subscriptions.Kind, to shard: ShardPointer) -> Bool {
        let database = shard.pointee.database
        guard let slots = database.pointee.slots else { return true }
        switch Subscriptions.place(name, kind, hasher) {
        case .everyShard: return true
        case .firstShard: return database.pointee.shards[0] == shard
        case .slot(let slot): return database.pointee.shards[Int(slots[slot])] == shard
        }
    }

    /// In RESP2 a subscriber may do little else.
    func noteSubscriber(_ session: SessionPointer) {
        if session.pointee.isSubscribed && !session.pointee.usesRESP3 {
            session.pointee.mode.insert(.subscriber)
        } else {
            session.pointee.mode.remove(.subscriber)
        }
    }

    mutating func examineSubscribed(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        switch info.handling {
        case .subscribe, .shardSubscribe: return subscribe(session, bytes, command, info)
        case .unsubscribe: return unsubscribe(session, bytes, command, info)
        case .ping:
            let arguments = ArgumentCursor.all(bytes, command)
            if arguments.count > 2 { return reject(session, Self.arityText("ping")) }
            var writer = ReplyWriter()
            writer.array(2)
            writer.bulk("pong")
            if arguments.count == 2 { writer.bulk(arguments[1]) } else { writer.bulk("") }
            answer(session, writer.bytes)
            return .next
        case .quit, .reset:
            return local(session, ArgumentCursor.all(bytes, command), bytes, command, info)
        default:
            return reject(
                session,
                "ERR Can't execute '\(info.name)': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                    + "allowed in this context")
        }
    }
}
