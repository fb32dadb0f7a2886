import CLinux
import Glibc
import ProxyCore
import RESP
import Reactor

/// Life of client connections: accept, read, park and resume, close.
extension Worker {
    mutating func accept(_ database: DatabasePointer) {
        for _ in 0..<SessionLimits.acceptsPerTurn {
            if database.pointee.listener < 0 { return }
            if !database.pointee.acceptRate.take(now: MonotonicClock.milliseconds) { return restListener(database) }
            let descriptor = Sockets.accept(database.pointee.listener)
            if descriptor < 0 {
                if descriptor == -EMFILE || descriptor == -ENFILE { refuseOne(database.pointee.listener) }
                return
            }
            open(descriptor, database)
        }
    }

    /// Out of descriptors: without this the listener would stay readable and the loop would spin.
    private mutating func refuseOne(_ listener: Int32) {
        Glibc.close(reserveDescriptor)
        let descriptor = Sockets.accept(listener)
        if descriptor >= 0 { Glibc.close(descriptor) }
        reserveDescriptor = clinux_eventfd()
    }

    private mutating func open(_ descriptor: Int32, _ database: DatabasePointer) {
        let table = database.pointee.table
        let connections = table.shared.connections.add(1, ordering: .relaxed).newValue
        let limit = table.routes.maximumConnections
        if limit > 0 && connections > limit {
            table.shared.connections.subtract(1, ordering: .relaxed)
            var refusal = Array("-ERR max number of clients reached\r\n".utf8)
            _ = refusal.withUnsafeMutableBufferPointer { Sockets.send(descriptor, $0.baseAddress!, $0.count) }
            Glibc.close(descriptor)
            return
        }
        Sockets.setNoDelay(descriptor)
        Sockets.setKeepAlive(descriptor, seconds: database.pointee.limits.keepAliveSeconds)
        nextIdentifier += 1
        let session = SessionPointer.allocate(capacity: 1)
        session.initialize(
            to: Session(
                descriptor: descriptor, database: database, mode: table.password.isEmpty ? [] : .unauthenticated,
                identifier: nextIdentifier * loopCount + index, connectedAt: now))
        session.pointee.next = database.pointee.firstSession
        database.pointee.firstSession?.pointee.previous = session
        database.pointee.firstSession = session
        database.pointee.sessionCount += 1
        database.pointee.statistics.acceptedConnections &+= 1
        sessionCount += 1
        if !poller.add(connection: descriptor, tag: .session, session) { close(session) }
    }

    mutating func read(_ session: SessionPointer) {
        session.pointee.lastActiveAt = now
        if session.pointee.isParked || session.pointee.isClosing { return }
        var reads = 0
        while true {
            let outcome = readOnce(session)
            if session.pointee.isDead || outcome == .drained { return }
            if session.pointee.isParked || session.pointee.isClosing { return }
            reads &+= 1
            if reads == SessionLimits.readsPerTurn {  // The rest comes in the next turn, after everybody else.
                markReady(session)
                return
            }
        }
    }

    private enum ReadOutcome { case drained, more }

    @inline(__always)
    private mutating func readOnce(_ session: SessionPointer) -> ReadOutcome {
        let wanted: Int
        let received: Int
        if session.pointee.input.isEmpty {
            wanted = Self.requestBufferBytes
            received = Sockets.receive(session.pointee.descriptor, requestBuffer, wanted)
            if received > 0 {
                if received < Self.readAheadBytes { session.pointee.readsMuch = false }
                takeRequests(session, requestBuffer, received)
                if session.pointee.isDead { return .drained }
            }
        } else {
            if session.pointee.input.capacity &- session.pointee.input.end < 4096 {
                pool.makeRoom(&session.pointee.input, max(4096, session.pointee.input.count))
            }
            wanted = session.pointee.input.capacity &- session.pointee.input.end
            received = Sockets.receive(
                session.pointee.descriptor, session.pointee.input.base.unsafelyUnwrapped + session.pointee.input.end,
                wanted)
            if received > 0 {
                session.pointee.database.pointee.statistics.receivedBytes &+= UInt64(received)
                session.pointee.input.end &+= received
                session.pointee.hasMoved = true
                consumeInput(session)
                if session.pointee.isDead { return .drained }
            }
        }
        if received > 0 { return received == wanted || session.pointee.isHungUp ? .more : .drained }
        endOfReading(session, received)
        return .drained
    }

    /// From a buffer of the loop's, which is used again: what is not used yet is kept.
    @inline(__always)
    mutating func takeRequests(_ session: SessionPointer, _ bytes: Bytes, _ count: Int) {
        session.pointee.database.pointee.statistics.receivedBytes &+= UInt64(count)
        chooseStrand(session, count)
        let used = consume(session, bytes, count)
        if session.pointee.isDead || used == count { return }
        pool.append(&session.pointee.input, bytes + used, count &- used)
        watchHalfRequest(session)
    }

    /// - Parameter outcome: What a receive gave: 0 or `-errno`.
    mutating func endOfReading(_ session: SessionPointer, _ outcome: Int) {
        if outcome == 0 { endOfInput(session) } else if outcome != Int(-EAGAIN) { close(session) }
    }

