import ProxyCore
import RESP
import Reactor

/// The node's serving lease, for databases whose primaries another node may replace when this one is cut off.
///
/// Without it no write leaves, and no reply to a write that comes is passed on: the write may have been executed by a
/// shard that was no primary any more. The clock is read right before a send and right behind a receive, so that a
/// machine that was suspended in between finds out in time. It may have the lease again by then: that there was a gap
/// is not forgotten, and what was sent before it is not acknowledged.
extension Worker {
    static let cutOffText = "ERR this node is cut off from the cluster; waited 5 s, nothing was written"

    /// Routes came or went.
    mutating func followLease(_ database: DatabasePointer, isNeeded: Bool) {
        if isNeeded == database.pointee.needsLease { return }
        database.pointee.needsLease = isNeeded
        restraints.leasedDatabases += isNeeded ? 1 : -1
        if isNeeded && restraints.leasedDatabases == 1 {
            restraints.hasLapsed = false
            restraints.leaseGaps = lookAtLease().gaps
            checkLease()
        }
        database.pointee.isCutOff = isNeeded && restraints.hasLapsed
        database.pointee.updatePassingTier()
        if !isNeeded {
            giveBackWithheld(database)
            wakeBlocked()
        }
    }

    /// Not while a request is being given to an upstream: this may give it others.
    mutating func checkLease() {
        let (hasLapsed, gaps) = lookAtLease()
        if gaps != restraints.leaseGaps {
            restraints.leaseGaps = gaps
            giveUpWrites()
        }
        if hasLapsed == restraints.hasLapsed { return }
        restraints.hasLapsed = hasLapsed
        restraints.isLapseLong = false
        restraints.lapsedSince = MonotonicClock.milliseconds()
        for database in databases.values where database.pointee.needsLease {
            database.pointee.isCutOff = hasLapsed
            database.pointee.updatePassingTier()
            if !hasLapsed { giveBackWithheld(database) }
        }
        if hasLapsed {
            scheduleCheck(at: restraints.lapsedSince + Self.waitLimitMilliseconds)
        } else {
            wakeBlocked()
        }
    }

    /// Only looks, so it may be asked at any time.
    func lacksLease(_ upstream: UpstreamPointer) -> Bool {
        upstream.pointee.shard.pointee.database.pointee.needsLease && lookAtLease().hasLapsed
    }

    private func lookAtLease() -> (hasLapsed: Bool, gaps: Int64) {
        lease.look(at: MonotonicClock.bootMilliseconds())
    }

    /// There was a gap since the last look: another node may have replaced the primaries that were written to before.
    private mutating func giveUpWrites() {
        for database in databases.values where database.pointee.needsLease {
            let shards =
                (0..<database.pointee.shardCount).map { database.pointee.shards[$0] }
                + (0..<database.pointee.retired.count).map { database.pointee.retired[$0] }
            for shard in shards {
                failWithheld(shard)
                for upstream in upstreams(of: shard) where !upstream.pointee.isDead && upstream.pointee.owesWrite {
                    lose(upstream, repeatsParts: true)
                }
            }
        }
    }

    private mutating func giveBackWithheld(_ database: DatabasePointer) {
        for index in 0..<database.pointee.shardCount where !database.pointee.shards[index].pointee.isHeld {
            for upstream in upstreams(of: database.pointee.shards[index]) { giveBackWithheld(upstream) }
        }
    }

    // MARK: On the way

    /// Writes of a database that is cut off wait in front of it, with what their session sent behind.
    mutating func stopWithoutLease(_ session: SessionPointer, _ info: CommandInfo) -> Step? {
        let isInTransaction = session.pointee.mode.contains(.transaction)
        let isWrite =
            info.handling == .exec ? isInTransaction : info.needsLease && !isInTransaction
        if !isWrite { return nil }
        if restraints.isLapseLong {
            if isInTransaction { discardTransaction(session) }
            return reject(session, Self.cutOffText)
        }
        parkBlocked(session)
        return .parked
    }

