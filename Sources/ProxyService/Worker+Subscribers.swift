import ProxyCore
import RESP

/// Subscriptions in RESP2: the session has an upstream of its own, and everything that comes from there is passed on.
///
/// All channels of a database live on its first shard, whatever proxy a client uses, so a message reaches every
/// subscriber once. Channels of sharded publish/subscribe live on the shard of their slot.
extension Worker {
    /// Sent behind every UNSUBSCRIBE: its answer is an array while subscriptions are left and a plain string when none
    /// are, which is how the proxy knows without counting.
    static let probe = Array("*2\r\n$4\r\nPING\r\n$10\r\ntarn-probe\r\n".utf8)

    mutating func subscribe(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        if session.pointee.usesRESP3 { return subscribePushing(session, bytes, command, info) }
        if session.pointee.pinned != nil { return reject(session, "ERR subscribing while watching is not supported") }
        let database = session.pointee.database
        var index = 0
        if info.handling == .shardSubscribe, let slots = database.pointee.slots {
            guard case .slot(let slot) = KeyExtractor.slot(bytes, command, info, hasher) else {
                return reject(session, Self.crossSlotText)
            }
            index = Int(slots[slot])
        }
        let upstream = borrow(database.pointee.shards[index], for: session)
        session.pointee.pinned = upstream
        session.pointee.mode.insert(.subscriber)
        upstream.pointee.pushesToOwner = true
        send(upstream, bytes, command.byteCount)
        return .next
    }

    mutating func examineSubscribed(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        guard let upstream = session.pointee.pinned else { return .stop }
        switch info.handling {
        case .subscribe, .ping: send(upstream, bytes, command.byteCount)
        case .shardSubscribe:
            if session.pointee.database.pointee.shardCount > 1 {
                return reject(session, "ERR sharded subscriptions beside others are not supported yet by this endpoint")
            }
            send(upstream, bytes, command.byteCount)
        case .unsubscribe:
            send(upstream, bytes, command.byteCount)
            var probe = Self.probe
            probe.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
            // One request stands for the probe, so that the session waits for it.
            session.pointee.nextSequence &+= 1
            return .nextAfterReplies
        case .quit, .reset:
            return local(session, ArgumentCursor.all(bytes, command), bytes, command, info)
        default:
            return reject(
                session,
                "ERR Can't execute '\(info.name)': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                    + "allowed in this context")
        }
        return .next
    }

    /// Redis answers an unsubscription of what was never subscribed.
    mutating func unsubscribeIdle(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        if let step = unsubscribePushing(session, bytes, command, info) { return step }
        let channels = ArgumentCursor.all(bytes, command).dropFirst()
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        if channels.isEmpty {
            writer.push(3)
            writer.bulk(info.name)
            writer.null()
            writer.integer(0)
        }
        for channel in channels {
            writer.push(3)
            writer.bulk(info.name)
            writer.bulk(channel)
            writer.integer(0)
        }
        answer(session, writer.bytes)
        return .next
    }

    /// What came without being asked for: messages for the owner, or nothing that should exist.
    /// - Returns: How many bytes were used.
    mutating func takePushes(_ upstream: UpstreamPointer, _ bytes: Bytes, _ start: Int, _ count: Int) -> Int {
        var index = start
        while index < count, upstream.pointee.pushesToOwner, let session = upstream.pointee.owner {
            let length = replyLength(bytes + index, count - index)
            if length == 0 { return index }
            if isProbeAnswer(bytes + index, length) {
                session.pointee.sendSequence &+= 1
                markDirty(session)
                if upstream.pointee.usesRESP3 {
                    session.pointee.details?.probesDue -= 1
                } else if bytes[index] == UInt8(ascii: "$") {
                    endSubscriptions(session, upstream)
                }
            } else if session.pointee.isMidReply {
                hold(session, bytes + index, length)
                if upstream.pointee.isDead { return count }
            } else {
                emit(session, bytes + index, length)
            }
            index += length
        }
        // A shard that answers what nobody asked is not to be trusted with the next request.
        if index < count { lose(upstream) }
        return count
    }

    private func isProbeAnswer(_ bytes: Bytes, _ length: Int) -> Bool {
        let text = UnsafeBufferPointer(start: bytes, count: length)
        return text.elementsEqual("$10\r\ntarn-probe\r\n".utf8)
            || text.elementsEqual("*2\r\n$4\r\npong\r\n$10\r\ntarn-probe\r\n".utf8)
    }

    private mutating func endSubscriptions(_ session: SessionPointer, _ upstream: UpstreamPointer) {
        session.pointee.mode.remove(.subscriber)
        session.pointee.pinned = nil
        upstream.pointee.pushesToOwner = false
        giveBack(upstream)
    }
}
