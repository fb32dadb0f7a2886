import ClusterModel
import ManagerCore
import ManagerService
import Primitives
import Testing

/// Leaders whose wall clocks are an hour apart, or are set while they work.
@Suite struct ClockTests {
    private let fixture: ClusterFixture
    private let clock = FakeClock()

    init() async throws {
        fixture = try await ClusterFixture()
    }

    private func create(_ member: ClusterMember, replicated: Bool = false) async throws -> DatabaseConfiguration {
        try await eventually("leads") { await member.leadership.current }
        var policy = ClusterFixture.policy
        policy.isReplicated = replicated
        let (plan, _) = try await member.editor.edit { [policy] state throws(PlanError) in
            try Planner.createDatabase(
                policy, id: nil, in: state, fresh: ClusterFixture.fresh("a"), now: ClusterFixture.start)
        }
        return try #require(plan?.database)
    }

    @Test(arguments: [-3600, 3600])
    func anActionIsFollowedWhateverTheLeadersWallClockSays(seconds: Int64) async throws {
        let member = fixture.member(1, clock: clock)
        let nodes = FakeNodes { _ in .waiting("redis is loading") }
        try await fixture.running(member, nodes: nodes) {
            let id = try await create(member).id
            clock.set(wall: seconds)
            nodes.say { _ in .waiting("redis still loads") }
            let told = try await state(of: member) {
                $0.actions[ActionID("a")]?.message.contains("still") == true
            }
            #expect(told.actions[ActionID("a")]?.status == .active)
            nodes.say { .applied($0) }
            _ = try await state(of: member) { $0.databases[id]?.status == .active }
        }
    }

    @Test(arguments: [-3600, 3600])
    func anActionIsGivenUpWhenTheLeaderHasWaitedLongEnough(seconds: Int64) async throws {
        let member = fixture.member(1, clock: clock)
        try await fixture.running(member, nodes: FakeNodes { _ in .waiting("redis is loading") }) {
            _ = try await create(member)
            clock.set(wall: seconds)
            _ = try await state(of: member) { $0.actions[ActionID("a")]?.message.contains("loading") == true }
            clock.pass(seconds: ActionMachine.deadlineSeconds)
            let failed = try await state(of: member) { $0.actions[ActionID("a")]?.status == .failed }
            #expect(failed.actions[ActionID("a")]?.message == "gave up waiting: node 1: redis is loading")
        }
    }

    /// Begins a switchover that a node doesn't answer to and moves the wall clock.
    private func holding(
        _ seconds: Int64, _ body: @Sendable (ClusterMember, DatabaseID, ShardID, FakeNodes) async throws -> Void
    ) async throws {
        try await fixture.addNode(2)
        let member = fixture.member(1, clock: clock)
        let nodes = FakeNodes { .applied($0) }
        let copies: CopyProbe = { shards in
            Dictionary(uniqueKeysWithValues: shards.map { ($0.id, ShardCopy(offset: 7, isRunning: true)) })
        }
        try await fixture.running(member, nodes: nodes, copies: copies) {
            let database = try await create(member, replicated: true)
            _ = try await state(of: member) { $0.databases[database.id]?.status == .active }
            let from = try #require(database.shards.first { $0.role == .primary }).id
            let to = try #require(database.shards.first { $0.role == .replica }).id
            nodes.say { _ in .waiting("it holds nothing") }
            clock.set(wall: -seconds)
            try await member.editor.edit { [clock] state throws(PlanError) in
                try Planner.switchOver(
                    from, to: to, in: state, fresh: ClusterFixture.fresh("s"), now: clock.wall)
            }
            clock.set(wall: seconds)
            try await body(member, database.id, to, nodes)
        }
    }

    @Test func requestsAreNotHeldForAnHourByALeaderWhoseClockIsBehind() async throws {
        try await holding(-3600) { member, database, _, _ in
            _ = try await state(of: member) { $0.actions[ActionID("s")]?.message == "it holds nothing" }
            clock.pass(seconds: SwitchoverMachine.holdSeconds)
            let ended = try await state(of: member) { $0.actions[ActionID("s")]?.status == .failed }
            #expect(ended.databases[database]?.transitions.isEmpty == true)
        }
    }

    @Test func aLeaderWhoseClockIsAheadLetsASwitchoverComeThrough() async throws {
        try await holding(3600) { member, database, to, nodes in
            nodes.say { _ in .waiting("it holds nothing yet") }
            _ = try await state(of: member) { $0.actions[ActionID("s")]?.message == "it holds nothing yet" }
            nodes.say { .applied($0) }
            let done = try await state(of: member) { state in
                state.databases[database]?.shards.contains { $0.id == to && $0.role == .primary } == true
            }
            #expect(done.actions[ActionID("s")]?.status.isFinal == false)
        }
    }
}
