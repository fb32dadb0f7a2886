package import ClusterModel
package import Primitives

/// Moving one shard to another node, or filling a place that lost its replica. What is under way stands in the
/// database's record (the copy) and in the action's (which shard it replaces), so that any leader goes on with it:
///
/// ```
///  begin ──▶ copying ──── in sync, all proxies know of it ───▶ hold ▶ promote ──▶ surplus ──▶ finishing ──▶ done
///                 ├─────── the shard is no primary ───────────────────────────────▶ (source goes)
///                 └─────── the same, and it confirms writes ─▶ hold ▶ replace ────▶ (source goes)
/// ```
/// Where writes wait for a replica, a shard goes only when all that it may have confirmed is elsewhere: a replica while
/// requests are held, a primary when they go on at the new one, before it follows that (docs/adr/0007).
///
/// Until the roles are swapped it can be cancelled or fails without a trace: the copy goes again.
extension Planner {
    /// - Parameter ignoresRacks: Put it beside another copy's rack if asked to; never on another copy's node.
    /// - Throws: `shard_not_exist`, `node_not_found` (404), `busy`, `db_busy`, `shard_on_node`, `node_not_available`,
    ///   `primary_down` (409), `replication_node_violation`, `rack_awareness_violation`, `insufficient_resources`.
    package static func migrate(
        _ shard: ShardID, to target: NodeID, ignoresRacks: Bool = false, parent: ActionID? = nil,
        in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        guard let (database, source) = state.shard(shard) else {
            throw PlanError("shard_not_exist", status: 404, "There is no shard \(shard).")
        }
        let others = database.copies(of: source.slots).filter { $0.id != shard }
        try checkTarget(target, for: source, of: database, others, ignoresRacks: ignoresRacks, in: state)
        if source.role == .primary, state.nodes[source.node]?.status == .down {
            throw PlanError(
                "primary_down", status: 409,
                "Node \(source.node) of primary \(shard) is down, so there is nothing to copy from. "
                    + (others.isEmpty ? "It has no replica." : "Wait until its replica has taken over."))
        }
        return try addCopy(
            of: source.slots, on: target, replacing: source, of: database, parent: parent, in: state, fresh: fresh,
            now: now)
    }

    /// Makes the replica anew that some slots have lost.
    /// - Parameter lost: The one that is beyond reach; nil: there is none at all.
    package static func rebuildReplica(
        of slots: SlotRange, lost: ShardConfiguration?, on target: NodeID, of database: DatabaseConfiguration,
        in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        try addCopy(
            of: slots, on: target, replacing: lost, of: database, parent: nil, in: state, fresh: fresh, now: now)
    }

    /// Where a copy would go; nil: no node can take it.
    package static func target(
        for slots: SlotRange, leaving source: ShardConfiguration?, of database: DatabaseConfiguration,
        notOn excluded: Set<NodeID> = [], in state: ClusterState
    ) -> NodeID? {
        var placement = Placement(state: state, memoryPerShard: database.policy.memoryLimitPerShard)
        for shard in database.shards where shard.id != source?.id {
            if shard.role == .primary { placement.notePrimary(on: shard.node) }
            if shard.role == .replica { placement.noteReplica(on: shard.node) }
        }
        let others = database.copies(of: slots).filter { $0.id != source?.id }.map(\.node)
        let left = source.map { excluded.union([$0.node]) } ?? excluded
        return placement.placeCopy(besides: others, notOn: left, as: database.policy.placement)
    }

    private static func checkTarget(
        _ id: NodeID, for source: ShardConfiguration, of database: DatabaseConfiguration,
        _ others: [ShardConfiguration], ignoresRacks: Bool, in state: ClusterState
    ) throws(PlanError) {
        guard let target = state.nodes[id] else {
            throw PlanError("node_not_found", status: 404, "There is no node \(id).")
        }
        guard source.node != id else {
            throw PlanError("shard_on_node", status: 409, "Shard \(source.id) is on node \(id) already.")
        }
        guard target.takesShards else {
            throw PlanError(
                "node_not_available", status: 409, "Node \(id) takes no shards now: it \(target.reasonAgainstShards).")
        }
        for other in others {
            guard let node = state.nodes[other.node] else { continue }
            if other.node == id {
                throw PlanError(
                    "replication_node_violation",
                    "Node \(id) has shard \(other.id), another copy of the same slots: both would be lost together.")
            }
            if !ignoresRacks, node.failureDomain == target.failureDomain {
                throw PlanError(
                    "rack_awareness_violation",
                    "Node \(id) is in rack \(target.rackID), as is shard \(other.id), another copy of the same slots.")
            }
        }
        var placement = Placement(state: state, memoryPerShard: database.policy.memoryLimitPerShard)
        let candidate = placement.candidates.first { $0.id == id }
        guard let candidate, placement.isRoomy(candidate) else {
            placement.keep(only: id)
            throw Shortage(placement: placement, replicas: 1).error
        }
    }

