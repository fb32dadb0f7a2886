import ClusterModel
import ManagerCore
import Primitives
import Testing

/// What the simulator found in failovers and planned changes; the seeds are in `SeedTests`.
struct SimulatorFindingsTests {
    private func switching() throws -> (World, DatabaseConfiguration, ActionRecord) {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("orders", replicated: true))
        let plan = try Planner.switchOver(
            database.shards[0].id, to: database.shards[1].id, in: world.state, fresh: world.fresh(), now: world.now)
        world.commit(plan)
        return (world, world.state.databases[database.id]!, plan.action!)
    }

    private func step(_ action: ActionRecord, _ world: World) -> ActionStep {
        let database = world.state.databases[action.database]!
        let answers = database.involvedNodes.map { ($0, NodeProgress.applied(database.epoch)) }
        return ActionMachine.next(
            action, database: database, answers: Dictionary(uniqueKeysWithValues: answers), age: 0)
    }

    @Test func aSwitchoverIsNotDoneWhileItHolds() throws {
        var (world, database, action) = try switching()
        let replica = database.shards[1].id
        guard case .wait = step(action, world) else { throw PlanError("done", "\(step(action, world))") }
        #expect(refusal { try world.update(database.id) { $0.isReplicated = false } }?.code == "busy")
        let held = try #require(world.state.databases[database.id]).epoch
        world.commit(
            try #require(
                Planner.promoteHeld(
                    of: database.id, to: replica, drainedAt: held, in: world.state, now: world.now)))
        guard case .wait = step(action, world) else { throw PlanError("done", "\(step(action, world))") }
        world.commit(try #require(Planner.endTransition(of: database.id, to: replica, in: world.state, now: world.now)))
        #expect(step(action, world) == .complete)
    }

    @Test func aSwitchoverThatIsRolledBackHasFailed() throws {
        var (world, database, action) = try switching()
        let plan = try #require(
            Planner.rollBack(of: database.id, to: database.shards[1].id, in: world.state, now: world.now))
        world.commit(plan)
        #expect(world.state.actions[action.id]?.status == .failed)
        #expect(world.state.databases[database.id]?.status == .active)
        #expect(world.state.databases[database.id]?.primaries.map(\.id) == [database.shards[0].id])
    }

    @Test func newReplicasTakeOverOnlyWhenEveryProxyNeedsTheLease() throws {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("orders"))
        try world.update(database.id) { $0.isReplicated = true }
        world.finishAll()
        let changed = world.state.databases[database.id]!
        let (primary, replica) = (changed.shards[0], changed.shards[1].id)
        #expect(
            refusal {
                _ = try Planner.failOver(
                    primary.id, to: replica, in: world.state, fresh: world.fresh(), now: world.now)
            }?.code == "replica_new")
        world.commit(try #require(Planner.setStatus(.down, of: primary.node, in: world.state, now: world.now)))
        let lost = { (world: inout World) in
            Planner.failOverLost(
                of: database.id, to: { _ in replica }, in: world.state, fresh: world.fresh(), now: world.now)
        }
        #expect(lost(&world) == nil)
        // What was confirmed was another epoch.
        #expect(Planner.noteLeased(database.id, by: database.epoch, in: world.state, now: world.now) == nil)
        world.commit(
            try #require(Planner.noteLeased(database.id, by: changed.epoch, in: world.state, now: world.now)))
        #expect(lost(&world)?.database?.primaries.map(\.id) == [replica])
    }

    /// It slept over its removal and votes by its old copy; the plan is made anew from the newest state. Nobody would
    /// ever take the vote back.
    @Test func aNodeThatWasRemovedHasNoVote() throws {
        var world = World(nodes: 4)
        world.commit(Plan(changes: [.removed(.node(NodeID(4)))]))
        #expect(Planner.suspect(NodeID(1), by: NodeID(4), in: world.state) == nil)
        #expect(Planner.suspect(NodeID(1), by: NodeID(2), in: world.state) != nil)
    }

    /// A failover planned by another node from the record before would bring the old status back.
    @Test func whoeverWritesARecordWritesTheHead() throws {
        var world = World(nodes: 3)
        let database = try world.create(.named("orders", replicated: true))
        let action = world.state.unfinishedActions(of: database.id)[0]
        let finish = try #require(Planner.finish(action, outcome: .completed, in: world.state, now: world.now))
        #expect(finish.changes.contains { $0.key == .head })
        let role = try #require(Planner.setStoreRole(.learner, of: NodeID(2), in: world.state))
        #expect(role.changes.contains { $0.key == .head })
    }

    @Test func aNodeThatIsBackIsNotSuspectedForItsSilenceBefore() throws {
        var world = World(nodes: 3)
        let profile = DetectionProfile.high
        var watch = PeerWatch(own: NodeID(1))
        var now = BootTime(milliseconds: 0)
        func look() -> [PeerWatch.Step] {
            now = now + profile.heartbeat
            _ = watch.heard(NodeID(3), lease: profile.lease, at: now, in: world.state)
            return watch.steps(at: now, in: world.state, profile: profile)
        }
        var steps: [PeerWatch.Step] = []
        while steps.isEmpty, now < BootTime(milliseconds: 10_000) { steps = look() }
        #expect(steps == [.suspect(NodeID(2))])
        world.commit(try #require(Planner.suspect(NodeID(2), by: NodeID(1), in: world.state)))
        watch.ended(.suspect(NodeID(2)), isDone: true, at: now)
        world.commit(try #require(Planner.setStatus(.down, of: NodeID(2), in: world.state, now: world.now)))
        for _ in 0..<20 { #expect(look().isEmpty) }
        world.commit(try #require(Planner.readmit(NodeID(2), in: world.state, now: world.now)))
        let back = now
        while now - back < profile.suspicion { #expect(look().isEmpty) }
        for _ in 0..<2 where steps.count < 2 { steps += look() }
        #expect(steps.count == 2)
    }

    @Test func aReplicaStaysOutOfItsPrimarysRackWhenThePrimarysNodeIsDown() throws {
        var world = World(nodes: 4, racks: ["a", "b", "a", "b"])
        let database = try world.createActive(.named("orders"))
        let primary = database.shards[0].node
        world.commit(try #require(Planner.setStatus(.down, of: primary, in: world.state, now: world.now)))
        try world.update(database.id) { $0.isReplicated = true }
        let replica = world.state.databases[database.id]!.shards[1].node
        #expect(world.state.nodes[replica]?.rackID != world.state.nodes[primary]?.rackID)
    }

    /// Its endpoint may have moved away from a node whose proxy serves it still.
    @Test func aSwitchoverWaitsForNodesThatServeTheDatabaseNoMore() throws {
        var world = World(nodes: 4)
        var policy = DatabasePolicy.named("orders", replicated: true)
        policy.proxyPolicy = .single
        let database = try world.createActive(policy)
        let (primary, replica) = (database.shards[0].id, database.shards[1].id)
        world.commit(
            try Planner.switchOver(primary, to: replica, in: world.state, fresh: world.fresh(), now: world.now))
        let held = world.state.databases[database.id]!
        let action = world.state.unfinishedActions(of: database.id)[0]
        let nodes = SwitchoverMachine.nodesToAsk(held.transitions[0], of: held, in: world.state)
        #expect(nodes == (1...4).map { NodeID($0) } && held.endpoint.nodes.count == 1)
        let copies = [primary, replica].map { ($0, ShardCopy(offset: 9, isRunning: true)) }
        let other = try #require(nodes.first { !held.involvedNodes.contains($0) })
        func next(_ answer: NodeProgress) -> SwitchoverMachine.Step {
            var answers = Dictionary(uniqueKeysWithValues: nodes.map { ($0, NodeProgress.applied(held.epoch)) })
            answers[other] = answer
            return SwitchoverMachine.next(
                action, of: held, in: world.state, answers: answers,
                copies: Dictionary(uniqueKeysWithValues: copies), heldFor: 0)
        }
        #expect(next(.applied(held.epoch)) == .promote(drainedAt: held.epoch))
        #expect(next(.unreachable("away")) == .wait(progress: 20, message: "away"))
    }
}
