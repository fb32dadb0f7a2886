package import ClusterModel
package import Primitives

/// Failover: a primary was lost, or can't be reached, and its replica takes its place. Any node may commit these.
extension Planner {
    /// Swaps the roles of a primary and its replica under a new epoch and fences the old primary. The replica is
    /// promoted by its node when ``PromotionGate`` opens; until ``endTransition(of:to:in:now:)`` requests are held.
    ///
    /// Runs beside an unfinished create or update of the database (a dead primary can't wait for it), whose action
    /// goes on towards the newer epoch. A report of an earlier life is refused: the shard is no longer primary.
    /// - Throws: `shard_not_exist` (404), `shard_is_slave`, `invalid_replication`, `db_busy` (409).
    package static func failOver(
        _ shard: ShardID, to replica: ShardID, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var database = try swapped(shard, replica, in: state)
        begin(&database, from: shard, to: replica, isPlanned: false, phase: .promote, now: now)
        database.epoch = head.raiseEpoch()
        fence(&database, [shard], head: &head)
        return changed(&database, .failover, head: head, fresh: fresh, now: now)
    }

    /// Fails over every primary of one database whose node is down, each to the replica that `choice` names. Nil when
    /// there is none that has one; then what was lost is down until its node comes back.
    /// - Parameter choice: The most advanced replica of a primary; nil: none can be had.
    package static func failOverLost(
        of id: DatabaseID, to choice: (ShardConfiguration) -> ShardID?, in state: ClusterState, fresh: Fresh,
        now: WallTime
    ) -> Plan? {
        guard var head = state.head, var database = state.databases[id], database.status != .deletePending,
            database.isLeased
        else { return nil }
        var lost: [ShardID] = []
        for primary in database.primaries where state.nodes[primary.node]?.status == .down {
            guard let replica = choice(primary), swap(primary.id, replica, in: &database) else { continue }
            begin(&database, from: primary.id, to: replica, isPlanned: false, phase: .promote, now: now)
            lost.append(primary.id)
        }
        guard !lost.isEmpty else { return nil }
        database.endpoint.nodes = EndpointRules.nodes(
            for: database.policy.proxyPolicy, shards: database.shards, in: state)
        database.epoch = head.raiseEpoch()
        fence(&database, lost, head: &head)
        return changed(&database, .failover, head: head, fresh: fresh, now: now)
    }

    private static func fence(
        _ database: inout DatabaseConfiguration, _ shards: [ShardID], head: inout ClusterHead
    ) {
        for index in database.shards.indices where shards.contains(database.shards[index].id) {
            database.shards[index].isFenced = true
        }
        database.fence = database.epoch
        head.fence = database.epoch
    }

    /// Every node, those that are down included, has confirmed that its proxy routes by `epoch`, or doesn't serve the
    /// database: from now on its primaries can be replaced. Nil when that is known, or the epoch is another one by now.
    package static func noteLeased(
        _ id: DatabaseID, by epoch: Epoch, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard let head = state.head, var database = state.databases[id], !database.isLeased, database.epoch == epoch
        else { return nil }
        database.isLeased = true
        database.changedAt = now
        return Plan(changes: [.head(head), .database(database)], database: database)
    }

    // MARK: Planned

    /// Begins a planned change of a primary: proxies hold its requests. ``promoteHeld(of:to:drainedAt:in:now:)`` goes
    /// on when all have and the replica has everything; ``rollBack(of:to:in:now:)`` when that takes too long.
    /// - Throws: As ``failOver(_:to:in:fresh:now:)``, and `replica_down` (409), `db_busy` while it changes already.
    package static func switchOver(
        _ shard: ShardID, to replica: ShardID, parent: ActionID? = nil, in state: ClusterState, fresh: Fresh,
        now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        let target = try swapped(shard, replica, in: state).shards.first { $0.id == replica }
        guard let found = state.shard(shard) else { throw PlanError("shard_not_exist", status: 404, "It is gone.") }
        var database = found.database
        guard database.status == .active || database.status == .activeChangePending else {
            throw PlanError("db_busy", status: 409, "Database \(database.id) is \(database.status.rawValue).")
        }
        guard database.transition(of: found.shard.slots) == nil else {
            throw PlanError("db_busy", status: 409, "The primary of shard \(shard) is being changed already.")
        }
        // The copy gets its data from the replica, and would be attached to the primary that this one becomes.
        if database.policy.durability.waitsForReplica,
            let copy = database.copies(of: found.shard.slots).first(where: \.isCopying)
        {
            throw PlanError(
                "db_busy", status: 409,
                "Shard \(copy.id) is being filled from replica \(replica). Wait until that has ended, or cancel it.")
        }
        if let node = target?.node, state.nodes[node]?.status == .down {
            throw PlanError("replica_down", status: 409, "Node \(node) of replica \(replica) is down.")
        }
        begin(&database, from: shard, to: replica, isPlanned: true, phase: .hold, now: now)
        database.epoch = head.raiseEpoch()
        return changed(&database, .switchover, head: head, shard: replica, parent: parent, fresh: fresh, now: now)
    }

    /// All proxies hold and the replica has all that the primary was sent: swaps the roles, or takes the place of a
    /// replica. Nil when there is nothing held.
    /// - Parameter epoch: The one that the proxies confirmed; with any other the hold isn't the same (nil).
    package static func promoteHeld(
        of id: DatabaseID, to replica: ShardID, drainedAt epoch: Epoch, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var head = state.head, var database = state.databases[id], database.epoch == epoch,
            let index = database.transitions.firstIndex(where: { $0.to == replica && $0.phase == .hold }),
            let copy = database.shards.first(where: { $0.id == replica })
        else { return nil }
        let replaced = migration(to: replica, of: database, in: state)?.source
        fill(copy, in: &database)
        if let replaced, replaced.role == .replica {
            database.shards.removeAll { $0.id == replaced.id }
            database.transitions[index].phase = .replace
        } else {
            guard swap(database.transitions[index].from, replica, in: &database) else { return nil }
            database.transitions[index].phase = .promote
        }
        return advanced(&database, head: &head, now: now)
    }