    /// A long write that has only begun to come.
    /// - Returns: Nil when it may go on; else how many of its bytes were used.
    mutating func stopStreamWithoutLease(
        _ session: SessionPointer, _ bytes: Bytes, _ count: Int, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Int? {
        if !session.pointee.database.pointee.isCutOff || !info.needsLease { return nil }
        if restraints.isLapseLong { return refuseStream(session, bytes, count, command, Self.cutOffText) }
        parkBlocked(session)
        return 0
    }

    /// Before an upstream sends: takes unsent writes aside, with all behind them.
    ///
    /// Their sessions ask nothing more before they have their replies, so their order holds.
    /// - Returns: False when the upstream was given up: a write was half out, and its end must not follow.
    @inline(never)
    mutating func restrainWrites(_ upstream: UpstreamPointer) -> Bool {
        guard upstream.pointee.shard.pointee.database.pointee.needsLease else { return true }
        checkLease()
        if upstream.pointee.isDead { return false }
        if !restraints.hasLapsed { return true }
        if hasBegunWrite(upstream) {
            lose(upstream)
            return false
        }
        let unsent = takeUnsent(upstream, upstream.pointee.unsentTailFromFirstWrite)
        if restraints.isLapseLong {
            refuseWrites(upstream, unsent.requests, unsent.bytes)
        } else {
            upstream.pointee.withheld.append(unsent.requests, unsent.bytes)
            parkAskers(unsent.requests)
        }
        return true
    }

    /// Whether a write is half out, with more behind it that can't be taken back, perhaps.
    private func hasBegunWrite(_ upstream: UpstreamPointer) -> Bool {
        let tail = upstream.pointee.unsentTail
        var left = upstream.pointee.output.count - tail.byteCount
        var index = upstream.pointee.pending.count - tail.count - 1
        while left > 0 && index >= 0 {
            let request = upstream.pointee.pending[index]
            if request.needsLease { return true }
            left -= Int(request.byteCount)
            index -= 1
        }
        return false
    }

    /// Behind a receive, before anything of it is passed on.
    /// - Returns: True when the upstream was given up, and what came with it.
    @inline(never)
    mutating func cutsOff(_ upstream: UpstreamPointer) -> Bool {
        guard upstream.pointee.shard.pointee.database.pointee.needsLease else { return false }
        checkLease()
        if upstream.pointee.isDead || upstream.pointee.descriptor < 0 { return true }
        guard restraints.hasLapsed, upstream.pointee.owesWrite else { return false }
        lose(upstream, repeatsParts: true)
        return true
    }

    // MARK: Time

    /// Who has waited for the lease in vain is told so; from then on writes are refused at once.
    mutating func checkLapse(_ now: Int) {
        if restraints.leasedDatabases == 0 || !restraints.hasLapsed || restraints.isLapseLong { return }
        let end = restraints.lapsedSince + Self.waitLimitMilliseconds
        if now < end { return scheduleCheck(at: end) }
        restraints.isLapseLong = true
        for database in databases.values where database.pointee.needsLease {
            for index in 0..<database.pointee.shardCount where !database.pointee.shards[index].pointee.isHeld {
                for upstream in upstreams(of: database.pointee.shards[index]) {
                    let withheld = upstream.pointee.withheld.take()
                    refuseWrites(upstream, withheld.requests, withheld.bytes)
                }
            }
        }
        wakeBlocked()
    }

    /// Reads that stood behind writes go on.
    private mutating func refuseWrites(_ upstream: UpstreamPointer, _ requests: [Pending], _ bytes: [UInt8]) {
        var reads: [Pending] = []
        var readBytes: [UInt8] = []
        var offset = 0
        for request in requests {
            let end = offset + Int(request.byteCount)
            if request.needsLease {
                fail(request, Self.cutOffText)
            } else if request.byteCount > 0 {
                reads.append(request)
                readBytes += bytes[offset..<end]
            }
            offset = end
        }
        if !upstream.pointee.isDead { giveUnsent(reads, readBytes, to: upstream) }
    }
}
