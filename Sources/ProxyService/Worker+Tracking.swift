import ProxyCore
import RESP
import Reactor

/// CLIENT TRACKING: a tracked session has upstreams of its own for all its requests, so that each shard knows what it
/// read, and sends the invalidations over the same connection.
extension Worker {
    mutating func track(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        let details = details(session)
        if arguments[2].isWord("off") {
            endTracking(session)
            answer(session, Self.ok)
            return .next
        }
        let before = details.tracking
        let tracking: Tracking
        switch Tracking.parse(arguments.map(\.bytes), after: before) {
        case .failure(let refusal): return reject(session, refusal.text)
        case .success(let parsed): tracking = parsed
        }
        if details.isWatching { return reject(session, "ERR UNWATCH before CLIENT TRACKING") }
        if let target = tracking.redirect, let step = prepareRedirect(session, target) { return step }
        details.tracking = tracking
        let isNew = session.pointee.ownUpstreams == nil
        if isNew { session.pointee.ownUpstreams = makeOwnUpstreams(session, known: []) }
        let database = session.pointee.database
        let gather = makeGather(session, .fixed(Self.ok), database.pointee.shardCount)
        for index in 0..<database.pointee.shardCount {
            let companion = listener(session, database.pointee.shards[index], .invalidation)
            let redirect = tracking.redirect == nil ? nil : companion?.pointee.shardClientIdentifier
            // A new upstream's prologue switches tracking on. In force at every shard before the client is told so.
            let words =
                isNew ? [Array("ROLE".utf8)] : tracking.command(redirect: redirect, known: before?.prefixes ?? [])
            var writer = ReplyWriter()
            writer.command(words)
            ask(gather, index, sharedUpstream(session, index), writer.bytes, isWrite: true)
        }
        return .nextAfterReplies
    }

