import KeyMatching
import ProxyCore
import RESP
import Reactor

/// Slots by the key rules of a database (`shard_key_regex`).
///
/// None of it is on the request path: a database with rules lets no command pass there (``Database/passingTier``), so
/// one without rules pays nothing for them.
extension Worker {
    /// Longest that one turn of the loop tries the rules of one database, give or take a tick of the coarse clock.
    /// Rules may be bad ones, and a pipeline may bring thousands of keys that show it; other databases get their turn.
    private static let turnMilliseconds = 8

    /// For the keys of one command.
    @inline(__always)
    func slotFinder(_ database: DatabasePointer) -> SlotFinder {
        guard database.pointee.hasKeyRules, let rules = database.pointee.table.keyRules else {
            return SlotFinder(hasher)
        }
        return SlotFinder(hasher, rules: rules, scratch: keyMatchScratch)
    }

    /// The database has had its time in this turn, or others wait for the next one already.
    @inline(__always)
    func mustRest(_ database: DatabasePointer) -> Bool { database.pointee.hasKeyRules && isTurnOver(database) }

    @inline(never)
    private func isTurnOver(_ database: DatabasePointer) -> Bool {
        if restingSessions.count > 0 && !isWakingResting { return true }
        let now = MonotonicClock.coarseMilliseconds()
        if database.pointee.ruleTurn != turnNumber {
            database.pointee.ruleTurn = turnNumber
            database.pointee.ruleTurnBegan = now
        }
        return now &- database.pointee.ruleTurnBegan > Self.turnMilliseconds
    }

    /// Until the next turn, behind those who rest already.
    mutating func rest(_ session: SessionPointer) {
        session.pointee.isParked = true
        if session.pointee.isBlockedListed { return }
        session.pointee.isBlockedListed = true
        restingSessions.append(session)
    }

    /// Those for whom there is no time in this turn either keep their places in front of those who rest again.
    mutating func wakeResting() {
        var waking = PointerList<Session>(capacity: 16)
        var kept = PointerList<Session>(capacity: 16)
        swap(&waking, &restingSessions)
        isWakingResting = true
        for position in 0..<waking.count {
            let session = waking[position]
            if !session.pointee.isDead && mustRest(session.pointee.database) {
                kept.append(session)
                continue
            }
            session.pointee.isBlockedListed = false
            if !session.pointee.isDead { resume(session) }
        }
        isWakingResting = false
        for position in 0..<restingSessions.count { kept.append(restingSessions[position]) }
        swap(&kept, &restingSessions)
        waking.deallocate()
        kept.deallocate()
    }
}
