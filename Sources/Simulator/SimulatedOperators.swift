import ClusterModel
import ManagerCore
import Primitives

/// People and their tools: they make the cluster, then create, change and delete databases, switch primaries over, and
/// move shards and nodes (``migrate()``, ``maintain()``, ``remove()``).
final class SimulatedOperators {
    /// What a person's clock says doesn't matter.
    static let wall = WallTime(milliseconds: 1_764_000_000_000)

    unowned let simulation: Simulation
    /// Nodes that are about to be removed, or have just been: clients in `calm` runs keep away from them.
    var leaving: Set<NodeID> = []
    /// When all was whole.
    var drainedAgain: Set<NodeID> = []
    private(set) var durable: Set<DatabaseID> = []
    private var names = 0
    private var end = Moment.start

    init(_ simulation: Simulation) {
        self.simulation = simulation
    }

    func bootstrap() {
        let wall = Self.wall
        let first = Planner.bootstrap(
            cluster: ClusterRecord(name: "cluster.local", createdAt: wall, authorityDigest: "ca"),
            authority: AuthorityRecord(certificatePEM: "", privateKeyPEM: ""), node: candidate(1),
            admin: UserRecord(
                id: UserID(1), email: "you@example.com", name: "You", role: "admin", passwordHash: "", createdAt: wall,
                passwordChangedAt: wall), now: wall)
        simulation.store.write(first.changes)
        do {
            let token = try Planner.createToken(
                id: "open", secretDigest: "", lifetimeSeconds: nil, uses: nil, createdBy: "you",
                in: simulation.store.newest.state, now: wall)
            simulation.store.write(token.changes)
            let grace = try Planner.changePolicy(
                detection: nil, rebuildsReplicas: nil, replicaGraceSeconds: 2 + Int64(simulation.random.below(15)),
                in: simulation.store.newest.state)
            simulation.store.write(grace.changes)
            let isGrowing = simulation.random.isOne(in: 3)
            let members = isGrowing ? 1 + simulation.random.below(simulation.settings.nodes) : simulation.settings.nodes
            for number in 1...members where number > 1 {
                let plan = try Planner.admitNode(
                    candidate(number), tokenID: "open", asNewcomer: true, in: simulation.store.newest.state, now: wall)
                simulation.store.write(plan.changes)
                let settled = Planner.settleJoin(of: NodeID(number), in: simulation.store.newest.state, now: wall)
                simulation.store.write(settled?.changes ?? [])
            }
        } catch {
            preconditionFailure("a new cluster refuses its nodes: \(error.message)")
        }
    }

    private func candidate(_ number: Int) -> NodeCandidate {
        NodeCandidate(
            address: "10.0.0.\(number)", hostname: "node\(number)", architecture: "x86_64", cores: 2,
            totalMemory: .gigabytes(4), softwareVersion: "0.1.0", operatingSystem: "Debian 12",
            rackID: simulation.nodes[number - 1].rack, publicKeyDigest: "key\(number)")
    }

    // MARK: Work

    func begin(until end: Moment) {
        self.end = end
        simulation.after(.milliseconds(1500), for: nil) { [unowned self] in create(isReplicated: true) }
        simulation.after(.milliseconds(2500), for: nil) { [unowned self] in
            create(isReplicated: simulation.random.isOne(in: 2))
        }
        simulation.after(.seconds(5), for: nil) { [unowned self] in next() }
        simulation.after(simulation.random.milliseconds(3000...20_000), for: nil) { [unowned self] in join() }
    }

    private func next() {
        guard simulation.now < end else { return }
        switch simulation.random.below(20) {
        case 0, 1: create(isReplicated: !simulation.random.isOne(in: 3))
        case 2: delete()
        case 3, 4: change()
        case 5, 6, 7, 8, 9: migrate()
        case 10, 11, 12: maintain()
        case 13: remove()
        default: switchOver()
        }
        simulation.after(simulation.random.milliseconds(1500...9000), for: nil) { [unowned self] in next() }
    }

