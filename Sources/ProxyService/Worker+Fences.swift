import ProxyCore
import Reactor

/// Fenced shards: a failover has taken them out of the routes, and nothing that they still say is believed.
///
/// Their connections are closed at once. What was sent and not answered ends as after a loss: writes with an error,
/// since they may have been executed; reads go to the successor, and so does what was not sent. What was answered and
/// is withheld ends like the writes: the successor was a replica, but which of them it has nobody says.
extension Worker {
    /// - Precondition: It is not in the routes.
    mutating func fence(_ shard: ShardPointer) {
        failWithheld(shard)
        for upstream in upstreams(of: shard) where !upstream.pointee.isDead {
            upstream.pointee.isRetired = true
            if upstream.pointee.isListening || upstream.pointee.role == .witness {
                abandon(upstream)
            } else if upstream.pointee.isShared {
                lose(upstream, repeatsParts: true)
            } else {
                fenceLent(upstream)
            }
        }
    }

    /// Shards that left the routes before and still owe replies.
    mutating func fenceRetired(_ database: DatabasePointer) {
        let fenced = database.pointee.table.routes.fenced
        if fenced.isEmpty { return }
        let retired = (0..<database.pointee.retired.count).map { database.pointee.retired[$0] }
        for shard in retired where fenced.contains(shard.pointee.identifier) { fence(shard) }
    }

    private mutating func fenceLent(_ upstream: UpstreamPointer) {
        guard let session = upstream.pointee.owner, session.pointee.details?.blockingCall != nil,
            !upstream.pointee.isStreamingReply, let call = lastPending(upstream), call.kind == .session,
            !call.isWrite || upstream.pointee.unsentTail.count > 0
        else { return lose(upstream) }
        // It took nothing: the session waits on where the routes lead now.
        upstream.pointee.owner = nil
        session.pointee.pinned = nil
        destroy(upstream)
        repetitions.append(Repetition(session: session, at: MonotonicClock.milliseconds()))
    }

    private func lastPending(_ upstream: UpstreamPointer) -> Pending? {
        let count = upstream.pointee.pending.count
        return count > 0 ? upstream.pointee.pending[count - 1] : nil
    }
}
