import ClusterModel
import ManagerCore
import Primitives
import Testing

/// What a node passes on when it is stopped without maintenance.
@Suite struct HandOverTests {
    private func world() throws -> World {
        var world = World(nodes: 3)
        try world.createActive(.named("replicated", shards: 3, replicated: true, placement: .sparse))
        try world.createActive(.named("single", shards: 3))
        return world
    }

    private func copies(in world: World, lag: Int64 = 0) -> [ShardID: ShardCopy] {
        let shards = world.state.databases.values.flatMap(\.shards)
        return Dictionary(
            uniqueKeysWithValues: shards.map { shard in
                (shard.id, ShardCopy(offset: shard.role == .primary ? 1 << 30 : 1 << 30 - lag, isRunning: true))
            })
    }

    @Test(arguments: [1, 2, 3]) func primariesGoToTheirReplicas(node: Int) throws {
        var world = try world()
        let node = NodeID(node)
        let changes = Planner.handOvers(by: node, in: world.state)
        #expect(!changes.isEmpty && changes.allSatisfy { $0.primary.node == node && $0.replica.node != node })
        for change in changes {
            let plan = try Planner.handOver(
                change.primary.id, to: change.replica.id, copies: copies(in: world), in: world.state,
                fresh: world.fresh(), now: world.now)
            world.commit(try #require(plan))
        }
        #expect(Planner.handOvers(by: node, in: world.state).isEmpty && Planner.isHandingOver(node, in: world.state))
        world.drive()
        #expect(!Planner.isHandingOver(node, in: world.state))
        let replicated = try #require(world.state.databases[DatabaseID(1)])
        #expect(replicated.primaries.allSatisfy { $0.node != node } && world.brokenRules().isEmpty)
    }

    /// To a node that is down, in maintenance or leaving, nothing is handed over.
    @Test func onlyReplicasOnNodesThatStayCount() throws {
        var world = try world()
        for id in [2, 3] {
            world.commit(
                try Planner.beginMaintenance(of: NodeID(id), in: world.state, fresh: world.fresh(), now: world.now))
        }
        #expect(Planner.handOvers(by: NodeID(1), in: world.state).isEmpty)
    }

    @Test func whatLagsIsRefusedAndWhatIsChangingIsLetBe() throws {
        var world = try world()
        let change = try #require(Planner.handOvers(by: NodeID(1), in: world.state).first)
        func handOver(lag: Int64) throws -> Plan? {
            try Planner.handOver(
                change.primary.id, to: change.replica.id, copies: copies(in: world, lag: lag), in: world.state,
                fresh: world.fresh(), now: world.now)
        }
        #expect(throws: PlanError.self) { try handOver(lag: 1 << 29) }
        world.commit(try #require(try handOver(lag: 0)))
        #expect(try handOver(lag: 0) == nil)
    }
}