    mutating func consumeInput(_ session: SessionPointer) {
        chooseStrand(session, session.pointee.input.count)
        let used = consume(session, session.pointee.input.first, session.pointee.input.count)
        if session.pointee.isDead { return }
        pool.consume(&session.pointee.input, used)
        if session.pointee.input.count > session.pointee.database.pointee.limits.queryBytes { close(session) }
    }

    /// The client sends no more, but may still read: replies that are due go out first.
    private mutating func endOfInput(_ session: SessionPointer) {
        if session.pointee.isStreaming || session.pointee.details?.attached.isEmpty == false {
            close(session)
        } else {
            closeWhenDone(session)
        }
    }

    mutating func closeWhenDone(_ session: SessionPointer) {
        session.pointee.isClosing = true
        markDirty(session)
    }

    // MARK: Park and resume

    /// Leaves the session's input alone until ``flush(_:)-session`` sees the reason gone.
    mutating func park(_ session: SessionPointer, untilReplied: Bool) {
        session.pointee.isParked = true
        session.pointee.waitsForReplies = untilReplied
        markDirty(session)
    }

    mutating func parkBlocked(_ session: SessionPointer) {
        session.pointee.isParked = true
        if session.pointee.isBlockedListed { return }
        session.pointee.isBlockedListed = true
        blockedSessions.append(session)
    }

    /// An upstream has room again.
    mutating func wakeBlocked() {
        while let session = blockedSessions.removeLast() {
            session.pointee.isBlockedListed = false
            if !session.pointee.isDead { markReady(session) }
        }
    }

    @inline(__always)
    mutating func unparkIfPossible(_ session: SessionPointer) {
        if session.pointee.isBlockedListed || session.pointee.output.count > SessionLimits.backlogBytes { return }
        let unanswered = session.pointee.nextSequence &- session.pointee.sendSequence
        if session.pointee.waitsForReplies ? unanswered == 0 : unanswered < session.pointee.window {
            if unanswered == 0 && session.pointee.output.isEmpty {  // It keeps up.
                session.pointee.window = min(Session.maximumWindow, session.pointee.window &* 2)
            }
            markReady(session)
        }
    }

    mutating func resume(_ session: SessionPointer) {
        if session.pointee.waitsForReplies && session.pointee.hasUnanswered { return }
        session.pointee.isParked = false
        session.pointee.waitsForReplies = false
        if !session.pointee.hasUnanswered { releasePinned(session) }
        if session.pointee.details?.execution != nil && !proceed(session) { return }
        if !session.pointee.input.isEmpty {
            consumeInput(session)
            if session.pointee.isDead || session.pointee.isParked { return }
        }
        read(session)
    }

    // MARK: Close

    mutating func close(_ session: SessionPointer) {
        if session.pointee.isDead { return }
        session.pointee.isDead = true
        if session.pointee.isHalfListed { halfSessions.remove(session) }
        release(session)
        Glibc.close(session.pointee.descriptor)
        pool.release(&session.pointee.input)
        pool.release(&session.pointee.output)
        session.pointee.directCount = 0
        // Replies that came before their turn count as delivered; one that is still arriving counts at its end.
        // No further than the last of them: with more unanswered than the ring has slots, numbers share these.
        var sequence = session.pointee.sendSequence
        var waiting = session.pointee.ring.used
        while waiting > 0, let slot = session.pointee.ring.slot(sequence) {
            let state = slot.pointee.state
            if state != .empty { waiting &-= 1 }
            if state == .owned || state == .borrowed { session.pointee.sendSequence &+= 1 }
            sequence &+= 1
        }
        session.pointee.ring.release(pool.blocks)
        unlink(session)
        endAttached(session)
        endTracking(session)
        abandonLent(session)
        if let upstream = session.pointee.streamUpstream { abandon(upstream) }
        if let upstream = session.pointee.pinned { abandon(upstream) }
        session.pointee.streamUpstream = nil
        session.pointee.pinned = nil
        reap(session)
    }

    private mutating func unlink(_ session: SessionPointer) {
        let database = session.pointee.database
        if let previous = session.pointee.previous {
            previous.pointee.next = session.pointee.next
        } else {
            database.pointee.firstSession = session.pointee.next
        }
        session.pointee.next?.pointee.previous = session.pointee.previous
        database.pointee.sessionCount -= 1
        database.pointee.table.shared.connections.subtract(1, ordering: .relaxed)
        sessionCount -= 1
    }

    /// Frees a dead session once no upstream knows it any more.
    mutating func reap(_ session: SessionPointer) {
        if session.pointee.hasUnanswered || session.pointee.isInGrave { return }
        session.pointee.isInGrave = true
        sessionGraves.append(session)
    }

    /// Between turns, when no event and no list can name the dead.
    mutating func bury() {
        var later = PointerList<Session>(capacity: 16)
        while let session = sessionGraves.removeLast() {
            if session.pointee.isDirty || session.pointee.isReady || session.pointee.isBlockedListed {
                later.append(session)
                continue
            }
            session.deinitialize(count: 1)
            session.deallocate()
        }
        swap(&later, &sessionGraves)
        later.deallocate()
        while let upstream = upstreamGraves.removeLast() {
            if upstream.pointee.isDirty {
                // Listed by an event of this very turn; its flush will skip it, the next burial takes it.
                dirtyUpstreams.remove(upstream)
            }
            upstream.deinitialize(count: 1)
            upstream.deallocate()
        }
        while let shard = shardGraves.removeLast() { free(shard) }
        freeRemovedDatabases()
    }
}
