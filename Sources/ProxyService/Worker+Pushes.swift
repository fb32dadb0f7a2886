import ProxyCore
import RESP

/// Subscriptions in RESP3: messages are pushes of their own type, so the session goes on with any other command.
///
/// ```
///   session ── commands ──▶ shared upstreams ── replies ──┐
///      │                                                   ├─▶ client, pushes only between whole replies
///      └── SUBSCRIBE, probe ──▶ own upstream ── pushes ────┘
/// ```
/// The session keeps one upstream for each shard it ever subscribed at, until it ends. A probe (a PING that only the
/// proxy sees) stands behind every (un)subscription: its answer tells that the confirmations, of which nobody knows
/// the number, have all come, so what the client sends next can't overtake them.
extension Worker {
    /// Pushes that may wait for the end of a reply.
    private static let heldLimit = 32 << 20

    mutating func subscribePushing(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        guard let index = channelShard(session, bytes, command, info) else {
            return reject(session, Self.crossSlotText)
        }
        let shard = session.pointee.database.pointee.shards[index]
        let details = details(session)
        var upstream = subscription(session, shard)
        if upstream == nil {
            let fresh = borrow(shard, for: session)
            fresh.pointee.pushesToOwner = true
            details.subscriptions.append(fresh)
            upstream = fresh
        }
        if let upstream { sendProbed(session, upstream, bytes, command) }
        return .nextAfterReplies
    }

    /// - Returns: Nil when the session has no subscription that this could end.
    mutating func unsubscribePushing(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step? {
        guard let subscriptions = session.pointee.details?.subscriptions, !subscriptions.isEmpty else { return nil }
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        if info.name == "sunsubscribe" && command.argumentCount == 1 {
            for upstream in subscriptions { sendProbed(session, upstream, bytes, command) }
            return .nextAfterReplies
        }
        guard let index = channelShard(session, bytes, command, info) else {
            return reject(session, Self.crossSlotText)
        }
        let shard = session.pointee.database.pointee.shards[index]
        guard let upstream = subscription(session, shard) else { return nil }
        sendProbed(session, upstream, bytes, command)
        return .nextAfterReplies
    }

    private mutating func sendProbed(
        _ session: SessionPointer, _ upstream: UpstreamPointer, _ bytes: Bytes, _ command: ScannedCommand
    ) {
        send(upstream, bytes, command.byteCount)
        var probe = Self.probe
        probe.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
        session.pointee.nextSequence &+= 1
        details(session).probesDue += 1
    }

    /// Classic channels live on the first shard, sharded ones on that of their slot. Nil: not all on one.
    private func channelShard(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Int? {
        let isSharded = info.handling == .shardSubscribe || info.name == "sunsubscribe"
        guard isSharded, let slots = session.pointee.database.pointee.slots else { return 0 }
        guard case .slot(let slot) = KeyExtractor.slot(bytes, command, info, hasher) else { return nil }
        return Int(slots[slot])
    }

    private func subscription(_ session: SessionPointer, _ shard: ShardPointer) -> UpstreamPointer? {
        session.pointee.details?.subscriptions.first { $0.pointee.shard == shard }
    }

    // MARK: Between replies

    /// A push came while half a reply has left.
    mutating func hold(_ session: SessionPointer, _ bytes: Bytes, _ count: Int) {
        let details = details(session)
        details.heldPushes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
        if details.heldPushes.count > Self.heldLimit { close(session) }
    }

    /// The reply is whole.
    mutating func releasePushes(_ session: SessionPointer) {
        guard let details = session.pointee.details, !details.heldPushes.isEmpty else { return }
        settleDirect(session)
        pool.append(&session.pointee.output, details.heldPushes)
        details.heldPushes = []
    }

    /// The session is reset or gone. Its probes have no entry in any queue, so they count as answered.
    mutating func endSubscriptions(_ session: SessionPointer) {
        guard let details = session.pointee.details else { return }
        session.pointee.sendSequence &+= UInt32(details.probesDue)
        details.probesDue = 0
        let subscriptions = details.subscriptions
        details.subscriptions = []
        for upstream in subscriptions { abandon(upstream) }
    }
}
