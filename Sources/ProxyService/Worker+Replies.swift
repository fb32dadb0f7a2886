import Glibc
import ProxyCore
import RESP
import Reactor

/// From upstream replies to clients, in the order of the requests.
extension Worker {
    /// A whole reply that lies in the arena.
    @inline(__always)
    mutating func deliver(_ session: SessionPointer, _ sequence: UInt32, _ bytes: Bytes, _ count: Int) {
        if session.pointee.isDead {
            session.pointee.sendSequence &+= 1
            reap(session)
            return
        }
        if session.pointee.isMuted && isKept(session, sequence, bytes, count) { return deliver(session, sequence, []) }
        if sequence == session.pointee.sendSequence && session.pointee.ring.used == 0 {
            session.pointee.sendSequence &+= 1
            emit(session, bytes, count)
            return
        }
        session.pointee.ring.borrow(sequence, window: window(session), bytes, count, pool.blocks)
        markDirty(session)
    }

    /// A reply that the proxy made itself; copied.
    mutating func deliver(_ session: SessionPointer, _ sequence: UInt32, _ reply: [UInt8]) {
        if session.pointee.isDead {
            session.pointee.sendSequence &+= 1
            reap(session)
            return
        }
        if session.pointee.isMuted && !reply.isEmpty && isKept(session, sequence, reply) {
            return deliver(session, sequence, [])
        }
        markDirty(session)
        if sequence == session.pointee.sendSequence && session.pointee.ring.used == 0 {
            session.pointee.sendSequence &+= 1
            settleDirect(session)
            pool.append(&session.pointee.output, reply)
            return
        }
        var copy = reply
        copy.withUnsafeMutableBufferPointer { buffer in
            // An empty reply still has its turn.
            var none: UInt8 = 0
            if let base = buffer.baseAddress {
                session.pointee.ring.keep(sequence, window: window(session), base, buffer.count, pool.blocks)
            } else {
                session.pointee.ring.keep(sequence, window: window(session), &none, 0, pool.blocks)
            }
        }
    }

    /// Answers the command that is being taken right now.
    mutating func answer(_ session: SessionPointer, _ reply: [UInt8]) {
        let sequence = session.pointee.nextSequence
        session.pointee.nextSequence &+= 1
        deliver(session, sequence, reply)
    }

    mutating func answerError(_ session: SessionPointer, _ text: String) {
        var writer = ReplyWriter()
        writer.error(text)
        answer(session, writer.bytes)
    }

    /// A piece of a reply that is passed on while it arrives.
    mutating func deliverPiece(
        _ session: SessionPointer, _ sequence: UInt32, _ bytes: Bytes, _ count: Int, isLast: Bool
    ) {
        if session.pointee.isDead {
            if isLast {
                session.pointee.sendSequence &+= 1
                reap(session)
            }
            return
        }
        if session.pointee.isMuted && isKept(session, sequence, bytes, count) {
            if isLast { deliver(session, sequence, []) }
            return
        }
        let hasStarted = session.pointee.ring.slot(sequence).map { $0.pointee.state != .empty } ?? false
        if sequence == session.pointee.sendSequence && !hasStarted {
            if isLast { session.pointee.sendSequence &+= 1 }
            emit(session, bytes, count)
            session.pointee.isMidReply = !isLast
            if isLast { releasePushes(session) }
            return
        }
        session.pointee.ring.extend(sequence, window: window(session), bytes, count, isLast: isLast, pool.blocks)
        markDirty(session)
    }

    private func window(_ session: SessionPointer) -> SequenceWindow {
        SequenceWindow(first: session.pointee.sendSequence, next: session.pointee.nextSequence)
    }

    /// Next bytes for the client. Adjacent replies become one run that is sent from where it lies.
    @inline(__always)
    mutating func emit(_ session: SessionPointer, _ bytes: Bytes, _ count: Int) {
        if session.pointee.directCount > 0 {
            if session.pointee.direct.unsafelyUnwrapped + session.pointee.directCount == bytes {
                session.pointee.directCount &+= count
                return
            }
            pool.append(
                &session.pointee.output, session.pointee.direct.unsafelyUnwrapped, session.pointee.directCount)
        }
        session.pointee.direct = bytes
        session.pointee.directCount = count
        markDirty(session)
    }

    mutating func settleDirect(_ session: SessionPointer) {
        if session.pointee.directCount == 0 { return }
        pool.append(&session.pointee.output, session.pointee.direct.unsafelyUnwrapped, session.pointee.directCount)
        session.pointee.directCount = 0
    }

