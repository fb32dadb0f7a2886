import Glibc
import ProxyCore
import RESP
import Reactor

/// An event of which the bytes were fetched before it is handled.
struct ReadAhead {
    /// Which of the calls; -1: none, it is read when it is handled.
    var call: Int
    var buffer: Bytes
    /// Of an upstream: a later one is another connection.
    var connection: UInt32
}

/// What comes in one turn, fetched with one call for many sockets.
///
/// Nothing is handled between the first and the last receive, so no descriptor changes its meaning meanwhile. Bytes of
/// who was closed since are dropped, as if they had not been read; those of a session that was parked wait in its
/// input.
extension Worker {
    /// Read at once from each. Who sends more than that in a piece is read on its own: there the call is no matter.
    static let readAheadBytes = 4 << 10
    /// From one buffer to the next: at multiples of 4 KiB they would share the same few lines of the processor's cache.
    static let readAheadStride = readAheadBytes + 576
    /// Events of which the bytes are fetched together: more would push each other out of that cache.
    static let readAheadEvents = 16

    @inline(never)
    mutating func handleAtOnce(_ count: Int) {
        var position = 0
        while position < count {
            let end = min(position &+ Self.readAheadEvents, count)
            handle(position, end)
            position = end
        }
    }

    private mutating func handle(_ first: Int, _ end: Int) {
        fetch(first, end)
        defer { arenaFloor = 0 }
        for index in first..<end {
            let event = poller.event(index)
            let ahead = readAhead[index &- first]
            if ahead.call < 0 {
                handle(event)
            } else if event.tag == .session {
                take(event, event.pointer.assumingMemoryBound(to: Session.self), ahead)
            } else {
                take(event, event.pointer.assumingMemoryBound(to: Upstream.self), ahead)
            }
        }
    }

    private mutating func fetch(_ first: Int, _ end: Int) {
        if arenaUsed > Self.arenaBytes / 2 {
            flushSessions()
            arenaUsed = 0
        }
        var calls = receives.unsafelyUnwrapped
        var requests = readAheadBuffer
        for index in first..<end {
            let event = poller.event(index)
            var ahead = ReadAhead(call: -1, buffer: requests, connection: 0)
            var descriptor: Int32 = -1
            if event.tag == .session {
                let session = event.pointer.assumingMemoryBound(to: Session.self)
                if event.isReadable && !event.isHungUp && readsLittle(session) {
                    descriptor = session.pointee.descriptor
                    requests += Self.readAheadStride
                }
            } else if event.tag == .upstream {
                let upstream = event.pointer.assumingMemoryBound(to: Upstream.self)
                if event.isReadable && !event.isHungUp && readsLittle(upstream) {
                    descriptor = upstream.pointee.descriptor
                    ahead.buffer = arena + arenaUsed
                    ahead.connection = upstream.pointee.connection
                    arenaUsed &+= Self.readAheadStride
                }
            }
            if descriptor >= 0 {
                ahead.call = calls.count
                calls.addReceive(descriptor, ahead.buffer, Self.readAheadBytes)
            }
            readAhead[index &- first] = ahead
        }
        arenaFloor = arenaUsed
        calls.make()
    }

    @inline(__always)
    private func readsLittle(_ session: SessionPointer) -> Bool {
        !session.pointee.isDead && !session.pointee.readsMuch && !session.pointee.isParked
            && !session.pointee.isClosing && session.pointee.input.isEmpty
    }

    @inline(__always)
    private func readsLittle(_ upstream: UpstreamPointer) -> Bool {
        upstream.pointee.isShared && !upstream.pointee.isDead && !upstream.pointee.readsMuch
            && upstream.pointee.state == .ready && upstream.pointee.tls == nil && upstream.pointee.rest.isEmpty
            && !upstream.pointee.withholds
    }

    private mutating func take(_ event: Poller.Event, _ session: SessionPointer, _ ahead: ReadAhead) {
        if session.pointee.isDead { return }
        if event.isWritable && !session.pointee.output.isEmpty { markDirty(session) }
        session.pointee.lastActiveAt = now
        let received = receives.unsafelyUnwrapped[ahead.call]
        if received <= 0 { return endOfReading(session, received) }
        if session.pointee.isClosing { return }
        if session.pointee.isParked {
            session.pointee.database.pointee.statistics.receivedBytes &+= UInt64(received)
            session.pointee.hasMoved = true
            return pool.append(&session.pointee.input, ahead.buffer, received)
        }
        takeRequests(session, ahead.buffer, received)
        if received < Self.readAheadBytes || session.pointee.isDead { return }
        session.pointee.readsMuch = true
        read(session)
    }

    private mutating func take(_ event: Poller.Event, _ upstream: UpstreamPointer, _ ahead: ReadAhead) {
        if upstream.pointee.isDead || upstream.pointee.connection != ahead.connection { return }
        if event.isWritable && (!upstream.pointee.output.isEmpty || upstream.pointee.isBlocked) { markDirty(upstream) }
        let received = receives.unsafelyUnwrapped[ahead.call]
        if received == Int(-EAGAIN) { return }
        if received <= 0 { return lose(upstream) }
        if !takeReceived(upstream, ahead.buffer, received) { return }
        if received < Self.readAheadBytes { return finishReading(upstream) }
        upstream.pointee.readsMuch = true
        read(upstream)
    }
}
