import ClusterModel
import ManagerCore
import Primitives
import Testing

@Suite struct MigrationTests {
    private func world(
        replicated: Bool, nodes: Int = 3, racks: [String] = []
    ) throws -> (World, DatabaseConfiguration) {
        var world = World(nodes: nodes, racks: racks)
        let database = try world.createActive(
            .named("orders", shards: replicated ? 2 : 1, replicated: replicated, placement: .sparse))
        return (world, database)
    }

    private func begin(_ shard: ShardID, _ node: Int, _ world: inout World) throws -> ActionRecord {
        let plan = try Planner.migrate(
            shard, to: NodeID(node), in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return try #require(plan.action)
    }

    @Test func anUnreplicatedPrimaryMovesThroughATemporaryCopy() throws {
        var (world, before) = try world(replicated: false)
        let source = before.shards[0]
        let action = try begin(source.id, 3, &world)
        let copying = try #require(world.state.databases[before.id])
        #expect(copying.shards.map(\.role) == [.primary, .replica] && copying.shards[1].isCopying)
        // Two copies need the lease, and neither the policy nor anybody's memory limit has changed.
        #expect(copying.needsLease && !copying.isLeased && copying.policy == before.policy)
        #expect(world.state.usage[NodeID(3)].promisedMemory == before.policy.memoryLimitPerShard)
        world.drive()
        let after = try #require(world.state.databases[before.id])
        #expect(after.shards.map(\.node) == [NodeID(3)] && after.shards.map(\.role) == [.primary])
        #expect(after.status == .active && !after.needsLease && after.isLeased && world.brokenRules().isEmpty)
        #expect(world.state.actions[action.id]?.status == .completed)
        #expect(world.state.usage[source.node].shardCount == 0)
    }

    @Test func aPrimaryKeepsItsRoleAndItsReplica() throws {
        var (world, before) = try world(replicated: true, nodes: 4)
        let source = before.primaries[0]
        let taken = before.copies(of: source.slots).map(\.node)
        let target = try #require((1...4).map { NodeID($0) }.first { !taken.contains($0) })
        _ = try begin(source.id, target.rawValue, &world)
        world.drive()
        let after = try #require(world.state.databases[before.id])
        #expect(after.primaries.first { $0.slots == source.slots }?.node == target)
        #expect(after.copies(of: source.slots).count == 2 && after.shards.count == 4)
        #expect(world.brokenRules().isEmpty)
    }

    @Test func aReplicaMovesWithoutAPause() throws {
        var (world, before) = try world(replicated: true, nodes: 4)
        let source = try #require(before.shards.first { $0.role == .replica })
        let taken = before.copies(of: source.slots).map(\.node)
        let target = try #require((1...4).map { NodeID($0) }.first { !taken.contains($0) })
        let action = try begin(source.id, target.rawValue, &world)
        while let running = world.state.actions[action.id], !running.status.isFinal {
            #expect(world.state.databases[before.id]?.transitions.isEmpty == true)
            let hasMoved = world.stepOnce()
            #expect(hasMoved)
        }
        let after = try #require(world.state.databases[before.id])
        #expect(after.shards.map(\.role) == before.shards.map(\.role))
        #expect(after.shards.contains { $0.role == .replica && $0.node == target } && world.brokenRules().isEmpty)
    }

    /// Before the copy is whole and every proxy knows of it, nothing may make it a primary.
    @Test func aCopyThatIsBeingFilledTakesOverFromNobody() throws {
        var (world, before) = try world(replicated: false)
        let source = before.shards[0]
        let action = try begin(source.id, 3, &world)
        let copy = try #require(action.shard)
        let refused = refusal {
            _ = try Planner.failOver(source.id, to: copy, in: world.state, fresh: world.fresh(), now: world.now)
        }
        #expect(["replica_not_synced", "replica_new"].contains(refused?.code))
        let state = world.state
        #expect(state.databases[before.id]?.replicas(of: source, in: state).isEmpty == true)
        world.fail(source.node.rawValue)
        #expect(Planner.databasesWithLostPrimaries(in: world.state).isEmpty)
        // Its only source is gone: the migration ends, and the record is as it was.
        world.drive()
        let after = try #require(world.state.databases[before.id])
        #expect(after.shards == before.shards && after.status == .active)
        #expect(world.state.actions[action.id]?.status == .failed)
    }

    /// A proxy that never heard of the second copy, on a node that is down or cut off, holds no lease that could end.
    @Test func anUnreplicatedShardWaitsForEveryNodeThatServesIt() throws {
        var (world, before) = try world(replicated: false)
        let source = before.shards[0]
        world.fail(2)
        let action = try begin(source.id, 3, &world)
        guard case .wait(_, let message) = world.migrationStep(action) else {
            return #expect(Bool(false), "it doesn't wait")
        }
        #expect(message.contains("node 2 serves the database and is down"))
        world.bringBack(2)
        world.drive()
        #expect(world.state.databases[before.id]?.primaries[0].node == NodeID(3))
    }

    /// Redis sends a copy nothing more until it has reported, once a second: clients would wait for that.
    @Test func requestsAreNotHeldForACopyThatLagsBehind() throws {
        var (world, before) = try world(replicated: true, nodes: 4)
        let source = before.primaries[0]
        let taken = before.copies(of: source.slots).map(\.node)
        let target = try #require((1...4).map { NodeID($0) }.first { !taken.contains($0) })
        let action = try begin(source.id, target.rawValue, &world)
        let (state, copy) = (world.state, try #require(action.shard))
        let database = try #require(state.databases[before.id])
        func step(_ offset: Int64) -> MigrationMachine.Step {
            let answers = Dictionary(
                uniqueKeysWithValues: database.involvedNodes.map { ($0, NodeProgress.applied(database.epoch)) })
            let copies = [
                source.id: ShardCopy(offset: 5_000_000, isRunning: true),
                copy: ShardCopy(offset: offset, isRunning: true),
            ]
            return MigrationMachine.next(
                action, of: database, in: state, answers: answers, copies: copies, age: 0, heldFor: 0)
        }
        guard case .wait(10, _) = step(0) else { return #expect(Bool(false), "\(step(0))") }
        guard case .wait(10, _) = step(1_000_000) else { return #expect(Bool(false), "\(step(1_000_000))") }
        #expect(step(4_999_000) == .advance)
    }

    @Test func whatCannotBeIsRefused() throws {
        var (world, before) = try world(replicated: true, nodes: 4, racks: ["a", "b", "a", "c"])
        let primary = before.primaries[0]
        let replica = try #require(before.copies(of: primary.slots).first { $0.role == .replica })
        func code(_ shard: ShardID, _ node: Int) -> String? {
            refusal {
                _ = try Planner.migrate(
                    shard, to: NodeID(node), in: world.state, fresh: world.fresh(), now: world.now)
            }?.code
        }
        #expect(code(ShardID(99), 1) == "shard_not_exist")
        #expect(code(primary.id, 9) == "node_not_found")
        #expect(code(primary.id, primary.node.rawValue) == "shard_on_node")
        #expect(code(primary.id, replica.node.rawValue) == "replication_node_violation")
        let rack = try #require(world.state.nodes[primary.node]).rackID
        if let beside = world.state.sortedNodes.first(where: { $0.rackID == rack && $0.id != primary.node }) {
            #expect(code(replica.id, beside.id.rawValue) == "rack_awareness_violation")
            #expect(
                refusal {
                    _ = try Planner.migrate(
                        replica.id, to: beside.id, ignoresRacks: true, in: world.state, fresh: world.fresh(),
                        now: world.now)
                } == nil)
        }
        world.commit(try #require(Planner.setStatus(.down, of: NodeID(4), in: world.state, now: world.now)))
        #expect(code(primary.id, 4) == "node_not_available")
    }

    @Test func aFullNodeIsRefusedWithFigures() throws {
        var world = World(nodes: 2, memory: .megabytes(300))
        let first = try world.createActive(.named("one", .megabytes(200)))
        let node = first.shards[0].node
        let second = try world.createActive(.named("two", .megabytes(200)))
        let refused = refusal {
            _ = try Planner.migrate(
                second.shards[0].id, to: node, in: world.state, fresh: world.fresh(), now: world.now)
        }
        #expect(refused?.code == "insufficient_resources")
        #expect(refused?.message.contains("node \(node) has") == true)
    }

    @Test func itCanBeCancelledUntilTheRolesAreSwapped() throws {
        var (world, before) = try world(replicated: false)
        let action = try begin(before.shards[0].id, 3, &world)
        var steps = 0
        // In each state on the way a cancellation either leaves no trace or is refused.
        while let running = world.state.actions[action.id], !running.status.isFinal {
            var branch = world
            if let plan = try? Planner.cancel(action.id, in: branch.state, now: branch.now) {
                branch.commit(plan)
                branch.drive()
                #expect(branch.state.databases[before.id]?.shards == before.shards)
                #expect(branch.state.actions[action.id]?.message == "cancelled")
            } else {
                branch.drive()
                #expect(branch.state.databases[before.id]?.shards.map(\.node) == [NodeID(3)])
            }
            #expect(branch.brokenRules().isEmpty)
            steps += 1
            let hasMoved = world.stepOnce()
            #expect(hasMoved)
        }
        #expect(steps > 4)
        #expect(
            refusal { _ = try Planner.cancel(action.id, in: world.state, now: world.now) }?.code == "action_ended")
    }

    @Test func aSwapThatDoesNotComeThroughIsTriedThreeTimes() throws {
        var (world, before) = try world(replicated: false)
        let action = try begin(before.shards[0].id, 3, &world)
        for round in 1...MigrationMachine.maximumRollbacks {
            world.commit(try #require(Planner.advanceMigration(action.id, in: world.state, now: world.now)))
            #expect(world.state.databases[before.id]?.transitions.map(\.phase) == [.hold])
            world.commit(
                try #require(
                    Planner.rollBackMigration(action.id, reason: "slow", in: world.state, now: world.now)))
            #expect(world.state.actions[action.id]?.rollbacks == round)
        }
        let running = try #require(world.state.actions[action.id])
        #expect(world.migrationStep(running) == .abandon(reason: "its change of primaries didn't come through: slow"))
        world.drive()
        #expect(world.state.databases[before.id]?.shards == before.shards && world.brokenRules().isEmpty)
    }

    /// Every node on the way is lost in every state; the cluster comes to rest with all slots and no rests.
    @Test(arguments: [1, 2, 3, 4])
    func whateverIsLostOnTheWayNothingIsLeftHalfDone(lost: Int) throws {
        var (world, before) = try world(replicated: true, nodes: 4)
        let source = before.primaries[0]
        let taken = before.copies(of: source.slots).map(\.node)
        let target = try #require((1...4).map { NodeID($0) }.first { !taken.contains($0) })
        let action = try begin(source.id, target.rawValue, &world)
        world.lose(lost, onTheWayOf: action, copiesOf: source, before.id)
    }
}
