import ClusterModel
import ManagerCore
import Primitives
import Testing

/// Databases that take no writes without a replica, on a node that is about to be stopped.
@Suite struct StrictDrainTests {
    private let strict = DatabaseID(1)

    /// Database 1 is strict, database 2 is its like without that; both have copies on every node.
    private func world(nodes: Int = 3) throws -> World {
        var world = World(nodes: nodes)
        var policy = DatabasePolicy.named("strict", shards: 3, replicated: true, placement: .sparse)
        policy.durability = .replica
        try world.createActive(policy)
        try world.createActive(.named("plain", shards: 3, replicated: true, placement: .sparse))
        for id in 1...3 {
            world.commit(Planner.setStoreRole(.voter, of: NodeID(id), in: world.state) ?? Plan(changes: []))
        }
        return world
    }

    private func drain(_ node: Int, _ world: inout World) throws -> ActionRecord {
        let plan = try Planner.beginMaintenance(of: NodeID(node), in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return try #require(plan.action)
    }

    private func undrain(_ node: Int, _ world: inout World) throws -> ActionRecord {
        let plan = try Planner.endMaintenance(of: NodeID(node), in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return try #require(plan.action)
    }

    /// Which copies of a database are on a node, in order.
    private func copies(_ database: Int, on node: Int, _ world: World) -> [String] {
        let shards = world.state.databases[DatabaseID(database)]!.shards.filter { $0.node == NodeID(node) }
        return shards.map { "\($0.role) of \($0.slots.first)" }.sorted()
    }

    private func refuseShards(_ node: Int, _ world: inout World) throws {
        world.commit(
            try Planner.changeNode(
                NodeID(node), rackID: nil, acceptsShards: false, maximumShards: nil, maximumEndpoints: nil,
                in: world.state))
    }

    @Test(arguments: [1, 2, 3]) func allCopiesLeaveAndComeBack(node: Int) throws {
        var world = try world()
        let before = (1...3).map { copies(1, on: $0, world) }
        #expect(!before[node - 1].isEmpty)
        let plain = copies(2, on: node, world).count
        let action = try drain(node, &world)
        world.drive()
        #expect(world.state.actions[action.id]?.status == .completed)
        #expect(world.state.actions[action.id]?.message == "")
        #expect(copies(1, on: node, world) == [])
        #expect(copies(2, on: node, world).count == plain, "those of others stay as replicas")
        #expect(!copies(2, on: node, world).contains { $0.hasPrefix("primary") })
        #expect(world.brokenRules().isEmpty)
        let end = try undrain(node, &world)
        world.drive()
        #expect(world.state.actions[end.id]?.status == .completed)
        #expect(copies(1, on: node, world) == before[node - 1])
        #expect(world.state.nodes[NodeID(node)]?.maintenance == nil && world.brokenRules().isEmpty)
    }

    /// At every moment there is a replica for every primary.
    @Test func aDrainTakesNoReplicaAwayBeforeThereIsAnother() throws {
        var world = try world()
        let action = try drain(1, &world)
        while world.state.actions[action.id]?.status.isFinal == false {
            let database = try #require(world.state.databases[strict])
            for primary in database.primaries {
                let replicas = database.replicas(of: primary, in: world.state)
                #expect(!replicas.isEmpty, "slots \(primary.slots)")
            }
            let hasMoved = world.stepOnce()
            #expect(hasMoved)
        }
    }

    @Test func withoutRoomTheyStayAndTheActionSaysSo() throws {
        var world = try world()
        for node in [2, 3] { try refuseShards(node, &world) }
        let count = copies(1, on: 1, world).count
        let action = try drain(1, &world)
        world.drive()
        let ended = try #require(world.state.actions[action.id])
        #expect(ended.status == .completed)
        #expect(ended.message.hasPrefix("\(count) replicas of databases with durability replica stay"))
        #expect(copies(1, on: 1, world).count == count)
        #expect(!copies(1, on: 1, world).contains { $0.hasPrefix("primary") })
        // And nothing is in the way of their primaries' return.
        let end = try undrain(1, &world)
        world.drive()
        #expect(world.state.actions[end.id]?.status == .completed)
        #expect(copies(1, on: 1, world).contains { $0.hasPrefix("primary") })
    }

    @Test func whatFailsThreeTimesStays() throws {
        var world = try world()
        let action = try drain(1, &world)
        for _ in 0..<300 where world.state.actions[action.id]?.status.isFinal == false {
            let parts = world.state.actions.values.filter { $0.parent == action.id && !$0.status.isFinal }
            for part in parts where part.kind == .migrateShard {
                let plan = Planner.abandonMigration(part.id, reason: "no luck", in: world.state, now: world.now)
                world.commit(try #require(plan))
            }
            world.stepOnce()
        }
        #expect(world.state.actions[action.id]?.status == .completed)
        #expect(world.state.actions[action.id]?.message.contains("stay") == true)
        #expect(world.brokenRules().isEmpty)
    }

    @Test func anUndrainInTheMiddleRestoresAll() throws {
        var world = try world()
        let before = copies(1, on: 2, world)
        let action = try drain(2, &world)
        while let running = world.state.actions[action.id], !running.status.isFinal {
            var branch = world
            _ = try undrain(2, &branch)
            branch.drive()
            #expect(copies(1, on: 2, branch) == before, "turned back at: \(running.message)")
            #expect(branch.brokenRules().isEmpty)
            let hasMoved = world.stepOnce()
            #expect(hasMoved)
        }
    }

    /// It took no shards before, so it takes none after, and its end does not wait for that.
    @Test func aNodeThatTookNoShardsGetsNoneBack() throws {
        var world = try world()
        try refuseShards(1, &world)
        _ = try drain(1, &world)
        world.drive()
        #expect(copies(1, on: 1, world) == [])
        let end = try undrain(1, &world)
        world.drive()
        #expect(world.state.actions[end.id]?.status == .completed)
        #expect(copies(1, on: 1, world) == [])
    }
}
