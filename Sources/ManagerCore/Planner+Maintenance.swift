package import ClusterModel
package import Primitives

/// Taking a node out of service and back. Both are actions that begin others (switchovers, migrations), one after the
/// other;
/// ``NodeActionMachine`` says which is next.
extension Planner {
    /// The node takes no new shards from now on, its primaries leave it: to their replicas, or to other nodes where
    /// they have
    /// none. Asked for again, it goes on with what is under way, or takes off what has come since.
    /// - Throws: `node_not_found` (404), `node_down`, `busy`, `no_quorum` (409), `insufficient_resources`.
    package static func beginMaintenance(
        of id: NodeID, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var node = try node(id, in: state)
        if let running = try unfinished(.maintenanceOn, on: node, in: state) {
            return Plan(changes: [], action: running, node: node)
        }
        guard node.status != .down else { throw down(node) }
        try refuseWithoutQuorum(without: node, in: state)
        var record =
            node.maintenance ?? MaintenanceRecord(since: now, acceptedShards: node.acceptsShards)
        let known = Set(record.moved)
        record.moved += primaries(on: id, in: state).map { database, primary in
            MaintenanceRecord.Moved(
                database: database.id, slots: primary.slots,
                hadReplica: successor(of: primary, of: database, in: state) != nil)
        }
        .filter { !known.contains($0) }
        let copies = record.copies ?? []
        let more = strictCopies(on: id, in: state).filter { !copies.contains($0) }
        if !more.isEmpty { record.copies = copies + more }
        node.maintenance = record
        node.acceptsShards = false
        try refuseWithoutRoom(for: primaries(on: id, in: state), leaving: node, in: state)
        _ = head.raiseEpoch()
        return begun(.maintenanceOn, node, head: head, fresh: fresh, now: now)
    }

    /// The node takes shards again, and what ``MaintenanceRecord/moved`` says comes back, as far as it still can.
    /// - Throws: `node_not_found` (404), `node_down`, `busy` (409).
    package static func endMaintenance(
        of id: NodeID, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var node = try node(id, in: state)
        var overtaken: [ActionRecord] = []
        if var drain = unfinishedNodeAction(on: id, in: state), drain.kind == .maintenanceOn {
            drain.status = .failed
            drain.message = "overtaken by maintenance_off"
            drain.changedAt = now
            overtaken = [drain]
        } else if let running = try unfinished(.maintenanceOff, on: node, in: state) {
            return Plan(changes: [], action: running, node: node)
        }
        guard node.status != .down else { throw down(node) }
        if let record = node.maintenance { node.acceptsShards = record.acceptedShards }
        _ = head.raiseEpoch()
        var plan = begun(.maintenanceOff, node, head: head, fresh: fresh, now: now)
        plan.changes += overtaken.map { .action($0) }
        return plan
    }

    /// What came back is there: the node is like any other. Ends the action, too.
    static func maintenanceEnded(
        _ action: ActionRecord, _ message: String, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var head = state.head, let id = action.node, var node = state.nodes[id] else { return nil }
        node.maintenance = nil
        _ = head.raiseEpoch()
        var action = action
        action.status = .completed
        action.progress = 100
        action.message = message
        action.changedAt = now
        return Plan(changes: [.head(head), .node(node), .action(action)], action: action, node: node)
    }

    // MARK: Parts

    static func begun(
        _ kind: ActionRecord.Kind, _ node: NodeRecord, isNodeOff: Bool = false, isForced: Bool = false,
        head: ClusterHead, fresh: Fresh, now: WallTime
    ) -> Plan {
        let action = ActionRecord(
            id: fresh.action, kind: kind, database: .none, epoch: head.epoch, status: .pending, node: node.id,
            isNodeOff: isNodeOff, isForced: isForced, createdAt: now, changedAt: now)
        return Plan(changes: [.head(head), .node(node), .action(action)], action: action, node: node)
    }

    static func node(_ id: NodeID, in state: ClusterState) throws(PlanError) -> NodeRecord {
        guard let node = state.nodes[id] else {
            throw PlanError("node_not_found", status: 404, "There is no node \(id).")
        }
        return node
    }

    /// The action of this kind that is under way on the node; another kind is in the way.
    static func unfinished(
        _ kind: ActionRecord.Kind, on node: NodeRecord, in state: ClusterState
    ) throws(PlanError) -> ActionRecord? {
        guard let running = unfinishedNodeAction(on: node.id, in: state) else { return nil }
        guard running.kind == kind else {
            throw PlanError(
                "busy", status: 409,
                "Node \(node.id) is busy with \(running.kind.rawValue), action \(running.id), "
                    + "\(running.progress) % done. Wait until it has ended, or cancel it.")
        }
        return running
    }

