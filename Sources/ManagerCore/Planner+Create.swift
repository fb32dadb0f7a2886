package import ClusterModel
package import Primitives

extension Planner {
    /// A new database: places its shards, picks its ports, and starts the action that follows the nodes.
    ///
    /// - Parameter id: Number to use, or nil for the next one.
    /// - Throws: `uid_exists` (409), `name_violation`, `invalid_sharding`, `invalid_shard_key_regex`,
    ///   `port_unavailable`, `replication_node_violation`, `rack_awareness_violation`, `insufficient_resources` and the
    ///   like (406).
    package static func createDatabase(
        _ policy: DatabasePolicy, id: DatabaseID?, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        try refuseTaken(id, in: state)
        try PolicyRules.check(policy, as: nil, in: state)

        var policy = policy
        if policy.password.isEmpty, let password = fresh.databasePassword { policy.password = password }
        let id = head.takeDatabase(id)
        let port = try EndpointRules.port(requested: policy.requestedPort, for: id, in: state)
        var placement = Placement(state: state, memoryPerShard: policy.memoryLimitPerShard)
        let places = try placement.place(
            pairs: policy.shardCount, isReplicated: policy.isReplicated, as: policy.placement)
        let shards = try shards(on: places, head: &head, state: state)
        let database = DatabaseConfiguration(
            id: id, epoch: head.raiseEpoch(), policy: policy, status: .pending, shards: shards,
            endpoint: EndpointConfiguration(
                port: port, nodes: EndpointRules.nodes(for: policy.proxyPolicy, shards: shards, in: state)),
            secrets: fresh.secrets, createdAt: now, changedAt: now)
        try EndpointRules.refuseFull(database.endpoint.nodes, beyond: [], in: state)
        return plan(.createDatabase, database, head: head, action: fresh.action, now: now)
    }

    private static func refuseTaken(_ id: DatabaseID?, in state: ClusterState) throws(PlanError) {
        guard let id else { return }
        guard id.rawValue > 0 else { throw PlanError("invalid_uid", status: 400, "uid must be 1 or more.") }
        if let taken = state.databases[id] {
            throw PlanError("uid_exists", status: 409, "uid \(id) belongs to database \(taken.policy.name).")
        }
    }

    /// Primaries in slot order, each followed by its replica.
    private static func shards(
        on places: [Placement.Place], head: inout ClusterHead, state: ClusterState
    ) throws(PlanError) -> [ShardConfiguration] {
        var ports = ShardPorts(state: state)
        var shards: [ShardConfiguration] = []
        for (place, slots) in zip(places, SlotRange.even(parts: places.count)) {
            let id = head.takeShard()
            shards.append(
                ShardConfiguration(
                    id: id, role: .primary, node: place.primary, slots: slots,
                    port: try ports.take(for: id, on: place.primary)))
            guard let node = place.replica else { continue }
            let replica = head.takeShard()
            shards.append(
                ShardConfiguration(
                    id: replica, role: .replica, node: node, slots: slots,
                    port: try ports.take(for: replica, on: node)))
        }
        return shards
    }
}
