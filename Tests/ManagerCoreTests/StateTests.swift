import ClusterModel
import ManagerCore
import Primitives
import Testing

struct StateTests {
    @Test func keysReadBack() {
        let keys: [StoreKey] = [
            .cluster, .head, .authority, .leader, .node(NodeID(3)), .database(DatabaseID(4)),
            .action(ActionID("3f0c")), .user(UserID(1)), .token("ab12"),
        ]
        for key in keys { #expect(StoreKey(path: key.path) == key) }
        #expect(StoreKey.database(DatabaseID(4)).path == "/tarn/databases/4")
        for path in ["/tarn/", "/tarn/nodes/", "/tarn/nodes/x", "/tarn/new/1", "/other/head", "/tarn/nodes/1/2"] {
            #expect(StoreKey(path: path) == nil, "\(path)")
        }
    }

    /// The index follows from the records alone: any order, and any detour, gives the same state.
    @Test func orderAndDetoursLeaveNoTrace() throws {
        var world = World(nodes: 3)
        for number in 1...6 {
            try world.createActive(.named("db\(number)", shards: number, replicated: true, placement: .sparse))
        }
        let records = world.state.databases.values.sorted { $0.id < $1.id }
        var forward = ClusterState()
        for record in records { forward.apply(.database(record), key: "k\(record.id)", revision: 1) }
        var backward = ClusterState()
        for record in records.reversed() {
            var detour = record
            detour.policy.name += "-old"
            detour.shards.removeLast()
            detour.endpoint.nodes = []
            for version in [detour, record] {
                backward.apply(.database(version), key: "k\(record.id)", revision: 1)
            }
        }
        #expect(forward == backward)
        #expect(forward.usage == world.state.usage)
    }

    @Test func theHeadsRevisionIsTheConditionOfPlans() {
        var state = ClusterState()
        #expect(state.headRevision == 0)
        state.apply(.head(ClusterHead()), key: StoreKey.head.path, revision: 7)
        state.apply(.leader(NodeID(1)), key: StoreKey.leader.path, revision: 9)
        #expect(state.headRevision == 7 && state.revision == 9 && state.leader == NodeID(1))
        state.apply(.removed(.leader), key: StoreKey.leader.path, revision: 10)
        #expect(state.leader == nil && state.revisions[StoreKey.leader.path] == nil)
    }

    /// 1,000 nodes, 100,000 shards: a plan looks at nodes, never at the shards that are there.
    @Test func planningInABigClusterTouchesNodesOnly() throws {
        var state = World(nodes: 1).state
        var plan = Plan(changes: [])
        for number in 2...1000 {
            var candidate = World.candidate(number, memory: .gigabytes(64))
            candidate.address = "10.0.\(number / 256).\(number % 256)"
            plan.changes.append(.node(candidate.record(id: NodeID(number), storeRole: .client, joinedAt: World.start)))
        }
        state.apply(plan, revision: 2)
        for number in 1...1000 { state.apply(.database(big(number)), key: "db\(number)", revision: 3) }
        #expect(state.usage.nodes.values.reduce(0) { $0 + $1.shardCount } == 100_000)

        var policy = DatabasePolicy.named("new", .gigabytes(1), shards: 8, replicated: true, placement: .sparse)
        policy.proxyPolicy = .single
        let fresh = Fresh(action: ActionID("a"), secrets: ShardSecrets(manager: "", proxy: "", replica: ""))
        let clock = ContinuousClock()
        var created: Plan?
        let time = try clock.measure {
            created = try Planner.createDatabase(
                policy, id: DatabaseID(5000), in: state, fresh: fresh, now: World.start)
        }
        print("create with 16 shards among 1,000 nodes and 100,000 shards: \(time)")
        #expect(created?.database?.shards.count == 16)
        #expect(PlacementWork.inspected(state, policy) <= 1000 * 16)
    }

    private func big(_ number: Int) -> DatabaseConfiguration {
        let shards = (0..<100).map { index in
            let id = (number - 1) * 100 + index + 1
            return ShardConfiguration(
                id: ShardID(id), role: index % 2 == 0 ? .primary : .replica,
                node: NodeID((number * 7 + index) % 1000 + 1), slots: SlotRange.even(parts: 50)[index / 2],
                port: UInt16(20000 + id % 10000))
        }
        return DatabaseConfiguration(
            id: DatabaseID(number), epoch: Epoch(1), policy: .named("db\(number)", .gigabytes(5), shards: 50),
            status: .active, shards: shards, endpoint: EndpointConfiguration(port: UInt16(10100 + number), nodes: []),
            secrets: ShardSecrets(manager: "", proxy: "", replica: ""), createdAt: World.start, changedAt: World.start)
    }
}