    static func unfinishedNodeAction(on node: NodeID, in state: ClusterState) -> ActionRecord? {
        state.unfinishedActions(of: .none).first { $0.node == node }
    }

    static func down(_ node: NodeRecord) -> PlanError {
        PlanError("node_down", status: 409, "Node \(node.id) is down. Wait until it is back, or remove it.")
    }

    /// Primaries on a node, in order.
    static func primaries(
        on node: NodeID, in state: ClusterState
    ) -> [(database: DatabaseConfiguration, shard: ShardConfiguration)] {
        state.databases.values.sorted { $0.id < $1.id }.filter(\.hasData).flatMap { database in
            database.primaries.filter { $0.node == node }.map { (database, $0) }
        }
    }

    /// The replica that a primary on a node that goes into maintenance hands over to; not one that goes with it.
    static func successor(
        of primary: ShardConfiguration, of database: DatabaseConfiguration, in state: ClusterState
    ) -> ShardConfiguration? {
        database.replicas(of: primary, in: state).first { replica in
            state.nodes[replica.node].map { $0.maintenance == nil && !$0.isLeaving } ?? false
        }
    }

    /// The store needs a majority of its voters while all nodes in maintenance are away together.
    static func refuseWithoutQuorum(without node: NodeRecord, in state: ClusterState) throws(PlanError) {
        let voters = state.sortedNodes.filter { $0.storeRole == .voter }
        let away = voters.filter { $0.id == node.id || $0.status == .down || $0.maintenance != nil }
        guard node.storeRole == .voter, (voters.count - away.count) * 2 <= voters.count else { return }
        let others = away.filter { $0.id != node.id }.map { voter in
            "node \(voter.id) is " + (voter.status == .down ? "down" : "in maintenance")
        }
        let reason = others.isEmpty ? "" : ", as " + others.joined(separator: " and ")
        throw PlanError(
            "no_quorum", status: 409,
            "Without node \(node.id) the cluster's store would have \(voters.count - away.count) of "
                + "\(voters.count) voters left\(reason), and no majority: nothing could be changed and nothing fail "
                + "over. "
                + (others.isEmpty ? "Join more nodes first." : "Bring those back first."))
    }

    /// Deals out what has to be moved, as it will be moved, and says what finds no place.
    static func refuseWithoutRoom(
        for shards: [(database: DatabaseConfiguration, shard: ShardConfiguration)], leaving node: NodeRecord,
        movesAll: Bool = false, in state: ClusterState
    ) throws(PlanError) {
        var rehearsal = state
        rehearsal.apply(.node(node), key: "", revision: state.revision)
        for (database, shard) in shards {
            if !movesAll, successor(of: shard, of: database, in: rehearsal) != nil { continue }
            guard var changed = rehearsal.databases[database.id] else { continue }
            guard let target = target(for: shard.slots, leaving: shard, of: changed, in: rehearsal) else {
                let name = shard.role == .primary ? "shard" : "replica"
                throw PlanError(
                    "insufficient_resources",
                    "No other node can take \(name) \(shard.id) of database \(database.id) (\(database.policy.name)), "
                        + "\(database.policy.memoryLimitPerShard): \(shortage(for: shard, changed, in: rehearsal)) "
                        + "Join a node, let others accept shards, or ask for less memory.")
            }
            for index in changed.shards.indices where changed.shards[index].id == shard.id {
                changed.shards[index].node = target
            }
            rehearsal.apply(.database(changed), key: "", revision: state.revision)
        }
    }

    private static func shortage(
        for shard: ShardConfiguration, _ database: DatabaseConfiguration, in state: ClusterState
    ) -> String {
        let placement = Placement(state: state, memoryPerShard: database.policy.memoryLimitPerShard)
        let others = database.copies(of: shard.slots).filter { $0.id != shard.id }
        let domains = Set(others.compactMap { state.nodes[$0.node]?.failureDomain })
        let free = placement.candidates.filter { candidate in
            state.nodes[candidate.id].map { !domains.contains($0.failureDomain) } ?? false
        }
        guard !free.isEmpty else {
            return others.isEmpty
                ? "no other node takes shards." : "none is left that has no copy of it (nor its rack)."
        }
        return free.map { "node \($0.id) has \(ByteCount(bytes: max(0, $0.capacity - $0.promised))) free" }
            .joined(separator: ", ") + "."
    }
}

extension DatabaseConfiguration {
    /// Its shards are or will be there.
    var hasData: Bool { status != .deletePending && status != .creationFailed }
}
