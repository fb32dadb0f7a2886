import ProxyCore
import RESP

/// WATCH: the keys are watched over an upstream of the session's own, which EXEC uses as well.
extension Worker {
    mutating func watch(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        let details = details(session)
        let database = session.pointee.database
        var index = 0
        if let slots = database.pointee.slots {
            let found = KeyExtractor.slot(bytes, command, info, slotFinder(database))
            if case .refused(let refusal) = found { return reject(session, refusal.text) }
            guard case .slot(let slot) = found, details.slot < 0 || details.slot == slot else {
                return reject(session, Self.crossSlotText)
            }
            details.slot = slot
            index = Int(slots[slot])
        }
        let shard = database.pointee.shards[index]
        if let step = stopAtHeld(session, shard) { return step }
        if details.isWatching && session.pointee.pinned?.pointee.shard != shard { details.hasLostWatch = true }
        if details.hasLostWatch {  // EXEC will say so.
            answer(session, Self.ok)
            return .next
        }
        let upstream = session.pointee.pinned ?? borrow(shard, for: session)
        session.pointee.pinned = upstream
        details.isWatching = true
        forward(session, upstream, bytes, command.byteCount, isWrite: false)
        return .nextAfterReplies
    }

    mutating func unwatch(_ session: SessionPointer) -> Step {
        let details = details(session)
        stopWatching(session, details)
        answer(session, Array("+OK\r\n".utf8))
        return .next
    }

    /// Watches end with their connection: cheaper than another round trip, and certain.
    mutating func stopWatching(_ session: SessionPointer, _ details: SessionDetails) {
        details.slot = -1
        details.hasLostWatch = false
        guard details.isWatching else { return }
        details.isWatching = false
        guard let upstream = session.pointee.pinned else { return }
        session.pointee.pinned = nil
        abandon(upstream)
    }
}
