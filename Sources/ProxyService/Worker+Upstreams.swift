import CLinux
import Glibc
import ProxyControl
import ProxyCore
import RESP
import Reactor

/// Connections to shards: open, send, read.
extension Worker {
    private static let connectTimeoutMilliseconds = 3000

    mutating func makeUpstream(_ shard: ShardPointer, isShared: Bool, usesRESP3: Bool) -> UpstreamPointer {
        let upstream = UpstreamPointer.allocate(capacity: 1)
        upstream.initialize(to: Upstream(shard: shard, isShared: isShared, usesRESP3: usesRESP3))
        shard.pointee.all.append(upstream)
        return upstream
    }

    /// Opens the socket. The login goes first in the stream, before whatever waits already.
    mutating func connect(_ upstream: UpstreamPointer) {
        let shard = upstream.pointee.shard
        var isRemote = false
        let descriptor: Int32
        switch shard.pointee.address {
        case .local(let path): descriptor = Sockets.connect(path: path)
        case .remote(let host, let port):
            isRemote = true
            descriptor = Sockets.connect(host: host, port: port)
            if descriptor >= 0 {
                upstream.pointee.tls = tls.open(descriptor, host: host)
                if upstream.pointee.tls == nil {
                    Glibc.close(descriptor)
                    return backOff(upstream)
                }
            }
        }
        guard descriptor >= 0 else { return backOff(upstream) }
        upstream.pointee.descriptor = descriptor
        logIn(upstream)
        upstream.pointee.state = isRemote ? .connecting : .ready
        if !isRemote { upstream.pointee.backoffMilliseconds = 0 }
        if isRemote {
            upstream.pointee.connectDeadline = MonotonicClock.milliseconds() + Self.connectTimeoutMilliseconds
            listForTime(upstream)
        }
        if !poller.add(connection: descriptor, tag: .upstream, upstream) { return lose(upstream) }
        markDirty(upstream)
    }

    private mutating func logIn(_ upstream: UpstreamPointer) {
        let password = upstream.pointee.shard.pointee.password
        let usesRESP3 = upstream.pointee.usesRESP3
        if password.isEmpty && !usesRESP3 { return }
        var writer = ReplyWriter()
        let credentials = password.isEmpty ? [] : ["AUTH", "proxy", password]
        writer.command(usesRESP3 ? ["HELLO", "3"] + credentials : credentials)
        var stream = ByteQueue()
        pool.append(&stream, writer.bytes)
        if !upstream.pointee.output.isEmpty {
            pool.append(&stream, upstream.pointee.output.first, upstream.pointee.output.count)
            pool.release(&upstream.pointee.output)
        }
        upstream.pointee.output = stream
        upstream.pointee.pending.prepend(
            Pending(target: nil, sequence: 0, byteCount: writer.bytes.count, kind: .login, isWrite: false))
    }

    mutating func upstreamEvent(_ upstream: UpstreamPointer, _ event: Poller.Event) {
        if upstream.pointee.state == .connecting {
            continueConnecting(upstream, event)
            if upstream.pointee.state != .ready { return }
        }
        if event.isWritable && (!upstream.pointee.output.isEmpty || upstream.pointee.isBlocked) { markDirty(upstream) }
        if event.isReadable || event.isHungUp { read(upstream) }
    }

    private mutating func continueConnecting(_ upstream: UpstreamPointer, _ event: Poller.Event) {
        if event.isBroken { return lose(upstream) }
        guard let connection = upstream.pointee.tls else { return }
        switch tls.shakeHands(connection) {
        case .done:
            upstream.pointee.state = .ready
            markDirty(upstream)
        case .again: break
        case .failed(let reason):
            log("TLS to shard \(upstream.pointee.shard.pointee.identifier) failed: \(reason)")
            lose(upstream)
        }
    }

    // MARK: Sending

    /// A long piece goes straight to the socket, behind what waits, in one call; the rest is kept.
    @inline(never)
    mutating func sendLarge(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) {
        if upstream.pointee.state == .idle { connect(upstream) }
        guard upstream.pointee.state == .ready, upstream.pointee.tls == nil, !upstream.pointee.isBlocked else {
            pool.append(&upstream.pointee.output, bytes, count)
            if upstream.pointee.output.count > Upstream.blockLimit { upstream.pointee.isBlocked = true }
            markDirty(upstream)
            return
        }
        let waiting = upstream.pointee.output.count
        let descriptor = upstream.pointee.descriptor
        let sent =
            waiting == 0
            ? Sockets.send(descriptor, bytes, count)
            : Sockets.send(descriptor, upstream.pointee.output.first, waiting, bytes, count)
        let taken = max(0, sent)
        if upstream.pointee.isShared {  // Copying it for a repetition would cost what this path saves.
            upstream.pointee.sentUnanswered &+= taken
            pool.release(&upstream.pointee.sent)
        }
        if waiting > 0 && taken > 0 { pool.consume(&upstream.pointee.output, min(taken, waiting)) }
        let directTaken = max(0, taken - waiting)
        if directTaken < count {
            pool.append(&upstream.pointee.output, bytes + directTaken, count - directTaken)
            upstream.pointee.isBlocked = true
        }
        // An error shows again at the flush, where no caller holds on to the upstream.
        if sent < 0 && sent != Int(-EAGAIN) { markDirty(upstream) }
    }