    private static func addCopy(
        of slots: SlotRange, on target: NodeID, replacing source: ShardConfiguration?,
        of database: DatabaseConfiguration, parent: ActionID?, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var database = database
        try refuseBusy(database, in: state)
        guard database.status == .active || database.status == .activeChangePending,
            database.transition(of: slots) == nil
        else {
            throw PlanError(
                "db_busy", status: 409, "Database \(database.id) is \(database.status.rawValue); try again in a moment."
            )
        }
        var ports = ShardPorts(state: state)
        let id = head.takeShard()
        let copy = ShardConfiguration(
            id: id, role: .replica, node: target, slots: slots, port: try ports.take(for: id, on: target),
            isCopying: true)
        // A proxy that hasn't heard of the second copy writes to the first without a lease.
        if !database.needsLease { database.isLeased = false }
        let last = database.shards.lastIndex { $0.slots == slots } ?? database.shards.count - 1
        database.shards.insert(copy, at: last + 1)
        database.epoch = head.raiseEpoch()
        database.status = .activeChangePending
        database.changedAt = now
        let action = ActionRecord(
            id: fresh.action, kind: .migrateShard, database: database.id, epoch: database.epoch, status: .pending,
            shard: id, source: source?.id, node: source?.node, parent: parent, createdAt: now, changedAt: now)
        return Plan(
            changes: [.head(head), .database(database), .action(action)], action: action, database: database)
    }

    // MARK: Going on

    /// The copy has everything, or the swap is over: the next phase. Nil when there is nothing to go on with.
    package static func advanceMigration(_ id: ActionID, in state: ClusterState, now: WallTime) -> Plan? {
        guard let (action, database, copy) = migration(id, in: state) else { return nil }
        var next = database
        let source = database.shards.first { $0.id == action.source }
        let transition = database.transition(of: copy.slots)
        if let transition, transition.to == copy.id, transition.phase == .replace {
            next.transitions.removeAll { $0.slots == copy.slots }
        } else if let held = held(source, for: copy, of: database, in: state) {
            guard transition == nil else { return nil }
            if !database.policy.durability.waitsForReplica { fill(copy, in: &next) }
            begin(&next, from: held.id, to: copy.id, isPlanned: true, phase: .hold, now: now)
        } else {
            fill(copy, in: &next)
            if let source {
                guard transition == nil else { return nil }
                next.shards.removeAll { $0.id == source.id }
            }
        }
        guard next != database else { return nil }
        return commit(next, action, in: state, now: now)
    }

    /// The primary whose requests are to be held before the copy takes its place, or that of the replica which confirms
    /// its writes. Nil: nothing has to be held, as for a replica that is lost, or that nobody waits for.
    private static func held(
        _ source: ShardConfiguration?, for copy: ShardConfiguration, of database: DatabaseConfiguration,
        in state: ClusterState
    ) -> ShardConfiguration? {
        guard let source, source.role == .replica else { return source }
        guard database.policy.durability.waitsForReplica, copy.role == .replica,
            state.nodes[source.node].map({ $0.status != .down }) ?? false
        else { return nil }
        return database.primary(of: source)
    }

    /// It counts from now on.
    static func fill(_ copy: ShardConfiguration, in database: inout DatabaseConfiguration) {
        for index in database.shards.indices where database.shards[index].id == copy.id {
            database.shards[index].isCopying = false
        }
    }

    /// The migration that fills this shard, and the one that is to go.
    static func migration(
        to copy: ShardID, of database: DatabaseConfiguration, in state: ClusterState
    ) -> (action: ActionRecord, source: ShardConfiguration)? {
        for action in state.unfinishedActions(of: database.id)
        where action.kind == .migrateShard && action.shard == copy {
            return database.shards.first { $0.id == action.source }.map { (action, $0) }
        }
        return nil
    }

