import ClusterModel
import ClusterStore
import ManagerCore
import ManagerService
import Testing

@Suite struct ActionTests {
    /// Creates a database on whoever leads and returns its id.
    private func create(_ member: ClusterMember, _ action: String = "a") async throws -> DatabaseID {
        _ = try await state(of: member) { $0.leader == member.node }
        while await member.leadership.current == nil { await Task.yield() }
        let (plan, _) = try await member.editor.edit { state throws(PlanError) in
            try Planner.createDatabase(
                ClusterFixture.policy, id: nil, in: state, fresh: ClusterFixture.fresh(action),
                now: ClusterFixture.start)
        }
        return try #require(plan?.database?.id)
    }

    @Test func aCreateEndsWhenTheNodesHaveDoneIt() async throws {
        let fixture = try await ClusterFixture()
        let member = fixture.member(1)
        let nodes = FakeNodes { .applied($0) }
        try await fixture.running(member, nodes: nodes) {
            let id = try await create(member)
            let done = try await state(of: member) { $0.databases[id]?.status == .active }
            #expect(done.actions[ActionID("a")]?.status == .completed)
            #expect(done.actions[ActionID("a")]?.progress == 100)
        }
    }

    @Test func aNewLeaderGoesOnWithAnActionThatTheOldOneLeft() async throws {
        let fixture = try await ClusterFixture()
        let nodes = FakeNodes { _ in .waiting("redis is loading") }
        let first = fixture.member(1)
        let id = try await fixture.running(first, nodes: nodes) {
            let id = try await create(first)
            _ = try await state(of: first) { $0.actions[ActionID("a")]?.message.contains("loading") == true }
            return id
        }
        nodes.say { .applied($0) }
        let second = fixture.member(2)
        try await fixture.running(second, nodes: nodes) {
            let done = try await state(of: second) { $0.databases[id]?.status == .active }
            #expect(done.leader == NodeID(2))
            #expect(done.actions[ActionID("a")]?.status == .completed)
        }
    }

    @Test func aFailureOfANodeIsToldAndNothingIsLeftPending() async throws {
        let fixture = try await ClusterFixture()
        let member = fixture.member(1)
        let nodes = FakeNodes { _ in .failed("port 12000 is taken") }
        try await fixture.running(member, nodes: nodes) {
            let id = try await create(member)
            let failed = try await state(of: member) { $0.actions[ActionID("a")]?.status == .failed }
            #expect(failed.databases[id]?.status == .creationFailed)
            #expect(failed.actions[ActionID("a")]?.message.contains("port 12000 is taken") == true)
        }
    }

    @Test func aLeaderWhoseTermIsOverCommitsNothing() async throws {
        let fixture = try await ClusterFixture()
        let member = fixture.member(1)
        let nodes = FakeNodes { _ in .waiting("nothing") }
        try await fixture.running(member, nodes: nodes) {
            _ = try await create(member)
            // Another node has taken the lead, and this one hasn't heard of it yet.
            let key = StoreKey.leader.path
            let theft = try await fixture.store.commit(
                [.put(key: key, value: try StateCoding.encodeLeader(NodeID(9)))], if: [])
            #expect(theft != .conflict)
            await #expect(throws: EditError.self) {
                try await member.editor.edit { state throws(PlanError) in
                    try Planner.createDatabase(
                        DatabasePolicy(name: "two", memoryLimit: .megabytes(10)), id: nil, in: state,
                        fresh: ClusterFixture.fresh("b"), now: ClusterFixture.start)
                }
            }
            let stored = try await fixture.store.snapshot(prefix: StoreKey.prefix + "databases/")
            #expect(stored.entries.count == 1)
        }
    }

    @Test func twentyEditsAtOnceAllGoThrough() async throws {
        let fixture = try await ClusterFixture()
        let member = fixture.member(1)
        let nodes = FakeNodes { .applied($0) }
        try await fixture.running(member, nodes: nodes) {
            _ = try await create(member)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        try await member.editor.edit { state throws(PlanError) in
                            try Planner.createDatabase(
                                DatabasePolicy(name: "db\(number)", memoryLimit: .megabytes(10)), id: nil, in: state,
                                fresh: ClusterFixture.fresh("action \(number)"), now: ClusterFixture.start)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let done = try await state(of: member) { $0.databases.values.filter { $0.status == .active }.count == 21 }
            #expect(Set(done.databases.values.map(\.endpoint.port)).count == 21)
        }
    }

    @Test func aFollowerThatFellBehindStartsOverFromASnapshot() async throws {
        let fixture = try await ClusterFixture()
        let member = fixture.member(1)
        let nodes = FakeNodes { .applied($0) }
        let id = try await fixture.running(member, nodes: nodes) {
            let id = try await create(member)
            _ = try await state(of: member) { $0.databases[id]?.status == .active }
            return id
        }
        let snapshot = try await fixture.store.snapshot(prefix: StoreKey.prefix)
        fixture.store.compact(to: snapshot.revision)
        let late = fixture.member(2)
        try await fixture.running(late, nodes: nodes) {
            _ = try await state(of: late) { $0.databases[id]?.status == .active }
        }
    }
}
