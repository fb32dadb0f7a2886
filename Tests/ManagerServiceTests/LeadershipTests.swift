import ClusterModel
import ClusterStore
import ManagerCore
import ManagerService
import Primitives
import Testing

/// Leading under a store that fails in the ways that stores do.
@Suite struct LeadershipTests {
    private func stalling(_ fixture: ClusterFixture) -> (ClusterMember, StallingStore) {
        let store = StallingStore(fixture.store)
        let member = ClusterMember(
            node: NodeID(1), store: store, fresh: { ClusterFixture.fresh("part") }, now: { ClusterFixture.start },
            bootTime: { BootTime(milliseconds: 50_000) }, logger: ClusterFixture.quiet)
        return (member, store)
    }

    private func untilLeading(_ member: ClusterMember) async throws {
        _ = try await eventually("leads") { await member.leadership.current }
    }

    /// The leader must be the first to know: by the time the store lets the lease go, it has stopped.
    @Test(arguments: [true, false])
    func whoCannotRenewStopsBeforeTheStoreLetsTheLeaseGo(stalls: Bool) async throws {
        let fixture = try await ClusterFixture()
        let (member, store) = stalling(fixture)
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) {
            try await untilLeading(member)
            store.faults.withLock { if stalls { $0.stallsRenewals = true } else { $0.refusesRenewals = true } }
            try await eventually("stops leading") { await member.leadership.current == nil ? true : nil }
            let stored = try await fixture.store.snapshot(prefix: StoreKey.leader.path)
            #expect(stored.entries.count == 1, "it led longer than its lease")
        }
    }

    @Test func whoLostTheLeadGetsItBackWhenTheStoreIsBack() async throws {
        let fixture = try await ClusterFixture()
        let (member, store) = stalling(fixture)
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) {
            try await untilLeading(member)
            let first = await member.leadership.current
            store.faults.withLock { $0.stallsRenewals = true }
            try await eventually("stops leading") { await member.leadership.current == nil ? true : nil }
            store.faults.withLock { $0.stallsRenewals = false }
            try await untilLeading(member)
            #expect(await member.leadership.current != first)
        }
    }

    /// No new state comes after a campaign that failed, so nothing but its own clock makes a node try again.
    @Test func aFailedCampaignIsRepeated() async throws {
        let fixture = try await ClusterFixture()
        let (member, store) = stalling(fixture)
        store.faults.withLock { $0.failingCommits = 2 }
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) {
            try await untilLeading(member)
            #expect(store.faults.withLock(\.grants) == 3)
        }
    }

    @Test func stoppingGivesTheLeaseBack() async throws {
        let fixture = try await ClusterFixture()
        let (member, _) = stalling(fixture)
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) { try await untilLeading(member) }
        #expect(try await fixture.store.snapshot(prefix: StoreKey.leader.path).entries.isEmpty)
    }

    @Test func anActionWhoseRecordingFailedIsTakenToItsEnd() async throws {
        let fixture = try await ClusterFixture()
        let (member, store) = stalling(fixture)
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) {
            try await untilLeading(member)
            try await member.editor.edit { state throws(PlanError) in
                // The next two commits are the action's own.
                store.faults.withLock { $0.failingCommits = 0 }
                return try Planner.createDatabase(
                    ClusterFixture.policy, id: nil, in: state, fresh: ClusterFixture.fresh("a"),
                    now: ClusterFixture.start)
            }
            store.faults.withLock { $0.failingCommits = 2 }
            let done = try await state(of: member) { $0.actions[ActionID("a")]?.status == .completed }
            #expect(done.databases.values.first?.status == .active)
        }
    }

    @Test func theLeaderForgetsWhatIsLongOver() async throws {
        let fixture = try await ClusterFixture()
        let token = JoinTokenRecord(
            id: "old", secretDigest: "", createdAt: ClusterFixture.start.adding(seconds: -200_000),
            expiresAt: ClusterFixture.start.adding(seconds: -100_000), usesLeft: nil, createdBy: "test")
        _ = try await fixture.store.commit([try StateCoding.encode(.token(token))], if: [])
        let (member, _) = stalling(fixture)
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) {
            _ = try await state(of: member) { $0.leader != nil && $0.tokens.isEmpty }
        }
    }
}

