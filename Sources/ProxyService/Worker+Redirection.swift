import ProxyCore
import RESP
import Reactor

/// CLIENT TRACKING … REDIRECT: another client gets the invalidations, over whatever loop and protocol.
///
/// ```
///   session ── reads ──▶ own upstream ──▶ shard: tracks, REDIRECT to the companion
///   session ◀─ companion (attached, RESP3) ◀── invalidate …
///      └── mailbox ──▶ the other client's loop: a push in RESP3, a message of __redis__:invalidate in RESP2
/// ```
extension Worker {
    /// The target must be there now, as in Redis, and each shard needs a connection that gets what it has to tell.
    /// - Returns: Nil when all of this is so; else the command is taken again when it may be.
    mutating func prepareRedirect(_ session: SessionPointer, _ target: Int) -> Step? {
        let details = details(session)
        guard let check = details.redirectCheck, check.identifier == target else {
            _ = askLoops(
                session, .exists(identifier: target), .noteRedirect(identifier: target), only: loop(of: target))
            park(session, untilReplied: true)
            return .parked
        }
        if !check.exists {
            details.redirectCheck = nil
            return reject(session, "ERR The client ID you want redirect to does not exist")
        }
        let database = session.pointee.database
        var isReady = true
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            if listener(session, shard, .invalidation) == nil { attach(session, to: shard, .invalidation) }
            if listener(session, shard, .invalidation)?.pointee.confirmationsDue != 0 { isReady = false }
        }
        if isReady {
            details.redirectCheck = nil
            return nil
        }
        session.pointee.isParked = true
        return .parked
    }

    func loop(of identifier: Int) -> Int { identifier >= 0 ? identifier % loopCount : 0 }

    /// The shard has told what it calls the connection.
    mutating func companionIsReady(_ companion: UpstreamPointer) {
        companion.pointee.confirmationsDue = 0
        guard let session = companion.pointee.owner, let details = session.pointee.details else { return }
        if details.redirectCheck != nil {  // The command that needs it waits.
            if details.attached.allSatisfy({ $0.pointee.confirmationsDue == 0 }) { markReady(session) }
            return
        }
        guard let tracking = details.tracking, tracking.redirect != nil else { return }
        // It is there again: what was redirected to its predecessor is lost.
        for upstream in ownUpstreams(session) where upstream.pointee.shard == companion.pointee.shard {
            if upstream.pointee.descriptor < 0 { continue }
            sendErrand(upstream, tracking.command(redirect: companion.pointee.shardClientIdentifier))
        }
        invalidateEverything(session)
    }

    /// `invalidate` and its keys, from a shard.
    mutating func redirectInvalid(
        _ upstream: UpstreamPointer, _ session: SessionPointer, _ bytes: Bytes, _ length: Int
    ) {
        var reader = ReplyReader(bytes, length)
        _ = reader.number()
        guard let kind = reader.bulk(), kind.isWord("invalidate"), let keys = reader.value(),
            let target = session.pointee.details?.tracking?.redirect
        else { return }
        redirect(session, to: target, keys.bytes)
    }

    /// - Parameter keys: An array, or null for all.
    mutating func redirect(_ session: SessionPointer, to target: Int, _ keys: [UInt8]) {
        let query = ClientQuery(
            database: session.pointee.database.pointee.table.routes.database,
            body: .invalidate(target: target, keys: keys))
        loops[loop(of: target)].post(.query(query, origin: index, ticket: session.pointee.identifier))
    }

    /// In RESP2 only who is subscribed can be told.
    mutating func tellInvalid(_ session: SessionPointer, _ keys: [UInt8]) {
        var writer = ReplyWriter(usesRESP3: session.pointee.usesRESP3)
        if session.pointee.usesRESP3 {
            writer.push(2)
            writer.bulk("invalidate")
            writer.raw(keys)
        } else {
            if !session.pointee.isSubscribed { return }
            writer.array(3)
            writer.bulk("message")
            writer.bulk("__redis__:invalidate")
            if keys.first == UInt8(ascii: "_") { writer.null() } else { writer.raw(keys) }
        }
        var message = writer.bytes
        message.withUnsafeMutableBufferPointer { tell(session, $0.baseAddress!, $0.count) }
    }

    mutating func noteRedirectBroken(_ session: SessionPointer, _ target: Int) {
        guard session.pointee.details?.tracking?.redirect == target else { return }
        session.pointee.details?.tracking?.isRedirectBroken = true
        guard session.pointee.usesRESP3 else { return }
        var writer = ReplyWriter(usesRESP3: true)
        writer.push(2)
        writer.bulk("tracking-redir-broken")
        writer.integer(target)
        var message = writer.bytes
        message.withUnsafeMutableBufferPointer { tell(session, $0.baseAddress!, $0.count) }
    }

    /// A push over the session's own upstream. With a redirection in force it says that a companion is gone, which the
    /// proxy knows itself.
    mutating func takeOwnPush(_ session: SessionPointer, _ bytes: Bytes, _ length: Int) {
        guard let details = session.pointee.details, details.tracking?.redirect == nil else { return }
        // Every shard tells of a FLUSHALL. Once is enough while the session has asked for nothing that it could keep.
        if UnsafeBufferPointer(start: bytes, count: length).elementsEqual(Self.forgetEverything) {
            let number = details.execution?.sequence ?? session.pointee.nextSequence
            if details.forgotAt == number { return }
            details.forgotAt = number
        }
        tell(session, bytes, length)
    }

    /// A request of the proxy's own that concerns this very connection.
    mutating func sendErrand(_ upstream: UpstreamPointer, _ words: [String]) {
        sendErrand(upstream, words.map { Array($0.utf8) })
    }

    mutating func sendErrand(_ upstream: UpstreamPointer, _ words: [[UInt8]]) {
        var writer = ReplyWriter()
        writer.command(words)
        var request = writer.bytes
        upstream.pointee.pending.append(
            Pending(target: nil, sequence: 0, byteCount: request.count, kind: .errand, isWrite: true))
        request.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
    }
}
