import Glibc
import ProxyCore
import Reactor

/// What leaves in one turn, with one call for many sockets.
///
/// First everybody is looked at, which may change or lose others; then the sends are made, and nothing else happens in
/// between; then all bytes that left are taken off, which touches nobody else; last comes what follows from it.
extension Worker {
    @inline(never)
    mutating func flushUpstreamsAtOnce() {
        while dirtyUpstreams.count > 0 {
            lookAtUpstreams()
            var position = 0
            while position < batchedUpstreams.count {
                let end = min(position &+ CallBatch.capacity, batchedUpstreams.count)
                sendUpstreams(position, end)
                position = end
            }
            batchedUpstreams.count = 0
        }
    }

    /// Who is to send stays marked as dirty until it does, so it is listed once.
    private mutating func lookAtUpstreams() {
        var position = 0
        while position < dirtyUpstreams.count {
            let upstream = dirtyUpstreams[position]
            position &+= 1
            upstream.pointee.isDirty = false
            if upstream.pointee.isDead { continue }
            if upstream.pointee.tls != nil {
                flush(upstream)
            } else if mayLeave(upstream) && !upstream.pointee.isDirty {
                upstream.pointee.isDirty = true
                batchedUpstreams.append(upstream)
            }
        }
        dirtyUpstreams.count = 0
    }

    private mutating func sendUpstreams(_ first: Int, _ end: Int) {
        var calls = sends.unsafelyUnwrapped
        for index in first..<end {
            let upstream = batchedUpstreams[index]
            if mustSend(upstream) {
                calls.addSend(upstream.pointee.descriptor, upstream.pointee.output.first, upstream.pointee.output.count)
            }
        }
        calls.make()
        var call = 0
        for index in first..<end {
            let upstream = batchedUpstreams[index]
            var isFailed = false
            if mustSend(upstream) {
                let sent = calls[call]
                call &+= 1
                if sent > 0 { consumeSent(upstream, sent) }
                isFailed = sent < 0 && sent != Int(-EAGAIN)
            }
            upstream.pointee.isDirty = false
            upstream.pointee.hasFailed = isFailed
        }
        for index in first..<end {
            let upstream = batchedUpstreams[index]
            if upstream.pointee.isDead || upstream.pointee.state != .ready { continue }
            conclude(upstream, isUnsent: !upstream.pointee.output.isEmpty, failed: upstream.pointee.hasFailed)
        }
    }

    /// Since it was looked at it may have been lost.
    @inline(__always)
    private func mustSend(_ upstream: UpstreamPointer) -> Bool {
        !upstream.pointee.isDead && upstream.pointee.state == .ready && !upstream.pointee.output.isEmpty
    }

    @inline(never)
    mutating func flushSessionsAtOnce() {
        while dirtySessions.count > 0 {
            lookAtSessions()
            var position = 0
            while position < batchedSessions.count {
                let end = min(position &+ CallBatch.capacity, batchedSessions.count)
                sendSessions(position, end)
                position = end
            }
            batchedSessions.count = 0
        }
    }

    private mutating func lookAtSessions() {
        var position = 0
        while position < dirtySessions.count {
            let session = dirtySessions[position]
            position &+= 1
            if !session.pointee.isDead && session.pointee.ring.used > 0 { drainRing(session) }
            if session.pointee.isDead || (session.pointee.directCount > 0 && !session.pointee.output.isEmpty) {
                session.pointee.isDirty = false
                if !session.pointee.isDead { flush(session) }
            } else {
                batchedSessions.append(session)
            }
        }
        dirtySessions.count = 0
    }

    private mutating func sendSessions(_ first: Int, _ end: Int) {
        var calls = sends.unsafelyUnwrapped
        for index in first..<end {
            let session = batchedSessions[index]
            if session.pointee.isDead { continue }
            if session.pointee.directCount > 0 {
                calls.addSend(
                    session.pointee.descriptor, session.pointee.direct.unsafelyUnwrapped, session.pointee.directCount)
            } else if !session.pointee.output.isEmpty {
                calls.addSend(session.pointee.descriptor, session.pointee.output.first, session.pointee.output.count)
            }
        }
        calls.make()
        var call = 0
        for index in first..<end {
            let session = batchedSessions[index]
            session.pointee.isDirty = false
            if session.pointee.isDead { continue }
            var isFailed = false
            if session.pointee.directCount > 0 || !session.pointee.output.isEmpty {
                let sent = calls[call]
                call &+= 1
                settle(session, sent: max(0, sent))
                isFailed = sent < 0 && sent != Int(-EAGAIN)
            }
            session.pointee.hasFailed = isFailed
        }
        for index in first..<end {
            let session = batchedSessions[index]
            if !session.pointee.isDead { conclude(session, failed: session.pointee.hasFailed) }
        }
    }
}
