import ProxyCore
import RESP
import Reactor

/// Shards that decline writes because they lack replicas, until one is in step again.
///
/// They go on taking everything else, so their upstreams go on too. Only who asked for a write waits, and asks nothing
/// more before it has its replies: its order holds. Of what waits one request is sent now and then, alone; when
/// it is taken the others follow.
/// ```
///   sessions ── writes ──▶ shard ──▶ NOREPLICAS ──▶ [ w1 w2 r3 w4 … ]   2 s at most
///            ── reads ───▶       ──▶ replies        │ every 5 ... 25 ms
///                          shard ◀── w1 alone ◀─────┘
///                                ──▶ +OK: w2 r3 w4 … follow
/// ```
extension Worker {
    mutating func probeLater(_ upstream: UpstreamPointer) {
        if upstream.pointee.refusals.isProbing { return }
        let now = MonotonicClock.milliseconds()
        upstream.pointee.retryAt = now + upstream.pointee.refusals.delay(now: now)
        listForTime(upstream)
    }

    /// - Precondition: The upstream is ready, and something was declined.
    mutating func probe(_ upstream: UpstreamPointer, _ now: Int) {
        upstream.pointee.retryAt = now + 5
        if !upstream.pointee.refusals.isForReplicas { return }  // In the middle of a request; ``hold(_:)`` follows.
        if now >= upstream.pointee.refusals.deadline { return giveUpRefused(upstream) }
        if upstream.pointee.refusals.isProbing { return }
        if upstream.pointee.isRetired || upstream.pointee.hold != .none || !upstream.pointee.withheld.isEmpty {
            if upstream.pointee.refusals.isReady(upstream.pointee.pending) { passOnRefused(upstream) }
            return
        }
        guard let first = upstream.pointee.refusals.takeProbe(upstream.pointee.pending) else { return }
        giveUnsent(first.requests, first.bytes, to: upstream)
    }

    /// It is no more this upstream that asks, or something else is waited for.
    private mutating func passOnRefused(_ upstream: UpstreamPointer) {
        let refused = upstream.pointee.refusals.take()
        if upstream.pointee.isRetired {
            move(refused.requests, refused.bytes, from: upstream)
            if upstream.pointee.pending.isEmpty && upstream.pointee.withheld.isEmpty { destroy(upstream) }
        } else {
            upstream.pointee.withheld.prepend(refused.requests, refused.bytes)
        }
    }

    /// They have waited in vain. Reads behind them go on.
    mutating func giveUpRefused(_ upstream: UpstreamPointer) {
        let given = upstream.pointee.refusals.giveUp(upstream.pointee.pending)
        for (request, error) in given.failed { fail(request, String(decoding: error, as: UTF8.self)) }
        if upstream.pointee.isDead { return }
        if upstream.pointee.isRetired {
            move(given.reads, given.bytes, from: upstream)
            if upstream.pointee.pending.isEmpty && upstream.pointee.withheld.isEmpty { destroy(upstream) }
        } else {
            giveFirst(given.reads, given.bytes, to: upstream)
        }
    }

    /// An answer has come, not a refusal, while requests wait that were declined.
    ///
    /// - Parameter answered: As for ``repeatLater(_:_:_:answered:_:_:)``.
    /// - Returns: True when the request is a read behind a declined one of its session, and will be asked behind it.
    mutating func isAskedAgain(_ upstream: UpstreamPointer, _ pending: Pending, answered: Int) -> Bool {
        if upstream.pointee.refusals.endProbe(pending) {
            upstream.pointee.refusals.noteExecuted()
            let goesOn = upstream.pointee.state == .ready && !upstream.pointee.isRetired
            if goesOn && upstream.pointee.refusals.isForReplicas {
                let ready = upstream.pointee.refusals.takeReady(upstream.pointee.pending)
                giveUnsent(ready.requests, ready.bytes, to: upstream)
            }
        }
        guard let session = asker(of: pending),
            upstream.pointee.refusals.holdsEarlier(of: session, than: pending.sequence)
        else { return false }
        if !pending.isWrite, !upstream.pointee.refusals.isFull,
            let request = copy(of: pending, upstream, answered: answered)
        {
            upstream.pointee.refusals.add(read: pending, request, of: session, end: upstream.pointee.pending.endNumber)
            return true
        }
        endRefused(upstream, of: session, before: pending.sequence)
        return false
    }

    /// What was sent is lost, and may have been executed: what was declined in front of it must not come later.
    mutating func endOvertaken(_ upstream: UpstreamPointer) {
        if upstream.pointee.refusals.isEmpty { return }
        let count = upstream.pointee.pending.count - upstream.pointee.unsentTail.count
        let lost = (0..<count).map { upstream.pointee.pending[$0] }.filter { $0.isWrite }
        for request in lost {
            if let session = asker(of: request) { endRefused(upstream, of: session, before: request.sequence) }
        }
    }

    private mutating func endRefused(
        _ upstream: UpstreamPointer, of session: SessionPointer, before sequence: UInt32
    ) {
        for (request, error) in upstream.pointee.refusals.take(of: session, before: sequence) {
            fail(request, String(decoding: error, as: UTF8.self))
        }
    }
}
