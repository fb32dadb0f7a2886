import ClusterModel

/// Applications: each writes its numbers one after the other, to any database, through any node that serves it.
final class SimulatedClients {
    struct Acknowledged {
        let number: Int
        let slots: SlotRange
        let shard: ShardID
        let at: Moment
    }

    private static let count = 4
    private static let patience = Span.seconds(5)

    private unowned(unsafe) let simulation: Simulation
    private(set) var counts = WriteCounts()
    private(set) var acknowledged: [DatabaseID: [Acknowledged]] = [:]
    private(set) var firstError = ""
    private var isOver = false

    init(_ simulation: Simulation) {
        self.simulation = simulation
    }

    func begin() {
        for client in 1...Self.count { rest(client) }
    }

    func end() { isOver = true }

    private func rest(_ client: Int) {
        guard !isOver else { return }
        simulation.after(simulation.random.milliseconds(20...180), for: nil) { [unowned self] in next(client) }
    }

    private func next(_ client: Int) {
        let databases = simulation.store.newest.databases.filter {
            $0.status == .active || $0.status == .activeChangePending
        }
        guard let database = simulation.random.pick(databases), let shard = simulation.random.pick(database.primaries),
            let node = simulation.random.pick(endpoints(of: database))
        else { return rest(client) }
        let proxy = simulation.node(node).proxy
        let number = simulation.nextNumber()
        var write: SimulatedWrite?
        let made = SimulatedWrite(number, to: database.id, shard.slots) { [unowned self] outcome in
            guard let write else { return }
            ended(write, outcome, of: client, at: node)
        }
        write = made
        guard proxy.process.isAlive else { return made.end(.failed) }
        simulation.after(simulation.random.milliseconds(0...1), for: proxy.process) { proxy.receive(made) }
        simulation.after(Self.patience, for: nil) { made.end(.unknown) }
    }

    /// While nothing goes wrong nobody comes before a node serves: it has just joined, or started.
    private func endpoints(of database: DatabaseConfiguration) -> [NodeID] {
        guard simulation.settings.kind == .calm else { return database.endpoint.nodes }
        return database.endpoint.nodes.filter { node in
            guard !simulation.operators.leaving.contains(node),
                simulation.store.newest.state.nodes[node]?.isLeaving == false
            else { return false }
            let proxy = simulation.node(node).proxy
            return proxy.routes[database.id].map(proxy.mayWrite) ?? false
        }
    }

    private func ended(_ write: SimulatedWrite, _ outcome: SimulatedWrite.Outcome, of client: Int, at node: NodeID) {
        switch outcome {
        case .acknowledged:
            counts.acknowledged += 1
            acknowledged[write.database, default: []].append(
                Acknowledged(
                    number: write.number, slots: write.slots, shard: write.shard ?? ShardID(0), at: simulation.now))
            simulation.invariants.checkConfirmed(write)
        case .failed, .unknown:
            if outcome == .failed { counts.failed += 1 } else { counts.unknown += 1 }
            if firstError.isEmpty {
                firstError =
                    "write \(write.number) to database \(write.database) through node \(node) "
                    + (outcome == .failed ? "failed" : "has an unknown fate") + " at \(simulation.now)"
            }
        }
        rest(client)
    }
}