    private mutating func makeOwnUpstreams(
        _ session: SessionPointer, known: [UpstreamPointer]
    ) -> UnsafeMutablePointer<UpstreamPointer> {
        let database = session.pointee.database
        let upstreams = UnsafeMutablePointer<UpstreamPointer>.allocate(capacity: database.pointee.shardCount)
        details(session).ownCount = database.pointee.shardCount
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            if let same = known.first(where: { $0.pointee.shard == shard }) {
                upstreams[index] = same
                continue
            }
            upstreams[index] = makeUpstream(shard, .tracking, session.pointee.lane)
            upstreams[index].pointee.owner = session
            connect(upstreams[index])
        }
        return upstreams
    }

    /// The session is untracked, reset or gone.
    mutating func endTracking(_ session: SessionPointer) {
        session.pointee.details?.tracking = nil
        session.pointee.details?.redirectCheck = nil
        for upstream in session.pointee.details?.attached ?? [] where upstream.pointee.role == .invalidation {
            detach(upstream)
        }
        session.pointee.mode.remove(.caching)
        guard let own = session.pointee.ownUpstreams else { return }
        session.pointee.ownUpstreams = nil
        for upstream in ownList(session, own) { abandon(upstream) }
        own.deallocate()
    }

    /// Those of shards that have left the routes meanwhile are not among them: they end by themselves.
    func ownUpstreams(_ session: SessionPointer) -> [UpstreamPointer] {
        session.pointee.ownUpstreams.map { ownList(session, $0) } ?? []
    }

    func ownList(
        _ session: SessionPointer, _ own: UnsafeMutablePointer<UpstreamPointer>
    ) -> [UpstreamPointer] {
        (0..<(session.pointee.details?.ownCount ?? 0)).map { own[$0] }
    }

    /// New routes. Upstreams of shards that stay are kept; what others tracked is lost, and the client is told so.
    mutating func moveTracking(_ session: SessionPointer) {
        guard let old = session.pointee.ownUpstreams else { return }
        let known = ownList(session, old)
        old.deallocate()
        session.pointee.ownUpstreams = makeOwnUpstreams(session, known: known)
        if known.contains(where: { $0.pointee.shard.pointee.isRetired }) { invalidateEverything(session) }
    }

    /// The session speaks another version of the protocol now. Its upstreams change with it, since new ones would
    /// forget what was read.
    mutating func changeOwnUpstreams(_ session: SessionPointer, _ lane: Lane) {
        guard let own = session.pointee.ownUpstreams else { return }
        for upstream in ownList(session, own) {
            upstream.pointee.lane = lane
            if upstream.pointee.descriptor >= 0 { sendErrand(upstream, ["HELLO", lane.usesRESP3 ? "3" : "2"]) }
        }
    }

    static let forgetEverything = Array(">2\r\n$10\r\ninvalidate\r\n_\r\n".utf8)

    /// Nobody knows what was tracked: as after FLUSHALL, the client has to forget all it keeps.
    mutating func invalidateEverything(_ session: SessionPointer) {
        if let target = session.pointee.details?.tracking?.redirect {
            return redirect(session, to: target, Array("_\r\n".utf8))
        }
        guard session.pointee.usesRESP3 else { return }  // Nor was it told anything before.
        var message = Self.forgetEverything
        message.withUnsafeMutableBufferPointer { tell(session, $0.baseAddress!, $0.count) }
    }

    /// A push in the stream of replies.
    /// - Returns: Its length; 0 when it is not whole; nil when the upstream was given up.
    mutating func takePush(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) -> Int? {
        guard upstream.pointee.role == .tracking, bytes[0] == UInt8(ascii: ">") else {
            // A shard that answers what nobody asked is not to be trusted with the next request.
            lose(upstream)
            return nil
        }
        let length = replyLength(bytes, count)
        if length > 0 {
            if let owner = upstream.pointee.owner { takeOwnPush(owner, bytes, length) }
        } else if length < 0 || count > Self.pushLimit {
            lose(upstream)  // Nonsense; or a monstrous key: "forget everything" is shorter.
            return nil
        }
        return upstream.pointee.isDead ? nil : length
    }

    /// Less than what the arena always has room for.
    private static var pushLimit: Int { 512 << 10 }

    // MARK: CLIENT CACHING

    mutating func caching(_ session: SessionPointer, _ argument: ByteSpan) -> Step {
        guard let tracking = session.pointee.details?.tracking, tracking.isOptIn || tracking.isOptOut else {
            return reject(
                session,
                "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
                    + "enabled")
        }
        if argument.isWord("yes") {
            guard tracking.isOptIn else {
                return reject(
                    session, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
            }
        } else if argument.isWord("no") {
            guard tracking.isOptOut else {
                return reject(
                    session, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
            }
        } else {
            return reject(session, "ERR syntax error")
        }
        session.pointee.mode.insert(.caching)
        answer(session, Array("+OK\r\n".utf8))
        return .next
    }

    /// CLIENT CACHING counts for the next command of a connection, so it goes to the shard right in front of that.
    @inline(__always)
    mutating func sendCaching(_ session: SessionPointer, _ upstream: UpstreamPointer) {
        if session.pointee.mode.contains(.caching) { sendCachingNow(session, upstream) }
    }

    @inline(never)
    private mutating func sendCachingNow(_ session: SessionPointer, _ upstream: UpstreamPointer) {
        guard let tracking = session.pointee.details?.tracking else { return }
        var writer = ReplyWriter()
        writer.command(["CLIENT", "CACHING", tracking.isOptIn ? "YES" : "NO"])
        upstream.pointee.pending.append(
            Pending(target: nil, sequence: 0, byteCount: writer.bytes.count, kind: .discard, isWrite: true))
        var request = writer.bytes
        request.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
    }

    mutating func answerTrackingInfo(_ session: SessionPointer) {
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        let tracking = session.pointee.details?.tracking
        let flags = tracking?.flags(cachingNext: session.pointee.mode.contains(.caching)) ?? ["off"]
        writer.map(pairs: 3)
        writer.bulk("flags")
        writer.set(flags.count)
        for flag in flags { writer.bulk(flag) }
        writer.bulk("redirect")
        writer.integer(tracking.map { $0.redirect ?? 0 } ?? -1)
        writer.bulk("prefixes")
        let prefixes = tracking?.sortedPrefixes ?? []
        writer.array(prefixes.count)
        for prefix in prefixes { writer.bulk(prefix) }
        answer(session, writer.bytes)
    }
}