@Suite struct StateFollowerTests {
    @Test func aWatchThatEndsAtOnceDoesNotSpin() async throws {
        let fixture = try await ClusterFixture()
        let store = StallingStore(fixture.store)
        store.faults.withLock { $0.endsWatches = true }
        let follower = StateFollower(store: store, logger: ClusterFixture.quiet)
        let task = Task { await follower.run() }
        try await eventually("watches again") { store.faults.withLock(\.watches) >= 3 ? true : nil }
        // Three watches have two pauses of 100 ms between them; without, there would be thousands by now.
        #expect(store.faults.withLock(\.watches) < 10)
        store.faults.withLock { $0.endsWatches = false }
        let written = try await fixture.store.commit([.put(key: StoreKey.leader.path, value: Array("7".utf8))], if: [])
        guard case .committed(let revision) = written else { return }
        await follower.wait(for: revision)
        #expect(await follower.current?.leader == NodeID(7))
        task.cancel()
        await task.value
    }

    /// The answer to a commit comes late: the watch has brought it, and what another node wrote after it.
    @Test func anOwnCommitNeverUndoesANewerOne() async throws {
        let fixture = try await ClusterFixture()
        let follower = StateFollower(store: fixture.store, logger: ClusterFixture.quiet)
        let task = Task { await follower.run() }
        func commit(_ node: String) async throws -> Int64 {
            let write = StoreWrite.put(key: StoreKey.leader.path, value: Array(node.utf8))
            guard case .committed(let revision) = try await fixture.store.commit([write], if: []) else { return 0 }
            return revision
        }
        let own = try await commit("1")
        await follower.wait(for: try await commit("2"))
        await follower.adopt([(StoreKey.leader.path, .leader(NodeID(1)))], revision: own)
        #expect(await follower.current?.leader == NodeID(2))
        task.cancel()
        await task.value
    }

    @Test func waitingEndsWithItsTask() async throws {
        let fixture = try await ClusterFixture()
        let follower = StateFollower(store: fixture.store, logger: ClusterFixture.quiet)
        let run = Task { await follower.run() }
        let waiting = Task { await follower.wait(for: .max) }
        waiting.cancel()
        let cancelledBefore = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await follower.wait(for: .max)
        }
        try await eventually("both end") {
            await waiting.value
            await cancelledBefore.value
            return true
        }
        run.cancel()
        await run.value
    }

    @Test func aCompactedWatchKeepsTheOldAnswerUntilThereIsANewOne() async throws {
        let fixture = try await ClusterFixture()
        let follower = StateFollower(store: fixture.store, logger: ClusterFixture.quiet)
        let task = Task { await follower.run() }
        try await eventually("snapshot") { await follower.current }
        fixture.store.setAvailable(false)
        #expect(await follower.current?.cluster?.name == "cluster.local")
        fixture.store.setAvailable(true)
        let written = try await fixture.store.commit([.put(key: StoreKey.leader.path, value: Array("7".utf8))], if: [])
        guard case .committed(let revision) = written else { return }
        fixture.store.compact(to: revision)
        await follower.wait(for: revision)
        #expect(await follower.current?.leader == NodeID(7))
        task.cancel()
        await task.value
    }
}

/// Asks until the answer isn't nil.
@discardableResult
func eventually<Value: Sendable>(
    _ what: String, within limit: Duration = .seconds(10), _ probe: @Sendable () async throws -> Value?
) async throws -> Value {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if let value = try await probe() { return value }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw TimedOut(description: what)
}
