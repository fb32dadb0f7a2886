import ProxyCore
import RESP

/// WAIT: how many replicas have what this session wrote.
///
/// A redis-server counts from the last write of the connection that asks, and sessions don't write over connections of
/// their own. So each shard is asked over a lent one, behind a write that every replica gets and no client sees: a
/// message to a sharded channel that nobody has. What the session wrote was answered before, so it lies in front of
/// that.
extension Worker {
    private static let fence = Array("*3\r\n$8\r\nSPUBLISH\r\n$13\r\n__tarn:wait__\r\n$0\r\n\r\n".utf8)

    mutating func wait(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand) -> Step {
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        let arguments = ArgumentCursor.all(bytes, command)
        guard arguments[1].integer != nil else { return reject(session, "ERR value is not an integer or out of range") }
        guard let timeout = arguments[2].integer else {
            return reject(session, "ERR timeout is not an integer or out of range")
        }
        if timeout < 0 { return reject(session, "ERR timeout is negative") }
        let database = session.pointee.database
        for index in 0..<database.pointee.shardCount {
            if let step = stopAtHeld(session, database.pointee.shards[index]) { return step }
        }
        let request = ByteSpan(start: bytes, count: command.byteCount).bytes
        let gather = makeGather(session, .minimum, database.pointee.shardCount)
        for index in 0..<database.pointee.shardCount {
            let upstream = borrow(database.pointee.shards[index], for: session)
            details(session).lent.append(upstream)
            upstream.pointee.pending.append(
                Pending(target: nil, sequence: 0, byteCount: Self.fence.count, kind: .discard, isWrite: false))
            var fence = Self.fence
            fence.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
            ask(gather, index, upstream, request, isWrite: false)
        }
        return .nextAfterReplies
    }

    /// The answers are there.
    mutating func giveBackLent(_ session: SessionPointer) {
        guard let details = session.pointee.details, !details.lent.isEmpty else { return }
        let lent = details.lent
        details.lent = []
        for upstream in lent { giveBack(upstream) }
    }

    /// Nobody waits for the answers any more.
    mutating func abandonLent(_ session: SessionPointer) {
        guard let details = session.pointee.details, !details.lent.isEmpty else { return }
        let lent = details.lent
        details.lent = []
        for upstream in lent { abandon(upstream) }
    }
}
