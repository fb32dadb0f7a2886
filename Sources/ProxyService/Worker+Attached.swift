import Glibc
import ProxyCore
import RESP
import Reactor

/// What is taken to a shard before anything else on a new connection, with who gets the replies.
struct Prologue {
    private(set) var bytes: [UInt8] = []
    private(set) var pending: [Pending] = []

    mutating func add(_ words: [String], _ kind: Pending.Kind) { add(words.map { Array($0.utf8) }, kind) }

    mutating func add(_ words: [[UInt8]], _ kind: Pending.Kind) {
        let start = bytes.count
        add { $0.command(words) }
        pending.append(
            Pending(target: nil, sequence: 0, byteCount: bytes.count - start, kind: kind, isWrite: false))
    }

    /// What is answered by messages, not by a reply.
    mutating func add(_ body: (inout ReplyWriter) -> Void) {
        var writer = ReplyWriter()
        body(&writer)
        bytes += writer.bytes
    }
}

/// Upstreams that bring a session what it did not ask for one by one: messages of its channels, commands of MONITOR.
///
/// ```
///   session ── commands ──▶ the lane's upstreams ── replies ──┐
///      │                                                       ├─▶ client, messages only between whole replies
///      └── SUBSCRIBE, MONITOR ──▶ attached upstreams ─ messages ┘   (RESP2: their first byte becomes `*`)
/// ```
/// They speak RESP3 whatever the client does, so a message can't be taken for a reply, and the proxy knows what the
/// session listens to. So the proxy gives the confirmations, with counts over all shards, once every shard concerned
/// has given its own; and after a loss or a change of routes a new upstream is told everything again, without the
/// client noticing more than a gap.
extension Worker {
    mutating func attach(_ session: SessionPointer, to shard: ShardPointer, _ role: Upstream.Role) {
        let upstream = makeUpstream(shard, role, .resp3)
        upstream.pointee.owner = session
        upstream.pointee.confirmationsDue = 1  // Until its prologue tells how many.
        details(session).attached.append(upstream)
        connect(upstream)
    }

    /// Tells a shard over a fresh connection what the owner wants of it.
    func introduce(_ upstream: UpstreamPointer, _ prologue: inout Prologue) {
        guard let session = upstream.pointee.owner else { return }
        switch upstream.pointee.role {
        case .shared, .lent, .witness: break
        case .invalidation:
            prologue.add(["CLIENT", "ID"], .identity)
            upstream.pointee.confirmationsDue = 1
        case .tracking:
            guard let tracking = details(session).tracking else { break }
            let companion = listener(session, upstream.pointee.shard, .invalidation)
            // Without a companion yet: it says so itself when it is there.
            if tracking.redirect != nil && companion?.pointee.confirmationsDue != 0 { break }
            prologue.add(tracking.command(redirect: companion?.pointee.shardClientIdentifier), .login)
        case .monitor:
            prologue.add { $0.command(["MONITOR"]) }
            upstream.pointee.confirmationsDue = 1
        case .subscription:
            var due = 0
            for kind in Subscriptions.Kind.allCases {
                let names = details(session).subscriptions.names(kind).filter {
                    belongs($0, kind, to: upstream.pointee.shard)
                }
                if names.isEmpty { continue }
                due += names.count
                prologue.add { Self.write(kind.subscribe, names, &$0) }
            }
            upstream.pointee.confirmationsDue = due
        }
    }

    static func write(_ command: String, _ names: [[UInt8]], _ writer: inout ReplyWriter) {
        writer.array(1 + names.count)
        writer.bulk(command)
        for name in names { writer.bulk(name) }
    }

    // MARK: Confirmations

    /// The command's answer comes when every shard that was told has confirmed.
    mutating func awaitConfirmations(_ session: SessionPointer, _ reply: [UInt8]) {
        details(session).confirmation = reply
        session.pointee.nextSequence &+= 1
        answerIfConfirmed(session)
    }