    /// The swap of a migration took too long: lets requests go on at the old primary, and counts it. Nil when it has
    /// gone
    /// further.
    package static func rollBackMigration(
        _ id: ActionID, reason: String, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard let (found, configuration, copy) = migration(id, in: state) else { return nil }
        var (action, database) = (found, configuration)
        guard let index = database.transitions.firstIndex(where: { $0.to == copy.id && $0.phase == .hold })
        else { return nil }
        database.transitions.remove(at: index)
        action.rollbacks += 1
        action.message = reason
        return commit(database, action, in: state, now: now)
    }

    /// Gives a migration up: the copy goes. Nil when it has come too far for that, or has ended.
    package static func abandonMigration(
        _ id: ActionID, reason: String, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard let (found, configuration, copy) = migration(id, in: state) else { return nil }
        var (action, database) = (found, configuration)
        guard copy.role == .replica,
            !database.transitions.contains(where: { $0.to == copy.id && $0.phase == .promote }),
            // The source may have gone by itself; then this is the copy.
            action.source == nil || database.shards.contains(where: { $0.id == action.source })
        else { return nil }
        database.transitions.removeAll { $0.to == copy.id }
        database.shards.removeAll { $0.id == copy.id }
        if database.status == .activeChangePending {
            let others = state.unfinishedActions(of: database.id).contains { $0.id != id }
            database.status = others ? .activeChangePending : .active
        }
        action.status = .failed
        action.message = reason
        return commit(database, action, in: state, now: now)
    }

    /// - Throws: `action_not_exist` (404), `action_ended`, `cannot_cancel` (409).
    package static func cancel(_ id: ActionID, in state: ClusterState, now: WallTime) throws(PlanError) -> Plan {
        guard let action = state.actions[id] else {
            throw PlanError("action_not_exist", status: 404, "There is no action \(id); see GET /v1/actions.")
        }
        guard !action.status.isFinal else {
            throw PlanError(
                "action_ended", status: 409, "Action \(id) has ended: it is \(action.status.rawValue).")
        }
        switch action.kind {
        case .migrateShard:
            if let plan = abandonMigration(id, reason: "cancelled", in: state, now: now) { return plan }
            throw PlanError(
                "cannot_cancel", status: 409, "The shard has been moved already; only its old copy is still to go.")
        case .maintenanceOn, .removeNode: return try cancelNodeAction(action, in: state, now: now)
        case .createDatabase, .updateDatabase, .deleteDatabase, .failover, .switchover, .maintenanceOff:
            throw PlanError(
                "cannot_cancel", status: 409,
                "A \(action.kind.rawValue) can't be cancelled: migrations, drains and removals of nodes can.")
        }
    }

    private static func migration(
        _ id: ActionID, in state: ClusterState
    ) -> (ActionRecord, DatabaseConfiguration, ShardConfiguration)? {
        guard let action = state.actions[id], action.kind == .migrateShard, !action.status.isFinal,
            let database = state.databases[action.database],
            let copy = database.shards.first(where: { $0.id == action.shard })
        else { return nil }
        return (action, database, copy)
    }

    private static func commit(
        _ database: DatabaseConfiguration, _ action: ActionRecord, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var head = state.head else { return nil }
        var (database, action) = (database, action)
        if !database.needsLease { database.isLeased = true }
        database.epoch = head.raiseEpoch()
        database.changedAt = now
        action.epoch = database.epoch
        action.changedAt = now
        if action.status == .pending { action.status = .active }
        return Plan(
            changes: [.head(head), .database(database), .action(action)], action: action, database: database)
    }
}

extension DatabaseConfiguration {
    /// Primary and replicas of the same slots.
    package func copies(of slots: SlotRange) -> [ShardConfiguration] { shards.filter { $0.slots == slots } }
}

extension NodeRecord {
    /// Ends a sentence about why it takes none.
    var reasonAgainstShards: String {
        if isLeaving { return "is being removed" }
        if status != .active { return "is \(status.rawValue)" }
        return maintenance == nil ? "is set not to accept any" : "is in maintenance"
    }
}