    /// Gives up a planned change that still holds, and with it its action. Nil when it has gone further or ended.
    package static func rollBack(
        of id: DatabaseID, to replica: ShardID, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var head = state.head, var database = state.databases[id],
            let index = database.transitions.firstIndex(where: { $0.to == replica && $0.phase == .hold })
        else { return nil }
        database.transitions.remove(at: index)
        let unfinished = state.unfinishedActions(of: id)
        // Or it would be called completed as soon as the nodes have released what they held.
        let given = unfinished.filter { $0.kind == .switchover && $0.shard == replica }
        if given.count == unfinished.count, database.status == .activeChangePending { database.status = .active }
        var plan = advanced(&database, head: &head, now: now)
        for var action in given {
            action.status = .failed
            action.message = "rolled back: \(action.message.isEmpty ? "it took too long" : action.message)"
            action.changedAt = now
            plan.changes.append(.action(action))
        }
        return plan
    }

    /// The new primary is one: proxies let requests go. Nil when that is done already.
    ///
    /// Where writes wait for a replica, a primary that has moved goes with the same plan: as a replica of the new one
    /// it would confirm what the other replica lacks, and be gone a moment later.
    package static func endTransition(
        of id: DatabaseID, to primary: ShardID, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var head = state.head, var database = state.databases[id],
            let index = database.transitions.firstIndex(where: { $0.to == primary && $0.phase == .promote })
        else { return nil }
        let transition = database.transitions.remove(at: index)
        guard transition.isPlanned, database.policy.durability.waitsForReplica,
            let move = migration(to: primary, of: database, in: state), move.source.id == transition.from
        else { return advanced(&database, head: &head, now: now) }
        database.shards.removeAll { $0.id == move.source.id }
        var plan = advanced(&database, head: &head, now: now)
        var action = move.action
        action.epoch = database.epoch
        action.changedAt = now
        plan.changes.append(.action(action))
        return plan
    }

    // MARK: Parts
    // An endpoint that moves with its primary (`single`, `all-master-shards`) does so when the transition has ended,
    // see ``rebindEndpoints(in:now:)``: the proxy that holds requests is the one to answer them.

    private static func swapped(
        _ shard: ShardID, _ replica: ShardID, in state: ClusterState
    ) throws(PlanError) -> DatabaseConfiguration {
        guard let found = state.shard(shard) else {
            throw PlanError("shard_not_exist", status: 404, "There is no shard \(shard).")
        }
        guard found.shard.role == .primary else {
            throw PlanError("shard_is_slave", status: 409, "Shard \(shard) is a replica; only a primary fails over.")
        }
        guard found.database.status != .deletePending else {
            throw PlanError("db_busy", status: 409, "Database \(found.database.id) is being deleted.")
        }
        guard found.database.isLeased else {
            throw PlanError(
                "replica_new", status: 409,
                "Replicas were added to database \(found.database.id), and not every node has confirmed that it knows.")
        }
        var database = found.database
        if database.shards.contains(where: { $0.id == replica && $0.isCopying }) {
            throw PlanError(
                "replica_not_synced", status: 409,
                "Shard \(replica) is being filled by a migration. Wait until that has ended.")
        }
        guard swap(shard, replica, in: &database) else {
            throw PlanError("invalid_replication", status: 409, "Shard \(replica) is not a replica of \(shard).")
        }
        return database
    }

    /// False when they are no primary and its replica.
    private static func swap(_ old: ShardID, _ new: ShardID, in database: inout DatabaseConfiguration) -> Bool {
        guard let from = database.shards.firstIndex(where: { $0.id == old && $0.role == .primary }),
            let to = database.shards.firstIndex(where: {
                $0.id == new && $0.role == .replica && !$0.isCopying && $0.slots == database.shards[from].slots
            })
        else { return false }
        database.shards[from].role = .replica
        database.shards[to].role = .primary
        database.shards[to].isFenced = false
        return true
    }

    /// Takes the place of whatever was under way for these slots.
    static func begin(
        _ database: inout DatabaseConfiguration, from: ShardID, to: ShardID, isPlanned: Bool,
        phase: ShardTransition.Phase, now: WallTime
    ) {
        guard let slots = database.shards.first(where: { $0.id == to })?.slots else { return }
        database.transitions.removeAll { $0.slots == slots }
        database.transitions.append(
            ShardTransition(slots: slots, from: from, to: to, isPlanned: isPlanned, phase: phase, since: now))
    }

    static func changed(
        _ database: inout DatabaseConfiguration, _ kind: ActionRecord.Kind, head: ClusterHead, shard: ShardID? = nil,
        parent: ActionID? = nil, fresh: Fresh, now: WallTime
    ) -> Plan {
        if database.status == .active { database.status = .activeChangePending }
        database.changedAt = now
        return plan(kind, database, head: head, action: fresh.action, shard: shard, parent: parent, now: now)
    }

    static func advanced(
        _ database: inout DatabaseConfiguration, head: inout ClusterHead, now: WallTime
    ) -> Plan {
        database.epoch = head.raiseEpoch()
        database.changedAt = now
        return Plan(changes: [.head(head), .database(database)], database: database)
    }
}