    func confirm(_ upstream: UpstreamPointer) {
        upstream.pointee.confirmationsDue = max(0, upstream.pointee.confirmationsDue - 1)
    }

    mutating func answerIfConfirmed(_ session: SessionPointer) {
        guard let details = session.pointee.details, let reply = details.confirmation,
            details.attached.allSatisfy({ $0.pointee.confirmationsDue == 0 })
        else { return }
        details.confirmation = nil
        noteSubscriber(session)
        if session.pointee.isMuted {  // CLIENT REPLY OFF is about replies; these count as messages.
            var copy = reply
            copy.withUnsafeMutableBufferPointer { tell(session, $0.baseAddress!, $0.count) }
            if session.pointee.isDead { return }
            deliver(session, session.pointee.sendSequence, [])
        } else {
            deliver(session, session.pointee.sendSequence, reply)
        }
        if !details.subscriptions.isEmpty { return }
        for upstream in details.attached where upstream.pointee.role == .subscription { detach(upstream) }
    }

    // MARK: What comes

    /// Reads whole messages into a buffer of the upstream's own: they may be larger than the arena.
    mutating func readMessages(_ upstream: UpstreamPointer) {
        while true {
            if upstream.pointee.rest.capacity &- upstream.pointee.rest.end < 4096 {
                pool.makeRoom(&upstream.pointee.rest, max(4096, upstream.pointee.rest.count))
            }
            let room = upstream.pointee.rest.capacity &- upstream.pointee.rest.end
            let target = upstream.pointee.rest.base.unsafelyUnwrapped + upstream.pointee.rest.end
            let received =
                upstream.pointee.tls.map { tls.read($0, target, room) }
                ?? Sockets.receive(upstream.pointee.descriptor, target, room)
            if received <= 0 {
                if received == 0 || received != Int(-EAGAIN) { lose(upstream) }
                return
            }
            upstream.pointee.rest.end &+= received
            takeMessages(upstream)
            if upstream.pointee.isDead || upstream.pointee.descriptor < 0 { return }
            if let owner = upstream.pointee.owner, upstream.pointee.rest.count > SessionLimits.messageBytes {
                return close(owner)
            }
            if received < room && upstream.pointee.tls == nil { return }
        }
    }

    private mutating func takeMessages(_ upstream: UpstreamPointer) {
        while !upstream.pointee.rest.isEmpty {
            let bytes = upstream.pointee.rest.first
            let length = replyLength(bytes, upstream.pointee.rest.count)
            if length <= 0 { return length < 0 ? lose(upstream) : () }
            if !upstream.pointee.pending.isEmpty {
                special(upstream, upstream.pointee.pending.removeFirst(), bytes, length, isLast: true)
            } else if let session = upstream.pointee.owner {
                take(upstream, session, bytes, length)
            }
            if upstream.pointee.isDead || upstream.pointee.descriptor < 0 { return }
            pool.consume(&upstream.pointee.rest, length)
        }
    }

    private mutating func take(
        _ upstream: UpstreamPointer, _ session: SessionPointer, _ bytes: Bytes, _ length: Int
    ) {
        if upstream.pointee.role == .monitor { return takeMonitored(upstream, session, bytes, length) }
        if upstream.pointee.role == .invalidation { return redirectInvalid(upstream, session, bytes, length) }
        // A shard that answers what nobody asked is not to be trusted with the next request.
        guard bytes[0] == UInt8(ascii: ">") else { return lose(upstream) }
        var reader = ReplyReader(bytes, length)
        _ = reader.number()
        guard let kind = reader.bulk() else { return }
        if kind.isWord("message") || kind.isWord("pmessage") || kind.isWord("smessage") {
            if !session.pointee.usesRESP3 { bytes[0] = UInt8(ascii: "*") }
            tell(session, bytes, length)
        } else {
            confirm(upstream)
            answerIfConfirmed(session)
        }
    }