    private func join() {
        // A machine that was removed doesn't come again.
        let next = simulation.store.newest.state.head?.nextNode ?? NodeID(1)
        guard simulation.now < end, next.rawValue <= simulation.settings.nodes else { return }
        edit("node \(next) joins") { [unowned self] state in
            guard state.head?.nextNode == next else { return nil }
            return try Planner.admitNode(
                candidate(next.rawValue), tokenID: "open", asNewcomer: true, in: state, now: Self.wall)
        }
        simulation.after(simulation.random.milliseconds(1000...20_000), for: nil) { [unowned self] in join() }
    }

    /// Whoever leads; without a leader any manager that has a copy, and is refused or not.
    private var manager: SimulatedManager? {
        let able = simulation.nodes.map(\.manager).filter { $0.process.runs && $0.snapshot != nil }
        return able.first(where: \.leads) ?? simulation.random.pick(able)
    }

    func edit(
        _ what: String, _ decide: @escaping (ClusterState) throws -> Plan?, _ done: @escaping () -> Void = {}
    ) {
        guard let manager else { return }
        manager.edit(decide) { [unowned self] result in
            if result == .done { simulation.tell(manager.process, what) }
            if result != .failed { done() }
        }
    }

    private func create(isReplicated: Bool) {
        guard simulation.store.newest.state.databases.count < 4 else { return }
        names += 1
        var policy = DatabasePolicy(
            name: "db\(names)", memoryLimit: .megabytes(100), shardCount: 1 + simulation.random.below(2),
            isReplicated: isReplicated)
        if simulation.random.isOne(in: 2) { policy.persistence = .appendOnly(everyWrite: false) }
        let isCalm = simulation.settings.kind == .calm
        // An endpoint that moves takes its clients' connections with it.
        policy.proxyPolicy =
            isCalm ? .allNodes : simulation.random.pick([.allNodes, .allNodes, .allMasterShards, .single]) ?? .allNodes
        policy.placement = simulation.random.isOne(in: 2) ? .dense : .sparse
        let isDurable = isReplicated && !simulation.random.isOne(in: 3)
        if isDurable { policy.durability = .replica }
        let chosen = policy
        edit("creates database \(policy.name)") { [unowned self] state in
            let plan = try Planner.createDatabase(
                chosen, id: nil, in: state, fresh: simulation.fresh(), now: Self.wall)
            if isDurable, let id = plan.database?.id { durable.insert(id) }
            if !isDurable, let id = plan.database?.id { durable.remove(id) }
            return plan
        }
    }

    func pick(_ isSuitable: (DatabaseConfiguration) -> Bool) -> DatabaseConfiguration? {
        simulation.random.pick(simulation.store.newest.databases.filter(isSuitable))
    }

    private func delete() {
        guard simulation.store.newest.state.databases.count > 2, let database = pick({ _ in true }) else { return }
        // Its clients see errors, of course.
        guard simulation.settings.kind != .calm else { return }
        edit("deletes database \(database.id)") { [unowned self] state in
            try Planner.deleteDatabase(
                database.id, in: state, fresh: simulation.fresh(), now: Self.wall)
        }
    }

    private func change() {
        guard let database = pick({ !durable.contains($0.id) }) else { return }
        let changesReplicas = simulation.random.isOne(in: 2)
        edit("changes database \(database.id)") { [unowned self] state in
            guard var policy = state.databases[database.id]?.policy else { return nil }
            if changesReplicas {
                policy.isReplicated.toggle()
            } else {
                policy.memoryLimit = policy.memoryLimit == .megabytes(100) ? .megabytes(120) : .megabytes(100)
            }
            return try Planner.updateDatabase(
                database.id, to: policy, in: state, fresh: simulation.fresh(),
                now: Self.wall)
        }
    }

    private func switchOver() {
        guard let database = pick({ $0.policy.isReplicated }), let primary = simulation.random.pick(database.primaries)
        else { return }
        let replica = database.shards.first { $0.role == .replica && $0.slots == primary.slots }
        guard let replica else { return }
        edit("switches shard \(primary.id) over to \(replica.id)") { [unowned self] state in
            try Planner.switchOver(
                primary.id, to: replica.id, in: state, fresh: simulation.fresh(),
                now: Self.wall)
        }
    }
}
