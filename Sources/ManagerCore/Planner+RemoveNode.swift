package import ClusterModel
package import Primitives

/// A node leaves the cluster for good: all shards are moved off it, the store does without it, its record goes.
extension Planner {
    /// A node that goes down later is waited for, until its removal is asked for again.
    /// - Parameter isForced: Give up primaries without a second copy on a node that is down now.
    /// - Throws: `node_not_found` (404), `busy`, `last_node`, `no_quorum`, `data_loss` (409),
    ///   `replication_node_violation`, `insufficient_resources`.
    package static func removeNode(
        _ id: NodeID, isForced: Bool = false, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var node = try node(id, in: state)
        var overtaken: [ActionRecord] = []
        if var drain = unfinishedNodeAction(on: id, in: state), drain.kind != .removeNode {
            drain.status = .failed
            drain.message = "overtaken by remove_node"
            drain.changedAt = now
            overtaken = [drain]
        } else if var running = try unfinished(.removeNode, on: node, in: state) {
            let before = running
            running.isNodeOff = running.isNodeOff || node.status == .down
            running.isForced = running.isForced || (isForced && node.status == .down)
            guard running != before else { return Plan(changes: [], action: running, node: node) }
            running.changedAt = now
            return Plan(changes: [.head(head), .action(running)], action: running, node: node)
        }
        guard state.nodes.values.contains(where: { $0.id != id && !$0.isLeaving }) else {
            throw PlanError(
                "last_node", status: 409, "Node \(id) is the last one: uninstall it to give up the whole cluster.")
        }
        try refuseStoreWithoutMajority(without: node, in: state)
        let lost = node.status == .down ? onlyCopies(on: id, in: state) : []
        if !isForced, !lost.isEmpty { throw dataLoss(lost, node) }
        node.isLeaving = true
        node.acceptsShards = false
        if node.status == .active { node.status = .decommissioning }
        // With those that leave already, or the last two to go would wait for each other's room.
        let going = state.sortedNodes.filter { $0.isLeaving && $0.id != id }.map(\.id) + [id]
        try refuseWithoutRoom(
            for: going.flatMap { shards(on: $0, in: state) }, leaving: node, movesAll: true, in: state)
        _ = head.raiseEpoch()
        var plan = begun(
            .removeNode, node, isNodeOff: node.status == .down, isForced: isForced && node.status == .down,
            head: head, fresh: fresh, now: now)
        plan.changes += overtaken.map { .action($0) }
        return plan
    }

    /// The drain or removal stops; what has been moved stays where it is.
    static func cancelNodeAction(
        _ action: ActionRecord, in state: ClusterState, now: WallTime
    ) throws(PlanError) -> Plan {
        stopped(action, "cancelled", head: try head(of: state), in: state, now: now)
    }

    /// Without this a node whose removal has failed would be about to leave for ever.
    static func removalFailed(
        _ action: ActionRecord, _ message: String, in state: ClusterState, now: WallTime
    ) -> Plan? {
        state.head.map { stopped(action, message, head: $0, in: state, now: now) }
    }

    private static func stopped(
        _ action: ActionRecord, _ message: String, head: ClusterHead, in state: ClusterState, now: WallTime
    ) -> Plan {
        var (head, action) = (head, action)
        action.status = .failed
        action.message = message
        action.changedAt = now
        _ = head.raiseEpoch()
        var changes: [StateChange] = [.head(head), .action(action)]
        if action.kind == .removeNode, let id = action.node, var node = state.nodes[id] {
            node.isLeaving = false
            node.acceptsShards = node.maintenance == nil
            if node.status == .decommissioning { node.status = .active }
            changes.append(.node(node))
        }
        return Plan(changes: changes, action: action)
    }

    /// Nothing is on the node any more: its record goes, and every vote of it and about it. Ends the action, too.
    static func nodeRemoved(_ action: ActionRecord, in state: ClusterState, now: WallTime) -> Plan? {
        guard var head = state.head, let id = action.node else { return nil }
        _ = head.raiseEpoch()
        var action = action
        action.status = .completed
        action.progress = 100
        action.message = ""
        action.changedAt = now
        var changes: [StateChange] = [.head(head), .removed(.node(id)), .action(action)]
        for (node, voters) in state.suspicions.sorted(by: { $0.key < $1.key }) {
            for voter in voters.sorted() where node == id || voter == id {
                changes.append(.removed(.suspicion(node, by: voter)))
            }
        }
        return Plan(changes: changes, action: action)
    }

    /// A primary is given up whose only copy is on a node that is down: an empty one takes its place.
    static func replaceLostPrimary(
        _ shard: ShardConfiguration, of database: DatabaseConfiguration, in state: ClusterState, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var next = database
        guard let target = target(for: shard.slots, leaving: shard, of: database, in: state),
            let index = next.shards.firstIndex(where: { $0.id == shard.id })
        else {
            throw PlanError("insufficient_resources", "No node can take the place of shard \(shard.id).")
        }
        var ports = ShardPorts(state: state)
        let id = head.takeShard()
        next.shards[index] = ShardConfiguration(
            id: id, role: .primary, node: target, slots: shard.slots, port: try ports.take(for: id, on: target))
        next.endpoint.nodes = EndpointRules.nodes(for: next.policy.proxyPolicy, shards: next.shards, in: state)
        next.epoch = head.raiseEpoch()
        // Whoever has slept over this must not go on writing to the old one.
        next.fence = next.epoch
        head.fence = next.epoch
        next.changedAt = now
        return Plan(changes: [.head(head), .database(next)], database: next)
    }

    // MARK: Parts

    /// All shards of a node, in order.
    static func shards(
        on node: NodeID, in state: ClusterState
    ) -> [(database: DatabaseConfiguration, shard: ShardConfiguration)] {
        state.databases.values.sorted { $0.id < $1.id }.filter(\.hasData).flatMap { database in
            database.shards.filter { $0.node == node }.map { (database, $0) }
        }
    }

    /// Primaries of a node that nothing else has a whole copy of.
    static func onlyCopies(
        on node: NodeID, in state: ClusterState
    ) -> [(database: DatabaseConfiguration, shard: ShardConfiguration)] {
        primaries(on: node, in: state).filter { database, primary in
            database.replicas(of: primary, in: state).isEmpty
        }
    }

    private static func refuseStoreWithoutMajority(
        without node: NodeRecord, in state: ClusterState
    ) throws(PlanError) {
        let voters = state.sortedNodes.filter { $0.storeRole == .voter }
        let alive = voters.count { $0.status != .down && $0.id != node.id }
        guard node.storeRole == .voter, voters.count > 1, alive * 2 < voters.count else { return }
        throw PlanError(
            "no_quorum", status: 409,
            "Without node \(node.id) the cluster's store would have \(alive) of \(voters.count) voters left: nothing "
                + "could be changed any more. Bring back the nodes that are down first.")
    }

    private static func dataLoss(
        _ lost: [(database: DatabaseConfiguration, shard: ShardConfiguration)], _ node: NodeRecord
    ) -> PlanError {
        let names = lost.map { "shard \($0.shard.id) of database \($0.database.id) (\($0.database.policy.name))" }
        return PlanError(
            "data_loss", status: 409,
            "Node \(node.id) is down and has the only copy of \(names.joined(separator: ", ")). Bring it back, or "
                + "force the removal: then these keys are lost for good.")
    }
}
