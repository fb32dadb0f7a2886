import ClusterModel
import Glibc
import ProxyControl
import ProxyCore
import RESP
import Reactor

/// Databases come, change and go, in the words of the control thread.
extension Worker {
    private static let stopLimitMilliseconds = 5000

    mutating func takeMessages() {
        for message in mailbox.takeAll() {
            switch message {
            case .apply(let table, let listener, let operation):
                endDrain(table.routes.database)
                let database = apply(table, listener)
                if !awaitDrain(database, operation) { control.post(LoopReply(operation: operation)) }
            case .remove(let identifier, let operation):
                endDrain(identifier)
                remove(identifier)
                control.post(LoopReply(operation: operation))
            case .report(let operation):
                let statistics = databases.values.map { database in
                    var statistics = database.pointee.statistics
                    statistics.connections = UInt64(database.pointee.sessionCount)
                    return statistics
                }
                control.post(LoopReply(operation: operation, statistics: statistics))
            case .query(let request, let origin, let ticket): answer(request, origin, ticket)
            case .answer(let ticket, let answer): take(answer, ticket)
            case .leaseReturned: checkLease()
            case .settingsChanged(let request, let error): finishChange(request, error)
            case .stop: stop()
            }
        }
    }

    private mutating func apply(_ table: RouteTable, _ listener: LoopMessage.Listener) -> DatabasePointer {
        let identifier = table.routes.database.rawValue
        let database: DatabasePointer
        if let known = databases[identifier] {
            database = known
            change(database, table)
        } else {
            database = DatabasePointer.allocate(capacity: 1)
            let shards = makeShards(database, table, known: [])
            database.initialize(
                to: Database(table: table, lanes: LaneTable(), shards: shards, now: MonotonicClock.milliseconds()))
            openLane(database, .resp2)
            holdShards(database)
            if database.pointee.limits.idleSeconds > 0 { watchedDatabases += 1 }
            databases[identifier] = database
        }
        followLease(database, isNeeded: table.routes.needsLease)
        switch listener {
        case .keep: break
        case .close: closeListener(database)
        case .replace(let descriptor):
            closeListener(database)
            database.pointee.listener = descriptor
            poller.add(source: descriptor, tag: .listener, database)
        }
        return database
    }

    /// New requests go by the new table at once. Upstreams of shards that stay are kept; the others finish what they
    /// were asked, and what was not sent yet moves to where it belongs now.
    private mutating func change(_ database: DatabasePointer, _ table: RouteTable) {
        let old = (0..<database.pointee.shardCount).map { database.pointee.shards[$0] }
        let shards = makeShards(database, table, known: old)
        let lanes = database.pointee.lanes.open
        let haveSlotsMoved = database.pointee.table.routes.shards.map(\.slots) != table.routes.shards.map(\.slots)
        database.pointee.shards.deallocate()
        database.pointee.table = table
        database.pointee.slots = table.slots
        database.pointee.shards = shards
        database.pointee.shardCount = table.routes.shards.count
        for lane in lanes { fillLane(database, lane) }
        database.pointee.updatePassingTier()
        watchedDatabases -= database.pointee.limits.idleSeconds > 0 ? 1 : 0
        database.pointee.limits = SessionLimits(settings: table.routes.settings)
        watchedDatabases += database.pointee.limits.idleSeconds > 0 ? 1 : 0
        database.pointee.nextShard = 0
        holdShards(database)
        followDurability(database)
        let kept = (0..<database.pointee.shardCount).map { shards[$0] }
        let leaving = old.filter { !kept.contains($0) }
        for shard in leaving {
            endBlockingCalls(shard)
            shard.pointee.isRetired = true
        }
        for shard in leaving { release(shard) }
        followRoutes(database, haveSlotsMoved: haveSlotsMoved)
        fenceRetired(database)
        for shard in leaving { retire(shard) }
        releaseShards(database)
        if kept == old { return }
        // The new shards' server may be another one. Not before: what was moved to them was still looked up.
        database.pointee.version = nil
        forgetLearned(database)
    }

    private func forgetLearned(_ database: DatabasePointer) {
        guard let learned = database.pointee.learned else { return }
        for session in sessions(of: database) { session.pointee.lastCommand = nil }  // It may be one of these.
        learned.deallocate()
        database.pointee.learned = nil
    }

    private mutating func makeShards(
        _ database: DatabasePointer, _ table: RouteTable, known: [ShardPointer]
    ) -> UnsafeMutablePointer<ShardPointer> {
        let routes = table.routes
        let count = routes.shards.count
        let shards = UnsafeMutablePointer<ShardPointer>.allocate(capacity: count)
        for (index, route) in routes.shards.enumerated() {
            let same = known.first { shard in
                shard.pointee.identifier == route.shard && shard.pointee.address == route.address
                    && shard.pointee.password == routes.shardPassword
            }
            let shard = same ?? makeShard(database, route, routes.shardPassword)
            shard.pointee.firstSlot = Int(route.slots.first)
            if same == nil, let before = known.first(where: { $0.pointee.firstSlot == shard.pointee.firstSlot }) {
                shard.pointee.durability.confirmedAt = before.pointee.durability.confirmedAt
            }
            shards[index] = shard
        }
        return shards
    }

