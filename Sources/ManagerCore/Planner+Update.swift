package import ClusterModel
package import Primitives

extension Planner {
    /// Changes a database to a new policy. Nothing that differs: a plan without changes.
    ///
    /// Shards stay where they are; replicas are added or dropped. A change of the number of shards or of the port is
    /// refused.
    /// - Throws: `db_not_exist` (404), `busy`, `shard_key_regex_fixed` (409), `not_supported` (501), and what a create
    ///   throws.
    package static func updateDatabase(
        _ id: DatabaseID, to policy: DatabasePolicy, in state: ClusterState, fresh: Fresh, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        var database = try database(id, in: state)
        try refuseBusy(database, in: state)
        try refuseUnchangeable(database)
        let policy = try settled(policy, for: database)
        guard policy != database.policy else { return Plan(changes: [], database: database) }
        try PolicyRules.check(policy, as: id, in: state)

        let old = database
        database.policy = policy
        try rearrange(&database, from: old, head: &head, in: state)
        database.endpoint.nodes = EndpointRules.nodes(for: policy.proxyPolicy, shards: database.shards, in: state)
        try EndpointRules.refuseFull(database.endpoint.nodes, beyond: old.endpoint.nodes, in: state)
        database.epoch = head.raiseEpoch()
        database.status = .activeChangePending
        database.changedAt = now
        return plan(.updateDatabase, database, head: head, action: fresh.action, now: now)
    }

    private static func refuseUnchangeable(_ database: DatabaseConfiguration) throws(PlanError) {
        switch database.status {
        case .active, .activeChangePending: return
        case .pending, .creationFailed, .deletePending:
            throw PlanError(
                "not_active", status: 409,
                "Database \(database.id) is \(database.status.rawValue) and can't be changed. "
                    + (database.status == .pending ? "Wait until it is active." : "Delete it."))
        }
    }

    /// The policy with what can't change kept, or why it can't be had.
    private static func settled(
        _ policy: DatabasePolicy, for database: DatabaseConfiguration
    ) throws(PlanError) -> DatabasePolicy {
        guard policy.shardCount == database.policy.shardCount else {
            throw PlanError(
                "not_supported", status: 501,
                "Changing the number of shards (\(database.policy.shardCount) to \(policy.shardCount)) is not "
                    + "supported yet. Create a database with \(policy.shardCount) shards and copy the data.")
        }
        guard [0, database.endpoint.port, database.policy.requestedPort].contains(policy.requestedPort) else {
            throw PlanError(
                "not_supported", status: 501,
                "The port of a database can't change (it is \(database.endpoint.port)). Create another database.")
        }
        // Keys would lie in other shards than where they are looked for. Of one shard that can't be said.
        guard policy.keyRules.patterns == database.policy.keyRules.patterns || policy.shardCount == 1 else {
            throw PlanError(
                "shard_key_regex_fixed", status: 409,
                "The shard_key_regex of a sharded database can't change, because its keys lie where the rules put "
                    + "them. Create another database and copy the data.")
        }
        var policy = policy
        policy.requestedPort = database.policy.requestedPort
        return policy
    }

    /// Adds or drops replicas and makes sure that the new limits fit where the shards are.
    private static func rearrange(
        _ database: inout DatabaseConfiguration, from old: DatabaseConfiguration, head: inout ClusterHead,
        in state: ClusterState
    ) throws(PlanError) {
        if !database.policy.isReplicated { database.shards.removeAll { $0.role == .replica } }
        var usage = state.usage
        usage.remove(old)
        usage.add(database)
        try refuseOvercommit(of: database, from: old, usage: usage, in: state)
        guard database.policy.isReplicated, database.shards.count == database.primaries.count else { return }
        try addReplicas(to: &database, usage: usage, head: &head, in: state)
        database.isLeased = false
    }

    /// A node may be beyond its capacity already (memory was taken out); then only what makes it worse is refused.
    private static func refuseOvercommit(
        of database: DatabaseConfiguration, from old: DatabaseConfiguration, usage: UsageIndex, in state: ClusterState
    ) throws(PlanError) {
        for id in Set(database.shards.map(\.node)).sorted() {
            guard let node = state.nodes[id] else { continue }
            let capacity = Placement.capacity(of: node)
            let promised = usage[id].promisedMemory
            guard promised > capacity, promised > state.usage[id].promisedMemory else { continue }
            throw PlanError(
                "insufficient_resources",
                "Node \(id) would have to promise \(promised) to shards and may promise \(capacity) "
                    + "(\(100 - Placement.reservePercent) % of its memory): \(promised - capacity) short. "
                    + "Ask for less memory.")
        }
    }

    private static func addReplicas(
        to database: inout DatabaseConfiguration, usage: UsageIndex, head: inout ClusterHead, in state: ClusterState
    ) throws(PlanError) {
        let policy = database.policy
        var placement = Placement(state: state, memoryPerShard: policy.memoryLimitPerShard, usage: usage)
        try placement.refuseTooFewGroups()
        let primaries = database.primaries
        for primary in primaries { placement.notePrimary(on: primary.node) }
        let before = placement
        var ports = ShardPorts(state: state)
        var shards: [ShardConfiguration] = []
        for primary in primaries {
            guard let node = placement.placeReplica(besides: primary.node, as: policy.placement) else {
                throw Shortage(placement: before, replicas: primaries.count).error
            }
            let id = head.takeShard()
            let port = try ports.take(for: id, on: node)
            shards.append(primary)
            shards.append(ShardConfiguration(id: id, role: .replica, node: node, slots: primary.slots, port: port))
        }
        database.shards = shards
    }
}