    /// Passes a message on, now or behind the reply that is half gone.
    mutating func tell(_ session: SessionPointer, _ bytes: Bytes, _ length: Int) {
        if session.pointee.isMidReply {
            let details = details(session)
            details.heldPushes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: length))
            if details.heldPushes.count > SessionLimits.messageBytes { close(session) }
            return
        }
        settleDirect(session)
        pool.append(&session.pointee.output, bytes, length)
        markDirty(session)
        if session.pointee.output.count > SessionLimits.messageBytes { close(session) }
    }

    /// The reply is whole.
    mutating func releasePushes(_ session: SessionPointer) {
        guard let details = session.pointee.details, !details.heldPushes.isEmpty else { return }
        settleDirect(session)
        pool.append(&session.pointee.output, details.heldPushes)
        details.heldPushes = []
    }

    // MARK: Loss, routes, end

    /// The connection of a listener is gone: soon there is a new one, which tells the shard everything again.
    mutating func loseListener(_ upstream: UpstreamPointer) {
        disconnect(upstream)
        pool.release(&upstream.pointee.rest)
        pool.release(&upstream.pointee.output)
        while !upstream.pointee.pending.isEmpty { _ = upstream.pointee.pending.removeFirst() }
        upstream.pointee.confirmationsDue = 1
        upstream.pointee.shardClientIdentifier = 0
        upstream.pointee.isBlocked = false
        backOff(upstream)
    }

    /// New routes: listeners go where the messages are now.
    mutating func followRoutes(_ database: DatabasePointer, haveSlotsMoved: Bool) {
        var next = database.pointee.firstSession
        while let session = next {
            next = session.pointee.next
            if database.pointee.shardCount > 1 && session.pointee.lane.databaseIndex > 0 {
                close(session)  // What it selected can't be had on a sharded database.
                continue
            }
            defer { if !session.pointee.isDead && session.pointee.ownUpstreams != nil { moveTracking(session) } }
            guard let details = session.pointee.details, !details.attached.isEmpty else { continue }
            let isScattered = haveSlotsMoved && details.subscriptions.shardChannelCount > 0
            for upstream in details.attached
            where upstream.pointee.shard.pointee.isRetired || isScattered && upstream.pointee.role == .subscription {
                detach(upstream)
            }
            for index in 0..<database.pointee.shardCount {
                let shard = database.pointee.shards[index]
                if details.isMonitor && listener(session, shard, .monitor) == nil {
                    attach(session, to: shard, .monitor)
                }
                if details.tracking?.redirect != nil && listener(session, shard, .invalidation) == nil {
                    attach(session, to: shard, .invalidation)
                }
                if listener(session, shard, .subscription) == nil && isWanted(details.subscriptions, at: shard) {
                    attach(session, to: shard, .subscription)
                }
            }
            answerIfConfirmed(session)
        }
    }

    func listener(_ session: SessionPointer, _ shard: ShardPointer, _ role: Upstream.Role) -> UpstreamPointer? {
        session.pointee.details?.attached.first { $0.pointee.shard == shard && $0.pointee.role == role }
    }

    private func isWanted(_ subscriptions: Subscriptions, at shard: ShardPointer) -> Bool {
        Subscriptions.Kind.allCases.contains { kind in
            subscriptions.names(kind).contains { belongs($0, kind, to: shard) }
        }
    }

    mutating func detach(_ upstream: UpstreamPointer) {
        upstream.pointee.owner?.pointee.details?.attached.removeAll { $0 == upstream }
        abandon(upstream)
    }

    /// The session is reset or gone.
    mutating func endAttached(_ session: SessionPointer) {
        guard let details = session.pointee.details else { return }
        if details.confirmation != nil { session.pointee.sendSequence &+= 1 }
        details.confirmation = nil
        details.subscriptions = Subscriptions()
        if details.isMonitor {
            details.isMonitor = false
            session.pointee.database.pointee.table.shared.monitors.subtract(1, ordering: .relaxed)
        }
        let attached = details.attached
        details.attached = []
        for upstream in attached { abandon(upstream) }
    }
}
