import ProxyCore
import Reactor

/// Clients that hold something for nothing: those that stop in the middle of a request, those that are idle longer
/// than their database allows, those that came too many at once, and the one that takes the most when memory is short.
///
/// Idle clients are welcome for ever unless `timeout` says otherwise (TCP keep-alive finds the dead ones). There is a
/// timer only while one of these is there.
extension Worker {
    /// Milliseconds to the next of these deadlines, as monotonic time; `Int.max` for none.
    func nextStallDeadline() -> Int {
        var next = halfSessions.count > 0 ? nextSweep : Int.max
        for repetition in repetitions { next = min(next, repetition.at) }
        for database in databases.values {
            if database.pointee.acceptsAgainAt > 0 { next = min(next, database.pointee.acceptsAgainAt) }
            if database.pointee.pause.isOn { next = min(next, database.pointee.pause.until) }
            if database.pointee.limits.idleSeconds > 0 && database.pointee.sessionCount > 0 {
                next = min(next, nextIdleSweep)
            }
        }
        return next
    }

    mutating func checkStalls() {
        if halfSessions.count > 0 { sweepHalfRequests() }
        if !repetitions.isEmpty { askAgain() }
        if pool.blocks.usedBytes > SessionLimits.loopBytes { cutLargest() }
        if watchedDatabases == 0 { return }
        let time = MonotonicClock.milliseconds()
        let isIdleSweep = time >= nextIdleSweep
        if isIdleSweep { nextIdleSweep = time + 1000 }
        for database in databases.values {
            if database.pointee.pause.isOn && database.pointee.pause.until <= time { endPause(database) }
            if database.pointee.acceptsAgainAt > 0 && database.pointee.acceptsAgainAt <= time { wakeListener(database) }
            if isIdleSweep && database.pointee.limits.idleSeconds > 0 { closeIdle(database) }
        }
    }

    private mutating func closeIdle(_ database: DatabasePointer) {
        let limit = database.pointee.limits.idleSeconds
        for session in sessions(of: database) where Int(now &- session.pointee.lastActiveAt) >= limit {
            let isWaiting = session.pointee.hasUnanswered || session.pointee.isParked
            if !isWaiting && session.pointee.details?.attached.isEmpty != false { close(session) }
        }
    }

    /// The kernel keeps who comes meanwhile.
    mutating func restListener(_ database: DatabasePointer) {
        poller.remove(database.pointee.listener)
        database.pointee.acceptsAgainAt = MonotonicClock.milliseconds() + 20
        watchedDatabases += 1
    }

    private mutating func wakeListener(_ database: DatabasePointer) {
        database.pointee.acceptsAgainAt = 0
        watchedDatabases -= 1
        if database.pointee.listener >= 0 { poller.add(source: database.pointee.listener, tag: .listener, database) }
    }

    /// The one client whose buffers are the largest: whoever floods the proxy is the first to go.
    private mutating func cutLargest() {
        var largest: (session: SessionPointer, bytes: Int)?
        for database in databases.values {
            for session in sessions(of: database) {
                let bytes =
                    session.pointee.input.capacity + session.pointee.output.capacity + session.pointee.ring.keptBytes
                if bytes > largest?.bytes ?? 0 { largest = (session, bytes) }
            }
        }
        guard let largest else { return }
        log("client \(largest.session.pointee.identifier) holds \(largest.bytes) bytes, the most of all: it is cut off")
        close(largest.session)
    }

    private static let sweepMilliseconds = 10_000
    /// Without a byte for this many sweeps, about a minute, the connection is closed.
    private static let sweepLimit: UInt8 = 6

    @inline(__always)
    mutating func watchHalfRequest(_ session: SessionPointer) {
        session.pointee.hasMoved = true
        if session.pointee.isHalfListed { return }
        session.pointee.isHalfListed = true
        if halfSessions.count == 0 { nextSweep = MonotonicClock.milliseconds() + Self.sweepMilliseconds }
        halfSessions.append(session)
    }

    mutating func sweepHalfRequests() {
        let now = MonotonicClock.milliseconds()
        if now < nextSweep { return }
        nextSweep = now + Self.sweepMilliseconds
        var left = halfSessions.count
        while left > 0 {  // From the end: removal puts the last one, already seen, in the gap.
            left = min(left, halfSessions.count) - 1
            if left < 0 { return }
            let session = halfSessions[left]
            let isHalf = !session.pointee.input.isEmpty || session.pointee.isStreaming
            // A parked one has more than it may be asked for now; the wait is the proxy's.
            let isWaitedFor = isHalf && !session.pointee.isParked && !session.pointee.hasMoved
            session.pointee.idleSweeps = isWaitedFor ? session.pointee.idleSweeps + 1 : 0
            session.pointee.hasMoved = false
            if !isHalf {
                session.pointee.isHalfListed = false
                halfSessions.remove(session)
            } else if session.pointee.idleSweeps >= Self.sweepLimit {
                close(session)
            }
        }
    }
}