    private mutating func makeShard(
        _ database: DatabasePointer, _ route: ShardRoute, _ password: String
    ) -> ShardPointer {
        let shard = ShardPointer.allocate(capacity: 1)
        shard.initialize(
            to: Shard(identifier: route.shard, address: route.address, password: password, database: database))
        return shard
    }

    /// For the first session of its kind.
    mutating func openLane(_ database: DatabasePointer, _ lane: Lane) {
        if !database.pointee.lanes.isOpen(lane) { fillLane(database, lane) }
    }

    private mutating func fillLane(_ database: DatabasePointer, _ lane: Lane) {
        let count = database.pointee.shardCount
        let upstreams = UnsafeMutablePointer<UpstreamPointer>.allocate(capacity: count)
        for index in 0..<count {
            let shard = database.pointee.shards[index]
            let upstream = shard.pointee.shared[lane] ?? makeUpstream(shard, .shared, lane)
            shard.pointee.shared[lane] = upstream
            upstreams[index] = upstream
        }
        database.pointee.lanes.set(lane, upstreams)
    }

    /// From now on the session's requests go this way.
    /// - Precondition: Nothing of it is unanswered.
    mutating func enter(_ session: SessionPointer, _ lane: Lane) {
        openLane(session.pointee.database, lane)
        session.pointee.lane = lane
    }

    private mutating func retire(_ shard: ShardPointer) {
        let database = shard.pointee.database
        database.pointee.retired.append(shard)
        if database.pointee.table.routes.fenced.contains(shard.pointee.identifier) { return fence(shard) }
        var index = shard.pointee.all.count - 1
        while index >= 0 {
            let upstream = shard.pointee.all[index]
            let isWitness = upstream.pointee.role == .witness
            upstream.pointee.isRetired = !isWitness
            // A lent one stays with its session until that gives it back, a witness while something may need it.
            if !isWitness && (upstream.pointee.owner == nil || upstream.pointee.isShared) {
                parkAskers(upstream)
                reroute(upstream)
            } else {
                for request in upstream.pointee.withheld.take().requests { fail(request, Self.cutOffText) }
            }
            index -= 1
            index = min(index, shard.pointee.all.count - 1)
        }
        dismissWitness(shard)
    }

    private mutating func remove(_ identifier: DatabaseID) {
        guard let database = databases.removeValue(forKey: identifier.rawValue) else { return }
        endPause(database)
        followLease(database, isNeeded: false)
        if database.pointee.limits.idleSeconds > 0 { watchedDatabases -= 1 }
        closeListener(database)
        database.pointee.isRemoved = true
        while let session = database.pointee.firstSession { close(session) }
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            while shard.pointee.all.count > 0 { abandon(shard.pointee.all[0]) }
        }
        while database.pointee.retired.count > 0 {
            let shard = database.pointee.retired[0]
            while shard.pointee.all.count > 0 { abandon(shard.pointee.all[0]) }
        }
        removedDatabases.append(database)
    }

    /// After the burial nothing names the removed databases any more.
    mutating func freeRemovedDatabases() {
        for database in removedDatabases {
            for index in 0..<database.pointee.shardCount { free(database.pointee.shards[index]) }
            database.pointee.retired.deallocate()
            database.pointee.lanes.deallocate()
            database.pointee.shards.deallocate()
            database.pointee.learned?.deallocate()
            database.deinitialize(count: 1)
            database.deallocate()
        }
        removedDatabases = []
    }

    mutating func free(_ shard: ShardPointer) {
        shard.pointee.durability.replies.release(&pool)
        shard.pointee.all.deallocate()
        shard.pointee.idle.deallocate()
        shard.deinitialize(count: 1)
        shard.deallocate()
    }

    private mutating func closeListener(_ database: DatabasePointer) {
        if database.pointee.listener >= 0 { Glibc.close(database.pointee.listener) }
        database.pointee.listener = -1
        if database.pointee.acceptsAgainAt > 0 { watchedDatabases -= 1 }
        database.pointee.acceptsAgainAt = 0
    }

    private mutating func stop() {
        isStopping = true
        stopDeadline = MonotonicClock.milliseconds() + Self.stopLimitMilliseconds
        for database in databases.values {
            closeListener(database)
            var session = database.pointee.firstSession
            while let current = session {
                session = current.pointee.next
                closeWhenDone(current)
            }
        }
    }
}
