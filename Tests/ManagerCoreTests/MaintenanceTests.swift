import ClusterModel
import ManagerCore
import Primitives
import Testing

@Suite struct MaintenanceTests {
    /// Three nodes, a replicated database over all of them and an unreplicated one on node 1.
    private func world(nodes: Int = 3) throws -> World {
        var world = World(nodes: nodes)
        try world.createActive(.named("orders", shards: 3, replicated: true, placement: .sparse))
        try world.createActive(.named("cache"))
        try world.createActive(DatabasePolicy(name: "single", memoryLimit: .megabytes(10), proxyPolicy: .single))
        for id in 1...nodes where id <= 3 {
            world.commit(Planner.setStoreRole(.voter, of: NodeID(id), in: world.state) ?? Plan(changes: []))
        }
        return world
    }

    private func drain(_ node: Int, _ world: inout World) throws -> ActionRecord {
        let plan = try Planner.beginMaintenance(
            of: NodeID(node), in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return try #require(plan.action)
    }

    private func undrain(_ node: Int, _ world: inout World) throws -> ActionRecord {
        let plan = try Planner.endMaintenance(
            of: NodeID(node), in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return try #require(plan.action)
    }

    private func primaries(_ world: World) -> [[NodeID]] {
        world.state.databases.values.sorted { $0.id < $1.id }.map { $0.primaries.map(\.node) }
    }

    private func drainable(_ world: World) -> Int {
        world.state.databases[DatabaseID(2)]!.primaries[0].node.rawValue
    }

    @Test func aDrainTakesPrimariesOffAndItsEndBringsThemBack() throws {
        var world = try world()
        let node = drainable(world)
        let before = primaries(world)
        let action = try drain(node, &world)
        #expect(world.state.nodes[NodeID(node)]?.takesShards == false)
        world.drive()
        #expect(world.state.actions[action.id]?.status == .completed)
        #expect(!primaries(world).joined().contains(NodeID(node)))
        for database in world.state.databases.values where database.policy.proxyPolicy == .single {
            #expect(database.endpoint.nodes == [database.primaries[0].node])
        }
        let record = try #require(world.state.nodes[NodeID(node)]?.maintenance)
        #expect(record.moved.count == before.joined().filter { $0 == NodeID(node) }.count)
        // Nothing new comes.
        let new = try world.createActive(.named("new", shards: 4, placement: .sparse))
        #expect(!new.shards.map(\.node).contains(NodeID(node)))
        try world.delete(new.id)
        world.drive()

        let end = try undrain(node, &world)
        world.drive()
        #expect(world.state.actions[end.id]?.status == .completed)
        #expect(primaries(world) == before && world.brokenRules().isEmpty)
        let after = try #require(world.state.nodes[NodeID(node)])
        #expect(after.takesShards && after.maintenance == nil)
    }

    @Test func askedAgainItGoesOnWithWhatIsUnderWay() throws {
        var world = try world()
        let node = drainable(world)
        let first = try drain(node, &world)
        #expect(try drain(node, &world).id == first.id)
        world.drive()
        let moved = try #require(world.state.nodes[NodeID(node)]?.maintenance)
        // Twice is once: one end is enough, and what was moved is still known.
        let second = try drain(node, &world)
        #expect(second.id != first.id)
        world.drive()
        #expect(world.state.actions[second.id]?.status == .completed)
        #expect(world.state.nodes[NodeID(node)]?.maintenance == moved)
        _ = try undrain(node, &world)
        world.drive()
        #expect(world.state.nodes[NodeID(node)]?.maintenance == nil)
        #expect(world.state.nodes[NodeID(node)]?.takesShards == true)
    }

    @Test func theStoreKeepsItsMajorityOverAllNodesInMaintenance() throws {
        var world = try world(nodes: 4)
        _ = try drain(1, &world)
        world.drive()
        let refused = refusal { _ = try drain(2, &world) }
        #expect(refused?.code == "no_quorum")
        #expect(refused?.message.contains("node 1 is in maintenance") == true)
        // No voter: the store doesn't miss it.
        #expect(refusal { _ = try drain(4, &world) } == nil)
        world.drive()
        _ = try undrain(1, &world)
        world.drive()
        world.fail(3)
        #expect(refusal { _ = try drain(2, &world) }?.message.contains("node 3 is down") == true)
        #expect(refusal { _ = try drain(3, &world) }?.code == "node_down")
        #expect(refusal { _ = try drain(9, &world) }?.code == "node_not_found")
    }

    @Test func withoutRoomForWhatHasNoReplicaItIsRefused() throws {
        var world = World(nodes: 2, memory: .megabytes(300))
        for node in 1...2 {
            world.commit(Planner.setStoreRole(node == 1 ? .client : .voter, of: NodeID(node), in: world.state)!)
        }
        try world.createActive(.named("one", .megabytes(200)))
        try world.createActive(.named("two", .megabytes(200)))
        let before = world.state
        let refused = refusal { _ = try drain(1, &world) }
        #expect(refused?.code == "insufficient_resources" && refused?.message.contains("node 2 has") == true)
        #expect(world.state == before)
    }

    /// In the meantime it has got a replica in the node's own rack.
    @Test func whatCanNotComeBackStaysWhereItIs() throws {
        var world = try world()
        let node = drainable(world)
        _ = try drain(node, &world)
        world.drive()
        try world.update(DatabaseID(2)) { $0.isReplicated = true }
        world.drive()
        let replica = try #require(world.state.databases[DatabaseID(2)]?.shards.first { $0.role == .replica })
        for id in [NodeID(node), replica.node] {
            world.commit(
                try Planner.changeNode(
                    id, rackID: "r1", acceptsShards: nil, maximumShards: nil, maximumEndpoints: nil, in: world.state))
        }
        let end = try undrain(node, &world)
        world.drive()
        #expect(world.state.actions[end.id]?.status == .completed)
        #expect(world.state.nodes[NodeID(node)]?.maintenance == nil && world.brokenRules().isEmpty)
        #expect(world.state.databases[DatabaseID(2)]?.primaries[0].node != NodeID(node))
    }

    /// Wherever a leader dies, the next one ends the drain, and its end finds everything.
    @Test func anUndrainInTheMiddleOfADrainRestoresAll() throws {
        var world = try world()
        let node = drainable(world)
        let before = primaries(world)
        let action = try drain(node, &world)
        while let running = world.state.actions[action.id], !running.status.isFinal {
            var branch = world
            _ = try undrain(node, &branch)
            branch.drive()
            #expect(primaries(branch) == before, "turned back at: \(running.message)")
            #expect(branch.brokenRules().isEmpty)
            #expect(branch.state.actions[action.id]?.message == "overtaken by maintenance_off")
            let hasMoved = world.stepOnce()
            #expect(hasMoved)
        }
    }

    @Test func aReplicaThatIsBehindIsWaitedFor() throws {
        var world = try world()
        let node = drainable(world)
        let action = try drain(node, &world)
        let asked = NodeActionMachine.shardsToInspect(action, in: world.state)
        #expect(asked.count >= 2)
        let lost = Dictionary(uniqueKeysWithValues: asked.map { ($0.id, ShardCopy(offset: 0, isRunning: true)) })
        // The unreplicated ones are moved meanwhile; in the end only those that can't hand over are left.
        for _ in 0..<100 {
            let step = NodeActionMachine.next(
                try #require(world.state.actions[action.id]), in: world.state, copies: lost, farewells: nil,
                unsettled: [], fresh: world.fresh(), now: world.now)
            if case .commit(let plan) = step { world.commit(plan) } else { world.stepOnce(except: [action.id]) }
        }
        let step = NodeActionMachine.next(
            try #require(world.state.actions[action.id]), in: world.state, copies: lost, farewells: nil,
            unsettled: [], fresh: world.fresh(), now: world.now)
        guard case .wait(_, let message) = step else { return #expect(Bool(false), "\(step)") }
        #expect(message.contains("is not in sync"))
    }

    @Test func whatFailsThreeTimesFailsTheDrain() throws {
        var world = try world()
        let node = drainable(world)
        let action = try drain(node, &world)
        for _ in 0..<200 where world.state.actions[action.id]?.status.isFinal == false {
            let parts = world.state.actions.values.filter { $0.parent == action.id && !$0.status.isFinal }
            for part in parts where part.kind == .migrateShard {
                world.commit(
                    try #require(
                        Planner.abandonMigration(part.id, reason: "no luck", in: world.state, now: world.now)))
            }
            world.stepOnce()
        }
        #expect(world.state.actions[action.id]?.status == .failed)
        #expect(world.state.actions[action.id]?.message.contains("no luck") == true)
        #expect(world.brokenRules().isEmpty)
    }

    @Test func anEndWithoutABeginningIsNothing() throws {
        var world = try world()
        let before = primaries(world)
        let action = try undrain(1, &world)
        world.drive()
        #expect(world.state.actions[action.id]?.status == .completed && primaries(world) == before)
    }

    @Test func peopleChooseThePrimary() throws {
        var world = try world()
        let database = try #require(world.state.databases[DatabaseID(1)])
        let (old, new) = (database.shards[0].id, database.shards[1].id)
        let copies = world.inSync(database.shards)
        func takeOver(
            _ shard: ShardID, to wanted: ShardID? = nil, isForced: Bool = false, _ copies: [ShardID: ShardCopy]
        )
            throws -> Plan
        {
            try Planner.takeOver(
                shard, to: wanted, isForced: isForced, copies: copies, in: world.state, fresh: world.fresh(),
                now: world.now)
        }
        #expect(try takeOver(old, copies).action?.kind == .switchover)
        #expect(try takeOver(old, isForced: true, copies).action?.kind == .failover)
        #expect(refusal { _ = try takeOver(new, copies) }?.message.contains("its primary is shard \(old)") == true)
        #expect(refusal { _ = try takeOver(ShardID(99), copies) }?.code == "shard_not_exist")
        #expect(refusal { _ = try takeOver(old, to: ShardID(99), copies) }?.code == "invalid_replication")
        var behind = copies
        behind[new]?.offset = 0
        #expect(refusal { _ = try takeOver(old, behind) }?.code == "replica_not_synced")
        behind[new]?.isRunning = false
        #expect(refusal { _ = try takeOver(old, isForced: true, behind) }?.code == "replica_down")
        let cache = try #require(world.state.databases[DatabaseID(2)])
        #expect(refusal { _ = try takeOver(cache.shards[0].id, copies) }?.code == "no_replica")
        world.commit(
            try #require(Planner.setStatus(.down, of: database.shards[1].node, in: world.state, now: world.now)))
        #expect(refusal { _ = try takeOver(old, copies) }?.code == "replica_down")
    }
}