    /// Replies whose turn has come leave the ring; what must wait on is copied out of the arena.
    @inline(never)
    mutating func drainRing(_ session: SessionPointer) {
        while session.pointee.ring.used > 0 {
            guard let slot = session.pointee.ring.slot(session.pointee.sendSequence), slot.pointee.state != .empty
            else { break }
            let state = slot.pointee.state
            if slot.pointee.count > 0 { emit(session, slot.pointee.bytes.unsafelyUnwrapped, slot.pointee.count) }
            if state == .borrowed {
                session.pointee.ring.clear(slot, pool.blocks)
                session.pointee.sendSequence &+= 1
                continue
            }
            settleDirect(session)
            if state == .growing {
                // Its turn has come before its end: the rest goes straight on from here.
                slot.pointee.state = .owned
                session.pointee.ring.clear(slot, pool.blocks)
                session.pointee.isMidReply = true
                break
            }
            session.pointee.ring.clear(slot, pool.blocks)
            session.pointee.sendSequence &+= 1
        }
        if session.pointee.ring.used > 0 {
            session.pointee.ring.settle(from: session.pointee.sendSequence, pool.blocks)
        } else {
            session.pointee.ring.release(pool.blocks)
        }
        // One shard is slow and the others have answered all that was asked behind: that can't be held without end.
        if session.pointee.ring.keptBytes > SessionLimits.outputBytes { close(session) }
    }

    /// Everything that is due leaves in one send; what the socket does not take waits for its next edge.
    mutating func flush(_ session: SessionPointer) {
        if session.pointee.ring.used > 0 {
            drainRing(session)
            if session.pointee.isDead { return }
        }
        let waiting = session.pointee.output.count
        let direct = session.pointee.directCount
        var sent = 0
        if direct > 0 || waiting > 0 {
            let descriptor = session.pointee.descriptor
            if waiting == 0 {
                sent = Sockets.send(descriptor, session.pointee.direct.unsafelyUnwrapped, direct)
            } else if direct == 0 {
                sent = Sockets.send(descriptor, session.pointee.output.first, waiting)
            } else {
                sent = Sockets.send(
                    descriptor, session.pointee.output.first, waiting, session.pointee.direct.unsafelyUnwrapped,
                    direct)
            }
            settle(session, sent: max(0, sent))
        }
        conclude(session, failed: sent < 0 && sent != Int(-EAGAIN))
    }

    /// Forgets what was sent of `output` and `direct`, and keeps the rest. Touches nobody else.
    @inline(__always)
    mutating func settle(_ session: SessionPointer, sent: Int) {
        let waiting = session.pointee.output.count
        let direct = session.pointee.directCount
        session.pointee.directCount = 0
        if waiting > 0 { pool.consume(&session.pointee.output, min(sent, waiting)) }
        let left = waiting &+ direct &- sent
        if left > 0 && direct > 0 { keep(session, min(left, direct), of: direct) }
        session.pointee.largestAnswer = max(session.pointee.largestAnswer, Int32(truncatingIfNeeded: sent))
        session.pointee.database.pointee.statistics.sentBytes &+= UInt64(sent)
    }

    @inline(never)
    private mutating func keep(_ session: SessionPointer, _ left: Int, of direct: Int) {
        pool.append(&session.pointee.output, session.pointee.direct.unsafelyUnwrapped + (direct &- left), left)
    }

    /// What follows from a send, or from there being nothing to send.
    @inline(__always)
    mutating func conclude(_ session: SessionPointer, failed: Bool) {
        if failed { return close(session) }
        if !session.pointee.output.isEmpty && isTooSlow(session) { return close(session) }
        if session.pointee.isParked { unparkIfPossible(session) }
        if session.pointee.isClosing && session.pointee.output.isEmpty && !session.pointee.hasUnanswered
            && session.pointee.details?.execution == nil
        {
            close(session)
        }
    }

    /// A client that leaves its replies lying may ask less at once, and is cut off in the end.
    @inline(never)
    private mutating func isTooSlow(_ session: SessionPointer) -> Bool {
        let backlog = session.pointee.output.count
        if backlog > SessionLimits.backlogBytes { session.pointee.window = max(4, session.pointee.window / 2) }
        return backlog > (session.pointee.isSubscribed ? SessionLimits.messageBytes : SessionLimits.outputBytes)
    }
}