    mutating func flush(_ upstream: UpstreamPointer) {
        if upstream.pointee.state != .ready {
            if upstream.pointee.state == .idle && !upstream.pointee.output.isEmpty {
                connect(upstream)
                if upstream.pointee.state == .ready { return }  // It is on the list again, with the login in front.
            }
            if upstream.pointee.output.count > Upstream.blockLimit { upstream.pointee.isBlocked = true }
            return
        }
        let waiting = upstream.pointee.output.count
        if waiting > 0 {
            let sent = transmit(upstream, upstream.pointee.output.first, waiting)
            if sent > 0 { consumeSent(upstream, sent) }
            if sent < waiting {
                if sent < 0 && sent != Int(-EAGAIN) { return lose(upstream) }
                upstream.pointee.isBlocked = true
                return
            }
        }
        if upstream.pointee.isBlocked {
            upstream.pointee.isBlocked = false
            if !upstream.pointee.refusals.isEmpty { hold(upstream) }
            wakeBlocked()
        }
    }

    @inline(__always)
    private mutating func transmit(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Int {
        if let connection = upstream.pointee.tls { return tls.write(connection, bytes, count) }
        return Sockets.send(upstream.pointee.descriptor, bytes, count)
    }

    // MARK: Reading

    mutating func read(_ upstream: UpstreamPointer) {
        while true {
            let kept = upstream.pointee.rest.count
            if Self.arenaBytes &- arenaUsed < Self.minimumReadBytes &+ kept {
                flushSessions()
                arenaUsed = 0
            }
            let buffer = arena + arenaUsed
            if kept > 0 {
                buffer.update(from: upstream.pointee.rest.first, count: kept)
                pool.release(&upstream.pointee.rest)
            }
            let wanted = min(256 << 10, Self.arenaBytes &- arenaUsed &- kept)
            let received: Int
            if let connection = upstream.pointee.tls {
                received = tls.read(connection, buffer + kept, wanted)
            } else {
                received = Sockets.receive(upstream.pointee.descriptor, buffer + kept, wanted)
            }
            if received <= 0 {
                if kept > 0 { pool.append(&upstream.pointee.rest, buffer, kept) }
                if received == 0 || received != Int(-EAGAIN) { lose(upstream) }
                return
            }
            let filled = kept &+ received
            arenaUsed &+= filled
            let used = takeReplies(upstream, buffer, filled)
            if upstream.pointee.isDead { return }
            if used < filled { pool.append(&upstream.pointee.rest, buffer + used, filled &- used) }
            if received < wanted && upstream.pointee.tls == nil { break }
        }
        if upstream.pointee.isRetired && upstream.pointee.pending.isEmpty { destroy(upstream) }
    }

    /// - Returns: How many bytes were used; the rest is half a reply of less than a chunk.
    private mutating func takeReplies(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Int {
        var index = 0
        var answered = 0
        defer { if upstream.pointee.isShared { forgetSent(upstream, answered) } }
        if upstream.pointee.isStreamingReply {
            index = continueReply(upstream, bytes, count)
            if upstream.pointee.isStreamingReply { return index }
        }
        while index < count {
            if upstream.pointee.pending.isEmpty {
                return takePushes(upstream, bytes, index, count)
            }
            let length = replyLength(bytes + index, count &- index)
            if length == 0 {
                if count &- index < BufferPool.chunkBytes { break }
                upstream.pointee.streamed = upstream.pointee.pending.removeFirst()
                answered &+= Int(upstream.pointee.streamed.byteCount)
                upstream.pointee.progress = ReplyProgress()
                upstream.pointee.isStreamingReply = true
                return index + continueReply(upstream, bytes + index, count &- index)
            }
            let pending = upstream.pointee.pending.removeFirst()
            answered &+= Int(pending.byteCount)
            if bytes[index] == UInt8(ascii: "-"), Refusals.isRefusal(bytes + index, length),
                repeatLater(upstream, pending, answered: answered, bytes + index, length)
            {
                index &+= length
                continue
            }
            if pending.kind == .session {
                deliver(
                    pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self), pending.sequence,
                    bytes + index, length)
            } else {
                special(upstream, pending, bytes + index, length, isLast: true)
                if upstream.pointee.isDead || upstream.pointee.descriptor < 0 { return count }
            }
            index &+= length
        }
        return index
    }

    private mutating func continueReply(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Int {
        let step = upstream.pointee.progress.advance(bytes, count)
        let pending = upstream.pointee.streamed
        if step.isComplete { upstream.pointee.isStreamingReply = false }
        if step.taken == 0 && !step.isComplete { return 0 }
        if pending.kind == .session {
            deliverPiece(
                pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self), pending.sequence, bytes,
                step.taken, isLast: step.isComplete)
        } else {
            special(upstream, pending, bytes, step.taken, isLast: step.isComplete)
        }
        return step.taken
    }

    /// Replies that no client gets as they are.
    @inline(never)
    private mutating func special(
        _ upstream: UpstreamPointer, _ pending: Pending, _ bytes: Bytes, _ count: Int, isLast: Bool
    ) {
        switch pending.kind {
        case .session, .discard: break
        case .login:
            upstream.pointee.backoffMilliseconds = 0
            if bytes[0] == UInt8(ascii: "-") {
                log("shard \(upstream.pointee.shard.pointee.identifier) refused the proxy's login")
                failAll(upstream, "ERR the shard refused the proxy's login")
                lose(upstream)
            }
        case .part:
            let reference = Unmanaged<Gather>.fromOpaque(pending.target.unsafelyUnwrapped)
            let gather = reference.takeUnretainedValue()
            gather.add(Int(pending.part), bytes, count)
            if isLast {
                if gather.finishPart() { complete(gather) }
                reference.release()
            }
        }
    }
}
