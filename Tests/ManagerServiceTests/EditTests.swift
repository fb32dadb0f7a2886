import ClusterModel
import ClusterStore
import ManagerCore
import ManagerService
import Primitives
import Testing

/// Changes that meet others.
@Suite struct EditTests {
    /// A node whose watch hangs at a member that was cut off must be able to vote that member's node lost.
    @Test func aConflictIsOvercomeWithoutTheWatch() async throws {
        let fixture = try await ClusterFixture()
        try await fixture.addNode(2)
        let store = StallingStore(fixture.store)
        let member = ClusterMember(
            node: NodeID(1), store: store, fresh: { ClusterFixture.fresh("part") }, now: { ClusterFixture.start },
            bootTime: { BootTime(milliseconds: 50_000) }, logger: ClusterFixture.quiet)
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) {
            let before = try await state(of: member) { $0.nodes.count == 2 && $0.leader != nil }
            store.faults.withLock { $0.mutesWatches = true }
            // Another node votes.
            let vote = try StateCoding.encode(.suspicion(NodeID(1), by: NodeID(2)))
            let head = try StateCoding.encode(.head(try #require(before.head)))
            _ = try await fixture.store.commit([head, vote], if: [])
            let start = ContinuousClock.now
            let (plan, _) = try await member.editor.edit(as: .anyNode) { state throws(PlanError) in
                Planner.suspect(NodeID(2), by: NodeID(1), in: state)
            }
            #expect(plan != nil && ContinuousClock.now - start < .seconds(2))
            let after = try #require(await member.follower.current)
            #expect(after.suspicions[NodeID(1)] == [NodeID(2)] && after.suspicions[NodeID(2)] == [NodeID(1)])
        }
    }

    /// What the watch brings late is older than what was read, and may not undo it.
    @Test func aWatchThatComesBackUndoesNothing() async throws {
        let fixture = try await ClusterFixture()
        let follower = StateFollower(store: fixture.store, logger: ClusterFixture.quiet)
        let run = Task { await follower.run() }
        defer { run.cancel() }
        try await eventually("snapshot") { await follower.current }
        for round in 1...50 {
            let node = NodeID(round)
            _ = try await fixture.store.commit([try StateCoding.encode(.suspicion(node, by: NodeID(1)))], if: [])
            let gone = try await fixture.store.commit(
                [try StateCoding.encode(.removed(.suspicion(node, by: NodeID(1))))], if: [])
            guard case .committed(let revision) = gone else { return #expect(Bool(false)) }
            try await follower.catchUp()
            #expect(await follower.current?.suspicions[node] == nil)
            await follower.wait(for: revision)
            #expect(await follower.current?.suspicions[node] == nil)
        }
        let last = try await fixture.store.commit([.put(key: StoreKey.leader.path, value: Array("7".utf8))], if: [])
        guard case .committed(let revision) = last else { return #expect(Bool(false)) }
        await follower.wait(for: revision)
        #expect(await follower.current?.suspicions.isEmpty == true)
    }
}
