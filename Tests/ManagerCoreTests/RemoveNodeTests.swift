import ClusterModel
import ManagerCore
import Primitives
import Testing

@Suite struct RemoveNodeTests {
    private func world(nodes: Int = 4) throws -> World {
        var world = World(nodes: nodes)
        try world.createActive(.named("orders", shards: 3, replicated: true, placement: .sparse))
        try world.createActive(.named("cache", shards: 4, placement: .sparse))
        for id in 1...min(3, nodes) {
            world.commit(Planner.setStoreRole(.voter, of: NodeID(id), in: world.state) ?? Plan(changes: []))
        }
        return world
    }

    private func remove(_ node: Int, isForced: Bool = false, _ world: inout World) throws -> ActionRecord {
        let plan = try Planner.removeNode(
            NodeID(node), isForced: isForced, in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return try #require(plan.action)
    }

    private func used(_ world: World) -> Set<NodeID> {
        Set(world.state.databases.values.flatMap(\.involvedNodes))
    }

    @Test func everythingMovesOffAndTheRecordGoes() throws {
        var world = try world()
        // A vote about it, and one of its own.
        world.commit(try #require(Planner.suspect(NodeID(2), by: NodeID(1), in: world.state)))
        world.commit(try #require(Planner.suspect(NodeID(1), by: NodeID(2), in: world.state)))
        let action = try remove(2, &world)
        #expect(world.state.nodes[NodeID(2)]?.status == .decommissioning)
        #expect(try remove(2, &world).id == action.id)
        world.drive()
        #expect(world.state.actions[action.id]?.status == .completed)
        #expect(world.state.nodes[NodeID(2)] == nil && world.state.suspicions.isEmpty)
        #expect(!used(world).contains(NodeID(2)) && world.brokenRules().isEmpty)
    }

    @Test func aRemovalStopsWhereItIs() throws {
        var world = try world()
        let action = try remove(2, &world)
        for _ in 0..<12 { world.stepOnce() }
        world.commit(try Planner.cancel(action.id, in: world.state, now: world.now))
        world.drive()
        let node = try #require(world.state.nodes[NodeID(2)])
        #expect(node.status == .active && node.takesShards && !node.isLeaving)
        #expect(world.state.actions[action.id]?.message == "cancelled" && world.brokenRules().isEmpty)
        #expect(world.state.databases.values.allSatisfy { $0.endpoint.nodes.contains(NodeID(2)) })
    }

    @Test func tooFewNodesForReplicasIsRefused() throws {
        var world = World(nodes: 2)
        try world.createActive(.named("orders", shards: 1, replicated: true))
        let refused = refusal { _ = try remove(2, &world) }
        #expect(refused?.code == "insufficient_resources")
        #expect(refused?.message.contains("none is left that has no copy of it") == true)
        var alone = World(nodes: 1)
        #expect(refusal { _ = try remove(1, &alone) }?.code == "last_node")
    }

    /// One that hasn't heard of it has its lease by the leaving node's answer and one more of five; two votes of the
    /// four that stay must not outvote it.
    @Test func lossesAreCountedWithAndWithoutANodeThatLeaves() throws {
        var world = World(nodes: 5)
        let action = try remove(2, &world)
        let group = world.state.group(of: NodeID(3))
        #expect(!group.isLost(votes: [NodeID(1), NodeID(4)]))
        #expect(group.isLost(votes: [NodeID(1), NodeID(4), NodeID(5)]))
        let (state, fresh) = (world.state, world.fresh())
        func next(_ unsettled: Set<NodeID>) -> NodeActionMachine.Step {
            NodeActionMachine.next(
                action, in: state, copies: [:], farewells: nil, unsettled: unsettled, fresh: fresh, now: world.now)
        }
        guard case .wait(98, _) = next([NodeID(3)]) else { throw PlanError("gone", "") }
        guard case .commit = next([]) else { throw PlanError("stays", "") }
    }

    /// Each alone could go; with both gone one rack is left, and the first one's action would wait for ever.
    @Test func nodesThatLeaveTogetherNeedRoomTogether() throws {
        var world = World(nodes: 4, racks: ["r1", "r2", "r3", "r1"])
        try world.createActive(.named("orders", shards: 1, replicated: true))
        var other = world
        _ = try remove(2, &world)
        #expect(refusal { _ = try remove(3, &world) }?.code == "insufficient_resources")
        world.drive()
        #expect(world.state.nodes[NodeID(2)] == nil && world.brokenRules().isEmpty)
        _ = try remove(3, &other)
        #expect(refusal { _ = try remove(2, &other) }?.code == "insufficient_resources")
    }

    @Test func aDeadNodeGoesWhenItsReplicasAreMadeAnew() throws {
        var world = World(nodes: 4)
        try world.createActive(.named("orders", shards: 3, replicated: true, placement: .sparse))
        world.fail(2)
        world.drive()
        let action = try remove(2, &world)
        #expect(world.state.nodes[NodeID(2)]?.status == .down)
        world.drive()
        #expect(world.state.actions[action.id]?.status == .completed && world.state.nodes[NodeID(2)] == nil)
        #expect(world.state.databases[DatabaseID(1)]?.shards.count == 6)
        #expect(!used(world).contains(NodeID(2)) && world.brokenRules().isEmpty)
    }

    @Test func theOnlyCopyIsGivenUpOnlyByForce() throws {
        var world = try world()
        let lost = try #require(world.state.databases[DatabaseID(2)]?.primaries.first { $0.node == NodeID(4) })
        world.fail(4)
        world.drive()
        let refused = refusal { _ = try remove(4, &world) }
        #expect(refused?.code == "data_loss")
        #expect(refused?.message.contains("shard \(lost.id) of database 2 (cache)") == true)
        let action = try remove(4, isForced: true, &world)
        world.drive()
        #expect(world.state.actions[action.id]?.status == .completed && world.state.nodes[NodeID(4)] == nil)
        #expect(world.state.databases[DatabaseID(2)]?.shards.contains { $0.id == lost.id } == false)
        #expect(world.brokenRules().isEmpty)
    }

    /// Nobody has agreed to lose anything, and it may be back in a moment.
    @Test func aNodeThatGoesDownWhileItLeavesKeepsItsOnlyCopies() throws {
        var world = try world()
        let only = try #require(world.state.databases[DatabaseID(2)]?.primaries.first { $0.node == NodeID(4) })
        let action = try remove(4, &world)
        world.fail(4)
        world.drive()
        #expect(world.state.shard(only.id) != nil && world.state.actions[action.id]?.status.isFinal == false)
        #expect(try remove(4, &world).isForced == false)
        world.drive()
        #expect(world.state.shard(only.id) != nil)
        #expect(try remove(4, isForced: true, &world).id == action.id)
        world.drive()
        #expect(world.state.shard(only.id) == nil && world.state.nodes[NodeID(4)] == nil)
        #expect(world.brokenRules().isEmpty)
    }

    /// Once it is gone nobody asks it any more.
    @Test func aNodeGoesWhenItsProxyServesNothing() throws {
        var world = try world()
        let action = try remove(4, &world)
        while NodeActionMachine.farewells(action, in: world.state) == nil {
            let isOver = !world.stepOnce()
            try #require(!isOver)
        }
        let asked = try #require(NodeActionMachine.farewells(action, in: world.state)).map(\.id)
        #expect(asked == [DatabaseID(1), DatabaseID(2)])
        let (state, fresh) = (world.state, world.fresh())
        func next(_ answer: NodeProgress) -> NodeActionMachine.Step {
            let farewells = Dictionary(uniqueKeysWithValues: asked.map { ($0, answer) })
            return NodeActionMachine.next(
                action, in: state, copies: [:], farewells: farewells, unsettled: [], fresh: fresh, now: world.now)
        }
        guard case .wait(_, let reason) = next(.unreachable("cut off")) else { throw PlanError("gone", "") }
        #expect(reason == "node 4 has not confirmed that its proxy serves database 1 no longer")
        guard case .commit = next(.applied(state.head?.epoch ?? .zero)) else { throw PlanError("stays", "") }
    }

    /// Else it would be about to leave for ever, with nothing to cancel.
    @Test func aRemovalThatFailsLeavesTheNodeAsItWas() throws {
        var world = try world()
        let action = try remove(2, &world)
        for _ in 0..<500 where world.state.actions[action.id]?.status.isFinal == false {
            let parts = world.state.actions.values.filter { $0.parent == action.id && !$0.status.isFinal }
            let plans = parts.compactMap {
                Planner.abandonMigration($0.id, reason: "no luck", in: world.state, now: world.now)
            }
            if let plan = plans.first { world.commit(plan) } else { world.stepOnce() }
        }
        let node = try #require(world.state.nodes[NodeID(2)])
        #expect(world.state.actions[action.id]?.status == .failed)
        #expect(world.state.actions[action.id]?.message.contains("no luck") == true)
        #expect(node.status == .active && node.takesShards && !node.isLeaving)
        world.drive()
        #expect(world.brokenRules().isEmpty)
    }

    @Test func aStoreWithoutMajorityIsRefused() throws {
        var world = try world()
        world.fail(3)
        world.drive()
        #expect(refusal { _ = try remove(2, &world) }?.code == "no_quorum")
    }

    @Test func aNodeThatDiesWhileItLeavesComesBackAsOneThatLeaves() throws {
        var world = try world()
        let action = try remove(2, &world)
        world.stepOnce()
        world.fail(2)
        world.bringBack(2)
        #expect(world.state.nodes[NodeID(2)]?.status == .decommissioning)
        world.drive()
        #expect(world.state.actions[action.id]?.status == .completed && world.brokenRules().isEmpty)
    }

    // MARK: - Replica HA

    @Test func aReplicaLostForLongIsMadeAnewOneAtATime() throws {
        var world = World(nodes: 4)
        let database = try world.createActive(.named("orders", shards: 3, replicated: true, placement: .sparse))
        var watch = ReplicaWatch()
        var boot = BootTime(milliseconds: 5)
        func rebuild(_ world: inout World) -> Plan? {
            watch.look(at: world.state, now: boot)
            return Planner.rebuildLostReplica(in: world.state, watch, at: boot, fresh: world.fresh(), now: world.now)
        }
        #expect(rebuild(&world) == nil)
        world.fail(2)
        world.drive()
        // Whatever the wall clock does.
        world.pass(seconds: 86_400)
        #expect(rebuild(&world) == nil, "the grace period begins")
        boot = boot + 599_999
        #expect(rebuild(&world) == nil, "within the grace period")
        world.pass(seconds: -172_800)
        boot = boot + 1
        var rebuilt = 0
        while let plan = rebuild(&world) {
            world.commit(plan)
            #expect(rebuild(&world) == nil, "another one of the same database")
            world.drive()
            rebuilt += 1
        }
        let after = try #require(world.state.databases[database.id])
        #expect(rebuilt == database.shards.filter { $0.node == NodeID(2) }.count && rebuilt > 0)
        #expect(after.shards.count == 6 && !after.shards.map(\.node).contains(NodeID(2)))
        #expect(world.brokenRules().isEmpty)
    }

    @Test func aNodeThatCameBackIsLostAnewAndAFailureIsWaitedOut() throws {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("orders", shards: 1, replicated: true))
        let node = try #require(database.shards.first { $0.role == .replica }).node
        var watch = ReplicaWatch()
        func rebuild(_ world: inout World, at seconds: Int64) -> Plan? {
            let boot = BootTime(milliseconds: seconds * 1000)
            watch.look(at: world.state, now: boot)
            return Planner.rebuildLostReplica(in: world.state, watch, at: boot, fresh: world.fresh(), now: world.now)
        }
        world.fail(node.rawValue)
        #expect(rebuild(&world, at: 0) == nil)
        world.bringBack(node.rawValue)
        world.pass(seconds: 1)
        world.fail(node.rawValue)
        #expect(rebuild(&world, at: 500) == nil && rebuild(&world, at: 1099) == nil)
        let plan = try #require(rebuild(&world, at: 1100))
        world.commit(plan)
        #expect(rebuild(&world, at: 1101) == nil)
        let action = try #require(plan.action)
        world.commit(
            try #require(Planner.abandonMigration(action.id, reason: "full", in: world.state, now: world.now)))
        #expect(rebuild(&world, at: 1102) == nil && rebuild(&world, at: 1161) == nil)
        #expect(rebuild(&world, at: 1162) != nil)
        // A new leader has not seen it fail.
        watch = ReplicaWatch()
        #expect(rebuild(&world, at: 2000) == nil && rebuild(&world, at: 2600) != nil)
    }

    @Test func theGracePeriodIsAPolicy() throws {
        var world = World(nodes: 3)
        try world.createActive(.named("orders", shards: 1, replicated: true))
        world.commit(
            try Planner.changePolicy(
                detection: .low, rebuildsReplicas: nil, replicaGraceSeconds: 5, in: world.state))
        #expect(world.state.detection == .low)
        world.fail(1)
        world.drive()
        var watch = ReplicaWatch()
        watch.look(at: world.state, now: BootTime(milliseconds: 0))
        func rebuild(_ world: inout World, after seconds: Int64) -> Plan? {
            let boot = BootTime(milliseconds: seconds * 1000)
            return Planner.rebuildLostReplica(in: world.state, watch, at: boot, fresh: world.fresh(), now: world.now)
        }
        #expect(rebuild(&world, after: 4) == nil && rebuild(&world, after: 5) != nil)
        world.commit(
            try Planner.changePolicy(detection: nil, rebuildsReplicas: false, replicaGraceSeconds: nil, in: world.state)
        )
        #expect(rebuild(&world, after: 5) == nil)
        #expect(
            refusal {
                _ = try Planner.changePolicy(
                    detection: nil, rebuildsReplicas: nil, replicaGraceSeconds: -1, in: world.state)
            }?.status == 400)
    }

    // MARK: - Violations

    @Test func violationsAreTold() throws {
        var world = World(nodes: 3, racks: ["a", "b", "c"])
        let database = try world.createActive(.named("orders", shards: 1, replicated: true))
        for id in 1...3 {
            world.commit(Planner.setStoreRole(.voter, of: NodeID(id), in: world.state) ?? Plan(changes: []))
        }
        func codes() -> [Violation.Code] { ClusterCheck.violations(in: world.state).map(\.code) }
        #expect(codes().isEmpty)
        let (primary, replica) = (database.shards[0].node, database.shards[1].node)
        let rack = try #require(world.state.nodes[primary]).rackID
        world.commit(
            try Planner.changeNode(
                replica, rackID: rack.uppercased(), acceptsShards: nil, maximumShards: nil, maximumEndpoints: nil,
                in: world.state))
        #expect(codes() == [.rackViolated])
        world.commit(try #require(Planner.setStatus(.down, of: replica, in: world.state, now: world.now)))
        #expect(codes() == [.nodeDown, .tooFewVoters, .rackViolated, .replicaMissing])
        world.commit(try #require(Planner.setStatus(.down, of: primary, in: world.state, now: world.now)))
        #expect(codes().contains(.primaryDown))
        #expect(
            refusal {
                _ = try Planner.changeNode(
                    primary, rackID: "a b", acceptsShards: nil, maximumShards: nil, maximumEndpoints: nil,
                    in: world.state)
            }?.status == 400)
    }
}
