import CLinux
import Glibc
import ProxyControl
import ProxyCore
import RESP
import Reactor

/// Connections to shards: open and send.
extension Worker {
    private static let connectTimeoutMilliseconds = 3000

    mutating func makeUpstream(_ shard: ShardPointer, _ role: Upstream.Role, _ lane: Lane) -> UpstreamPointer {
        let upstream = UpstreamPointer.allocate(capacity: 1)
        upstream.initialize(to: Upstream(shard: shard, role: role, lane: lane))
        shard.pointee.all.append(upstream)
        if shard.pointee.isHeld && upstream.pointee.isShared {
            upstream.pointee.hold = shard.pointee.isRefusing ? .refusing : .waiting
        }
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
        upstream.pointee.isHungUp = false
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

    /// Goes in front of whatever waits: credentials, version, logical database, and what the role asks for.
    private mutating func logIn(_ upstream: UpstreamPointer) {
        let password = upstream.pointee.shard.pointee.password
        let lane = upstream.pointee.lane
        let credentials = password.isEmpty ? [] : ["AUTH", "proxy", password]
        var prologue = Prologue()
        if lane.usesRESP3 {
            prologue.add(["HELLO", "3"] + credentials, .login)
        } else if !credentials.isEmpty {
            prologue.add(credentials, .login)
        }
        if lane.databaseIndex > 0 { prologue.add(["SELECT", "\(lane.databaseIndex)"], .login) }
        if upstream.pointee.role == .lent { prologue.add(["CLIENT", "ID"], .identity) }
        let durability = upstream.pointee.shard.pointee.database.pointee.table.routes.durability
        if durability.waitsForReplica && !upstream.pointee.isListening {
            prologue.add(Self.processQuestion, .process)
        }
        if upstream.pointee.isAttached { introduce(upstream, &prologue) }
        upstream.pointee.isLoggingIn = lane.databaseIndex > 0
        upstream.pointee.loginBytes = prologue.bytes.count
        if prologue.bytes.isEmpty { return }
        var stream = ByteQueue()
        pool.append(&stream, prologue.bytes)
        if !upstream.pointee.output.isEmpty {
            pool.append(&stream, upstream.pointee.output.first, upstream.pointee.output.count)
            pool.release(&upstream.pointee.output)
        }
        upstream.pointee.output = stream
        for pending in prologue.pending.reversed() { upstream.pointee.pending.prepend(pending) }
    }

    mutating func upstreamEvent(_ upstream: UpstreamPointer, _ event: Poller.Event) {
        if upstream.pointee.state == .connecting {
            continueConnecting(upstream, event)
            if upstream.pointee.state != .ready { return }
        }
        if event.isWritable && (!upstream.pointee.output.isEmpty || upstream.pointee.isBlocked) { markDirty(upstream) }
        // The end may be told together with the last replies, and is told once.
        if event.isHungUp { upstream.pointee.isHungUp = true }
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
        noteBulk()
        if upstream.pointee.state == .idle { connect(upstream) }
        guard upstream.pointee.state == .ready, upstream.pointee.tls == nil, !upstream.pointee.isBlocked,
            !upstream.pointee.isLoggingIn, upstream.pointee.hold == .none,
            restraints.leasedDatabases == 0 || !lacksLease(upstream)
        else {
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
        if !mayLeave(upstream) { return }
        let waiting = upstream.pointee.output.count
        let sent = waiting > 0 ? transmit(upstream, upstream.pointee.output.first, waiting) : 0
        if sent > 0 { consumeSent(upstream, sent) }
        conclude(upstream, isUnsent: sent < waiting, failed: sent < 0 && sent != Int(-EAGAIN))
    }

    /// Looks before anything is sent: what must wait is taken aside, what comes first goes first. May lose it, and
    /// others.
    @inline(__always)
    mutating func mayLeave(_ upstream: UpstreamPointer) -> Bool {
        if upstream.pointee.hold != .none { restrain(upstream) }
        if restraints.leasedDatabases > 0 && !restrainWrites(upstream) { return false }
        if upstream.pointee.state != .ready {
            if upstream.pointee.state == .idle && !upstream.pointee.output.isEmpty {
                connect(upstream)
                if upstream.pointee.state == .ready { return false }  // Listed again, with the login in front.
            }
            if upstream.pointee.output.count > Upstream.blockLimit { upstream.pointee.isBlocked = true }
            return false
        }
        unanswered = max(unanswered, upstream.pointee.pending.count)
        if upstream.pointee.isLoggingIn {
            flushLogin(upstream)
            return false
        }
        return true
    }

    /// What follows from a send.
    @inline(__always)
    mutating func conclude(_ upstream: UpstreamPointer, isUnsent: Bool, failed: Bool) {
        if failed { return lose(upstream) }
        if isUnsent {
            upstream.pointee.isBlocked = true
        } else if upstream.pointee.isBlocked {
            upstream.pointee.isBlocked = false
            if !upstream.pointee.refusals.isEmpty && !upstream.pointee.refusals.isForReplicas { hold(upstream) }
            wakeBlocked()
        }
    }

    private mutating func flushLogin(_ upstream: UpstreamPointer) {
        if upstream.pointee.output.count > Upstream.blockLimit { upstream.pointee.isBlocked = true }
        guard upstream.pointee.loginBytes > 0 else { return }
        let sent = transmit(upstream, upstream.pointee.output.first, upstream.pointee.loginBytes)
        if sent < 0 && sent != Int(-EAGAIN) { return lose(upstream) }
        if sent > 0 {
            upstream.pointee.loginBytes -= sent
            consumeSent(upstream, sent)
        }
    }

    /// The login was answered, to its last command.
    mutating func finishLogin(_ upstream: UpstreamPointer) {
        upstream.pointee.isLoggingIn = false
        markDirty(upstream)
    }

    @inline(__always)
    private mutating func transmit(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Int {
        if let connection = upstream.pointee.tls { return tls.write(connection, bytes, count) }
        return Sockets.send(upstream.pointee.descriptor, bytes, count)
    }
}
