import ClusterModel
import ManagerCore
import Primitives
import Testing

/// A shard moves whose writes wait for a replica: at no moment does anybody confirm one that a failover would lose.
@Suite struct DurableMigrationTests {
    private func world() throws -> (World, DatabaseConfiguration) {
        var world = World(nodes: 4)
        var policy = DatabasePolicy.named("orders", shards: 2, replicated: true, placement: .sparse)
        policy.durability = .replica
        let database = try world.createActive(policy)
        return (world, database)
    }

    private func begin(
        _ role: ShardConfiguration.Role, _ before: DatabaseConfiguration, _ world: inout World
    ) throws -> (source: ShardConfiguration, action: ActionRecord) {
        let source = try #require(before.shards.first { $0.role == role })
        let taken = before.copies(of: source.slots).map(\.node)
        let target = try #require((1...4).map { NodeID($0) }.first { !taken.contains($0) })
        let plan = try Planner.migrate(source.id, to: target, in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return (source, try #require(plan.action))
    }

    /// Shards that are attached to the primary, so that it takes their word for a write.
    private func confirming(_ slots: SlotRange, _ world: World) throws -> [ShardConfiguration] {
        let database = try #require(world.state.databases[DatabaseID(1)])
        let primary = try #require(database.copies(of: slots).first { $0.role == .primary })
        return database.copies(of: slots).filter { shard in
            database.source(of: shard) { world.state.lostNodes.contains($0) }?.id == primary.id
        }
    }

    @Test(arguments: [ShardConfiguration.Role.primary, .replica])
    func onlyTheReplicaThatWouldTakeOverConfirms(moved: ShardConfiguration.Role) throws {
        var (world, before) = try world()
        let (source, action) = try begin(moved, before, &world)
        var last = try confirming(source.slots, world)
        var phases: [ShardTransition.Phase] = []
        while let running = world.state.actions[action.id], !running.status.isFinal {
            let database = try #require(world.state.databases[before.id])
            let now = try confirming(source.slots, world)
            #expect(now.count == 1 && !now.contains(where: \.isCopying))
            let transition = database.transition(of: source.slots)
            // It may have confirmed what another one has not got yet, unless nothing is written.
            if now.map(\.id) != last.map(\.id) { #expect(transition != nil, "\(last) was followed by \(now)") }
            if let transition, phases.last != transition.phase { phases.append(transition.phase) }
            last = now
            let hasMoved = world.stepOnce()
            #expect(hasMoved)
        }
        #expect(phases == (moved == .primary ? [.hold, .promote] : [.hold, .replace]))
        let after = try #require(world.state.databases[before.id])
        let copies = after.copies(of: source.slots)
        #expect(copies.count == 2 && !copies.contains { $0.id == source.id } && world.brokenRules().isEmpty)
        #expect(copies.first { $0.role == moved }?.id == action.shard)
        #expect(world.state.actions[action.id]?.status == .completed)
    }

    /// Else it would be a replica of the new primary for a moment, and confirm what the other one lacks.
    @Test func aPrimaryThatHasMovedGoesBeforeRequestsGoOn() throws {
        var (world, before) = try world()
        let (source, action) = try begin(.primary, before, &world)
        while world.state.databases[before.id]?.transitions.first?.phase != .promote { world.stepOnce() }
        #expect(world.state.databases[before.id]?.shards.contains { $0.id == source.id } == true)
        let copy = try #require(action.shard)
        let end = Planner.endTransition(of: before.id, to: copy, in: world.state, now: world.now)
        world.commit(try #require(end))
        let database = try #require(world.state.databases[before.id])
        #expect(database.transitions.isEmpty && !database.shards.contains { $0.id == source.id })
        // Its node has to make that true before the migration has ended.
        let running = try #require(world.state.actions[action.id])
        let question = MigrationMachine.question(running, of: database, in: world.state)
        #expect(question.nodes.contains(source.node) && question.epoch == database.epoch)
    }

    /// The replica is not known to be gone, and could confirm what the copy lacks.
    @Test func requestsAreHeldUntilTheReplicaIsGone() throws {
        var (world, before) = try world()
        let (source, action) = try begin(.replica, before, &world)
        while world.state.databases[before.id]?.transitions.first?.phase != .replace { world.stepOnce() }
        let database = try #require(world.state.databases[before.id])
        let running = try #require(world.state.actions[action.id])
        let nodes = MigrationMachine.question(running, of: database, in: world.state).nodes
        let primary = try #require(database.copies(of: source.slots).first { $0.role == .primary })
        let copy = try #require(database.shards.first { $0.id == action.shard })
        #expect(nodes == [primary.node, copy.node].sorted())
        func step(_ answer: NodeProgress, heldFor: Int64) -> MigrationMachine.Step {
            var answers = Dictionary(uniqueKeysWithValues: nodes.map { ($0, NodeProgress.applied(database.epoch)) })
            answers[primary.node] = answer
            return MigrationMachine.next(
                running, of: database, in: world.state, answers: answers, copies: [:], age: 0, heldFor: heldFor)
        }
        #expect(step(.waiting("is attached"), heldFor: 0) == .wait(progress: 80, message: "is attached"))
        #expect(step(.applied(database.epoch), heldFor: 0) == .advance)
        // Clients can't wait for ever, and the replica's node may be dead.
        #expect(step(.waiting("is attached"), heldFor: 4000) == .advance)
        #expect(refusal { _ = try Planner.cancel(action.id, in: world.state, now: world.now) }?.code == "cannot_cancel")
    }

    /// Its data comes from the replica, which would be the primary then.
    @Test func noSwitchoverWhileACopyIsFilled() throws {
        var (world, before) = try world()
        let (source, action) = try begin(.primary, before, &world)
        let replica = try #require(before.copies(of: source.slots).first { $0.role == .replica })
        func refused(_ world: inout World) -> String? {
            refusal {
                _ = try Planner.switchOver(
                    source.id, to: replica.id, in: world.state, fresh: world.fresh(), now: world.now)
            }?.code
        }
        #expect(refused(&world) == "db_busy")
        world.commit(try Planner.cancel(action.id, in: world.state, now: world.now))
        #expect(refused(&world) == nil)
    }

    @Test func aCopyOutlivesTheReplicaThatItIsFilledFrom() throws {
        var (world, before) = try world()
        let (source, action) = try begin(.primary, before, &world)
        let database = try #require(world.state.databases[before.id])
        let replica = try #require(before.copies(of: source.slots).first { $0.role == .replica })
        let copy = try #require(database.shards.first { $0.id == action.shard })
        #expect(database.source(of: copy) { _ in false }?.id == replica.id)
        #expect(database.source(of: copy) { $0 == replica.node }?.id == source.id)
        #expect(database.source(of: replica) { _ in false }?.id == source.id)
        #expect(database.source(of: source) { _ in false } == nil)
        // Where nobody waits, the primary fills it.
        var async = database
        async.policy.durability = .async
        #expect(async.source(of: copy) { _ in false }?.id == source.id)
    }

    /// Every node on the way is lost in every state; the cluster comes to rest with two copies and no rests.
    @Test(arguments: [1, 2, 3, 4], [ShardConfiguration.Role.primary, .replica])
    func whateverIsLostOnTheWayNothingIsLeftHalfDone(lost: Int, moved: ShardConfiguration.Role) throws {
        var (world, before) = try world()
        let (source, action) = try begin(moved, before, &world)
        world.lose(lost, onTheWayOf: action, copiesOf: source, before.id)
    }

    /// A hold that doesn't come through is tried three times, then the copy goes and the replica stays.
    @Test func aReplicaThatCannotBeReplacedStays() throws {
        var (world, before) = try world()
        let (_, action) = try begin(.replica, before, &world)
        for _ in 1...MigrationMachine.maximumRollbacks {
            world.commit(try #require(Planner.advanceMigration(action.id, in: world.state, now: world.now)))
            world.commit(
                try #require(Planner.rollBackMigration(action.id, reason: "slow", in: world.state, now: world.now)))
        }
        world.drive()
        #expect(world.state.databases[before.id]?.shards == before.shards && world.brokenRules().isEmpty)
        #expect(world.state.actions[action.id]?.status == .failed)
    }
}
