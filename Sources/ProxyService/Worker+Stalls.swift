import ProxyCore
import Reactor

/// Clients that stop in the middle of a request: they hold memory, or a lent upstream, for nothing.
///
/// Idle clients are welcome for ever (TCP keep-alive finds the dead ones). There is a timer only while somebody is in
/// the middle.
extension Worker {
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
