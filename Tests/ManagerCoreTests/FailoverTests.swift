import ClusterModel
import ManagerCore
import Primitives
import Testing

@Suite struct FailoverTests {
    private func world() throws -> (World, DatabaseConfiguration) {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("orders", shards: 3, replicated: true, placement: .sparse))
        return (world, database)
    }

    @Test func aFailoverFencesAndEndsWhenTheNewPrimaryIsOne() throws {
        var (world, before) = try world()
        let (old, new) = (before.shards[0], before.shards[1])
        world.commit(
            try Planner.failOver(old.id, to: new.id, in: world.state, fresh: world.fresh(), now: world.now))
        let during = try #require(world.state.databases[before.id])
        #expect(during.fence == during.epoch && world.state.head?.fence == during.epoch)
        #expect(during.shards[0].isFenced && !during.shards[1].isFenced)
        #expect(during.transition(of: old.slots)?.phase == .promote)
        #expect(during.transition(of: old.slots)?.isPlanned == false)
        world.commit(try #require(Planner.endTransition(of: before.id, to: new.id, in: world.state, now: world.now)))
        let after = try #require(world.state.databases[before.id])
        #expect(after.transitions.isEmpty && after.epoch == during.epoch.next && after.fence == during.fence)
        #expect(Planner.endTransition(of: before.id, to: new.id, in: world.state, now: world.now) == nil)
        // The way back lifts the fence of the one and sets the other's.
        world.commit(try Planner.failOver(new.id, to: old.id, in: world.state, fresh: world.fresh(), now: world.now))
        #expect(world.state.databases[before.id]?.shards.filter(\.isFenced).map(\.id) == [new.id])
    }

    @Test func aLostNodeLosesItsPrimariesAtOnce() throws {
        var (world, before) = try world()
        #expect(Planner.databasesWithLostPrimaries(in: world.state).isEmpty)
        let lost = before.primaries[0].node
        world.commit(try #require(Planner.setStatus(.down, of: lost, in: world.state, now: world.now)))
        #expect(Planner.databasesWithLostPrimaries(in: world.state) == [before.id])
        let state = world.state
        world.commit(
            try #require(
                Planner.failOverLost(
                    of: before.id, to: { before.replicas(of: $0, in: state).first?.id }, in: world.state,
                    fresh: world.fresh(), now: world.now)))
        let after = try #require(world.state.databases[before.id])
        #expect(after.primaries.allSatisfy { $0.node != lost } && after.primaries.count == 3)
        #expect(Planner.databasesWithLostPrimaries(in: world.state).isEmpty)
        let moved = before.primaries.filter { $0.node == lost }.map(\.id)
        #expect(after.shards.filter(\.isFenced).map(\.id) == moved && after.transitions.map(\.from) == moved)
        // All-nodes endpoints keep the lost node: it serves again when it is back.
        #expect(after.endpoint.nodes == before.endpoint.nodes)
    }

    @Test func aSecondLossReplacesTheTransitionOfTheFirst() throws {
        var (world, before) = try world()
        let (old, new) = (before.shards[0].id, before.shards[1].id)
        world.commit(try Planner.failOver(old, to: new, in: world.state, fresh: world.fresh(), now: world.now))
        world.commit(try Planner.failOver(new, to: old, in: world.state, fresh: world.fresh(), now: world.now))
        #expect(world.state.databases[before.id]?.transitions.map(\.to) == [old])
    }

    @Test func theMostAdvancedReplicaIsChosen() {
        let copies = [
            ShardID(4): ShardCopy(offset: 70, isRunning: true), ShardID(3): ShardCopy(offset: 90, isRunning: true),
            ShardID(2): ShardCopy(offset: 90, isRunning: true), ShardID(1): ShardCopy(offset: 100, isRunning: false),
        ]
        #expect(ReplicaChoice(persistence: .none).best(of: copies) == ShardID(2))
        let empty = [ShardID(1): ShardCopy(offset: 0, isRunning: true)]
        #expect(ReplicaChoice(persistence: .none).best(of: empty) == ShardID(1))
        #expect(ReplicaChoice(persistence: .appendOnly(everyWrite: false)).best(of: empty) == nil)
    }

    // MARK: - Planned

    /// Few bytes are missing, but they don't come.
    @Test func aReplicaThatIsSentNothingIsNotInSync() throws {
        let (world, database) = try world()
        let (primary, replica) = (database.shards[0].id, database.shards[1].id)
        func copies(_ offsets: (Int64, Int64)) -> [ShardID: ShardCopy] {
            [
                primary: ShardCopy(offset: offsets.0, isRunning: true),
                replica: ShardCopy(offset: offsets.1, isRunning: true),
            ]
        }
        func lag(_ before: (Int64, Int64), _ after: (Int64, Int64)) -> String? {
            NodeActionMachine.lag(
                of: replica, behind: primary,
                CopyInspection.conclude(before: copies(before), after: copies(after), in: world.state))
        }
        #expect(lag((500, 400), (900, 500)) == nil)
        #expect(lag((500, 400), (900, 400)) == "replica \(replica) is not in sync with its primary \(primary)")
        #expect(lag((400, 400), (500, 400)) == "replica \(replica) is not in sync with its primary \(primary)")
        #expect(lag((500, 0), (600, 550)) == "replica \(replica) is not in sync with its primary \(primary)")
        #expect(lag((400, 400), (400, 400)) == nil)
    }

    @Test func aSwitchoverHoldsPromotesAndEnds() throws {
        var (world, before) = try world()
        let (old, new) = (before.shards[0], before.shards[1])
        let begun = try Planner.switchOver(old.id, to: new.id, in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(begun)
        let action = try #require(begun.action)
        let held = try #require(world.state.databases[before.id])
        #expect(held.shards == before.shards && held.transitions.map(\.phase) == [.hold])
        #expect(
            refusal {
                _ = try Planner.switchOver(old.id, to: new.id, in: world.state, fresh: world.fresh(), now: world.now)
            }?.code == "db_busy")

        let transition = held.transitions[0]
        let nodes = SwitchoverMachine.nodesToAsk(transition, of: held, in: world.state)
        #expect(nodes == [NodeID(1), NodeID(2), NodeID(3)])
        let drained = Dictionary(uniqueKeysWithValues: nodes.map { ($0, NodeProgress.applied(held.epoch)) })
        let even = [old.id: ShardCopy(offset: 70, isRunning: true), new.id: ShardCopy(offset: 70, isRunning: true)]
        let behind = [old.id: ShardCopy(offset: 71, isRunning: true), new.id: ShardCopy(offset: 70, isRunning: true)]
        func next(
            _ answers: [NodeID: NodeProgress], _ copies: [ShardID: ShardCopy], after seconds: Int64 = 0
        ) -> SwitchoverMachine.Step {
            SwitchoverMachine.next(
                action, of: world.state.databases[before.id]!, in: world.state, answers: answers, copies: copies,
                heldFor: seconds * 1000)
        }
        #expect(next(drained, even) == .promote(drainedAt: held.epoch))
        #expect(next(drained, behind) == .wait(progress: 20, message: "shard \(new.id) lacks 1 bytes of the stream"))
        var open = drained
        open[NodeID(2)] = .unreachable("gone")
        #expect(next(open, even) == .wait(progress: 20, message: "gone"))
        #expect(next(open, even, after: 3) == .rollBack(reason: "gone"))

        #expect(
            Planner.promoteHeld(
                of: before.id, to: new.id, drainedAt: before.epoch, in: world.state, now: world.now) == nil)
        world.commit(
            try #require(
                Planner.promoteHeld(
                    of: before.id, to: new.id, drainedAt: held.epoch, in: world.state, now: world.now)))
        let swapped = try #require(world.state.databases[before.id])
        #expect(swapped.shards[1].role == .primary && swapped.transitions.map(\.phase) == [.promote])
        #expect(!swapped.shards[0].isFenced && swapped.fence == before.fence)
        #expect(Planner.rollBack(of: before.id, to: new.id, in: world.state, now: world.now) == nil)
        guard case .wait = next([:], [:]) else { return #expect(Bool(false)) }
        world.commit(try #require(Planner.endTransition(of: before.id, to: new.id, in: world.state, now: world.now)))
        #expect(next([:], [:]) == .complete)
    }

    @Test func aSwitchoverThatIsRolledBackFails() throws {
        var (world, before) = try world()
        let (old, new) = (before.shards[0].id, before.shards[1].id)
        let begun = try Planner.switchOver(old, to: new, in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(begun)
        world.commit(try #require(Planner.rollBack(of: before.id, to: new, in: world.state, now: world.now)))
        let database = try #require(world.state.databases[before.id])
        #expect(database.transitions.isEmpty && database.shards == before.shards)
        let step = SwitchoverMachine.next(
            try #require(begun.action), of: database, in: world.state, answers: [:], copies: [:], heldFor: 0)
        #expect(step == .fail(message: "rolled back: it was overtaken"))
    }

    @Test func aSwitchoverNeedsALivingReplica() throws {
        var (world, before) = try world()
        world.commit(
            try #require(Planner.setStatus(.down, of: before.shards[1].node, in: world.state, now: world.now)))
        #expect(
            refusal {
                _ = try Planner.switchOver(
                    before.shards[0].id, to: before.shards[1].id, in: world.state, fresh: world.fresh(), now: world.now)
            }?.code == "replica_down")
    }
}
