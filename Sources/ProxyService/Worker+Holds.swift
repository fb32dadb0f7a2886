import ClusterModel
import ProxyCore
import RESP
import Reactor

/// Held shards: nothing more is sent to them, what was sent is let finish, and then the routes count as applied.
///
/// ```
///   routes hold a shard ─▶ gate shut, unsent requests aside ─▶ what was sent is answered ─▶ applied
///   newer routes        ─▶ requests go where these lead ─▶ gate open, sessions go on
/// ```
/// Sessions are parked in front of the gate (``mustPark(_:_:)``), with their requests in their own buffers, or unread.
/// What got past them is taken aside when the upstream would send it. All of it waits five seconds at most.
extension Worker {
    static let heldText = "ERR waited 5 s for the shard, which is being moved; the command was not sent"
    private static let streamText =
        "ERR the command took more than a second to arrive while its shard was being moved; it was not executed"
    /// How often a shard is told to end what waits at it, and its last streams are looked at.
    private static let drainMilliseconds = 20
    /// For the rest of a large request that is on its way.
    private static let streamMilliseconds = 1000

    /// Shuts the gates of shards that the new routes hold, before anything is moved to them.
    mutating func holdShards(_ database: DatabasePointer) {
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            if shard.pointee.isHeld || !isToBeHeld(shard, database) { continue }
            shard.pointee.heldSince = MonotonicClock.milliseconds()
            for upstream in upstreams(of: shard) where upstream.pointee.isShared { shut(upstream) }
            endBlockingCalls(shard)
            scheduleCheck(at: MonotonicClock.milliseconds() + Self.drainMilliseconds)
        }
    }

    /// Opens the gates of shards that the new routes hold no more.
    mutating func releaseShards(_ database: DatabasePointer) {
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            if shard.pointee.isHeld && !isToBeHeld(shard, database) { release(shard) }
        }
    }

    private func isToBeHeld(_ shard: ShardPointer, _ database: DatabasePointer) -> Bool {
        let routes = database.pointee.table.routes.shards
        return routes.indices.contains { routes[$0].isHeld && database.pointee.shards[$0] == shard }
    }

    /// Requests that waited go where the routes lead now, in their order; sessions go on in this turn.
    mutating func release(_ shard: ShardPointer) {
        if !shard.pointee.isHeld { return }
        shard.pointee.heldSince = 0
        shard.pointee.isRefusing = false
        for upstream in upstreams(of: shard) where !upstream.pointee.isDead {
            upstream.pointee.hold = .none
            if !shard.pointee.isRetired { giveBackWithheld(upstream) }
        }
        wakeBlocked()
    }

    /// What was withheld, as if it had just come.
    mutating func giveBackWithheld(_ upstream: UpstreamPointer) {
        if upstream.pointee.isDead { return }
        let withheld = upstream.pointee.withheld.take()
        if upstream.pointee.isShared {
            move(withheld.requests, withheld.bytes, from: upstream)
            // A script's; its successor has the rest.
            if upstream.pointee.isRetired && upstream.pointee.pending.isEmpty { destroy(upstream) }
        } else {
            giveUnsent(withheld.requests, withheld.bytes, to: upstream)
        }
    }

    mutating func giveUnsent(_ requests: [Pending], _ bytes: [UInt8], to upstream: UpstreamPointer) {
        if requests.isEmpty { return }
        for request in requests { upstream.pointee.pending.append(request) }
        pool.append(&upstream.pointee.output, bytes)
        markDirty(upstream)
    }

    /// A list of its own, since upstreams may end while it is gone through.
    func upstreams(of shard: ShardPointer) -> [UpstreamPointer] {
        (0..<shard.pointee.all.count).map { shard.pointee.all[$0] }
    }

    private mutating func shut(_ upstream: UpstreamPointer) {
        upstream.pointee.hold = .waiting
        // Else what their sessions have under way is waited for first (``probe(_:_:)``).
        if !upstream.pointee.refusals.isForReplicas || upstream.pointee.refusals.isReady(upstream.pointee.pending) {
            let refused = upstream.pointee.refusals.take()
            upstream.pointee.withheld.append(refused.requests, refused.bytes)
        }
        restrain(upstream)
        if upstream.pointee.state == .waiting && upstream.pointee.descriptor >= 0 { upstream.pointee.state = .ready }
        markDirty(upstream)
    }

    // MARK: At the gate

    /// For what goes another way than ``mustPark(_:_:)``.
    /// - Returns: Nil when the shard is not held.
    mutating func stopAtHeld(_ session: SessionPointer, _ shard: ShardPointer) -> Step? {
        if !shard.pointee.isHeld { return nil }
        if shard.pointee.isRefusing { return reject(session, Self.heldText) }
        parkBlocked(session)
        return .parked
    }

    /// Takes aside what the upstream would send and must not, or answers it with an error if that has gone on too long.
    @inline(never)
    mutating func restrain(_ upstream: UpstreamPointer) {
        let unsent = takeUnsent(upstream, upstream.pointee.unsentTail)
        if upstream.pointee.hold == .refusing {
            for request in unsent.requests { fail(request, Self.heldText) }
        } else {
            upstream.pointee.withheld.append(unsent.requests, unsent.bytes)
        }
    }

    /// After a loss: what comes again was asked before whatever is withheld.
    mutating func restrainLost(_ upstream: UpstreamPointer) {
        if upstream.pointee.hold == .refusing { return restrain(upstream) }
        let unsent = takeUnsent(upstream, upstream.pointee.unsentTail)
        upstream.pointee.withheld.prepend(unsent.requests, unsent.bytes)
    }

    /// Takes requests out of the end of the stream.
    mutating func takeUnsent(
        _ upstream: UpstreamPointer, _ tail: (count: Int, byteCount: Int)
    ) -> (requests: [Pending], bytes: [UInt8]) {
        if tail.count == 0 { return ([], []) }
        let end = upstream.pointee.pending.count
        let requests = ((end - tail.count)..<end).map { upstream.pointee.pending[$0] }
        let start = upstream.pointee.output.first + (upstream.pointee.output.count - tail.byteCount)
        let bytes = Array(UnsafeBufferPointer(start: start, count: tail.byteCount))
        upstream.pointee.pending.removeLast(tail.count)
        upstream.pointee.output.end -= tail.byteCount
        if upstream.pointee.output.isEmpty { pool.release(&upstream.pointee.output) }
        return (requests, bytes)
    }

    // MARK: Applied

    /// - Returns: False when the loop has done its part at once.
    mutating func awaitDrain(_ database: DatabasePointer, _ operation: Int) -> Bool {
        guard isOwing(database) else { return false }
        let identifier = database.pointee.table.routes.database
        restraints.drains.append(Restraints.Drain(database: identifier, operation: operation))
        return true
    }

    private func isOwing(_ database: DatabasePointer) -> Bool {
        for index in 0..<database.pointee.shardCount where database.pointee.shards[index].pointee.isHeld {
            let shard = database.pointee.shards[index]
            // Once it is no primary nobody can say any more whether a replica has them.
            if !shard.pointee.durability.replies.isEmpty { return true }
            for position in 0..<shard.pointee.all.count where shard.pointee.all[position].pointee.owesReply {
                return true
            }
        }
        return false
    }

    /// At the end of a turn.
    mutating func answerDrains() {
        var left: [Restraints.Drain] = []
        for drain in restraints.drains {
            if let database = databases[drain.database.rawValue], isOwing(database) {
                left.append(drain)
            } else {
                control.post(LoopReply(operation: drain.operation))
            }
        }
        restraints.drains = left
    }

    /// Newer routes, or none any more: what the older ones held was not drained, and is not said to be.
    mutating func endDrain(_ database: DatabaseID) {
        restraints.drains.removeAll { drain in
            guard drain.database == database else { return false }
            control.post(LoopReply(operation: drain.operation, isSuperseded: true))
            return true
        }
    }

    // MARK: Time

    mutating func scheduleCheck(at time: Int) { restraints.nextCheck = min(restraints.nextCheck, time) }

    mutating func checkRestraints() {
        let now = MonotonicClock.milliseconds()
        if now < restraints.nextCheck { return }
        restraints.nextCheck = Int.max
        for database in databases.values {
            for index in 0..<database.pointee.shardCount where database.pointee.shards[index].pointee.isHeld {
                checkHold(database.pointee.shards[index], now)
            }
        }
        checkLapse(now)
        if !restraints.drains.isEmpty { scheduleCheck(at: now + Self.drainMilliseconds) }
    }

    private mutating func checkHold(_ shard: ShardPointer, _ now: Int) {
        let waited = now - shard.pointee.heldSince
        if !restraints.drains.isEmpty {
            endBlockingCalls(shard)
            if waited >= Self.streamMilliseconds { endStreams(shard) }
        }
        if shard.pointee.isRefusing { return }
        if waited < Self.waitLimitMilliseconds {
            return scheduleCheck(at: shard.pointee.heldSince + Self.waitLimitMilliseconds)
        }
        shard.pointee.isRefusing = true
        for upstream in upstreams(of: shard) where upstream.pointee.isShared && !upstream.pointee.isDead {
            upstream.pointee.hold = .refusing
            for request in upstream.pointee.withheld.take().requests { fail(request, Self.heldText) }
        }
        wakeBlocked()
    }

    /// A client may stop in the middle of a large request for as long as it likes; the shard can't wait for it.
    private mutating func endStreams(_ shard: ShardPointer) {
        for upstream in upstreams(of: shard) where upstream.pointee.role == .lent && !upstream.pointee.isDead {
            guard let session = upstream.pointee.owner, session.pointee.streamUpstream == upstream else { continue }
            session.pointee.streamUpstream = nil  // The rest of the request is dropped when it comes.
            upstream.pointee.owner = nil
            failAll(upstream, Self.streamText)
            destroy(upstream)
        }
    }
}
