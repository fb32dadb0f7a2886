import ClusterModel
import ManagerCore
import ManagerService
import Primitives
import Synchronization
import Testing

/// Newcomers are counted when all others know of them.
@Suite struct JoinTests {
    @Test func aNewcomerIsActiveWhenAllOthersCountIt() async throws {
        let fixture = try await ClusterFixture()
        try await fixture.addNode(2)
        let member = fixture.member(1)
        let known = Mutex<Set<NodeID>>([NodeID(1)])
        let asked = Mutex<Set<NodeID>>([])
        let counts: NewcomerProbe = { witness, newcomer in
            #expect(newcomer == NodeID(3))
            asked.withLock { _ = $0.insert(witness) }
            return known.withLock { $0.contains(witness) }
        }
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }, counts: counts) {
            _ = try await state(of: member) { $0.nodes.count == 2 && $0.leader != nil }
            try await fixture.addNode(3, status: .provisioning)
            try await eventually("both are asked") { asked.withLock { $0.count == 2 ? true : nil } }
            #expect(asked.withLock { $0 } == [NodeID(1), NodeID(2)])
            #expect(await member.follower.current?.nodes[NodeID(3)]?.status == .provisioning)
            known.withLock { _ = $0.insert(NodeID(2)) }
            _ = try await state(of: member) { $0.nodes[NodeID(3)]?.status == .active }
        }
    }

    /// Before it was started its proxy may have been told to serve for ever.
    @Test func aManagerThatWasStartedCountsNobodyBeforeItHasALease() async throws {
        let fixture = try await ClusterFixture()
        try await fixture.addNode(2)
        try await fixture.addNode(3, status: .provisioning)
        let clock = FakeClock()
        let member = fixture.member(2, clock: clock)
        let asked = Mutex(0)
        let isHeard = Mutex(false)
        let ports = LivenessPorts(
            beat: { _, _ in isHeard.withLock { $0 } ? .answered(fence: .zero) : .silent },
            appliedFence: { $0.head?.fence ?? .zero }, isUpToDate: { _ in true }, grant: { _ in },
            isProxyAnswering: { true }, bootTime: { clock.boot })
        let liveness = Liveness(
            node: NodeID(2), editor: member.editor, follower: member.follower, ports: ports,
            now: { clock.wall }, logger: ClusterFixture.quiet)
        try await fixture.running(
            member, nodes: FakeNodes { .applied($0) },
            counts: { _, node in
                asked.withLock { $0 += 1 }
                return await liveness.counts(newcomer: node)
            }
        ) {
            let run = Task { await liveness.run() }
            defer { run.cancel() }
            try await eventually("it is asked often") {
                clock.pass(seconds: 1)
                return asked.withLock { $0 > 20 ? true : nil }
            }
            #expect(await member.follower.current?.nodes[NodeID(3)]?.status == .provisioning)
            isHeard.withLock { $0 = true }
            _ = try await eventually("it is counted") { () -> Bool? in
                clock.pass(seconds: 1)
                return await member.follower.current?.nodes[NodeID(3)]?.status == .active ? true : nil
            }
        }
    }

    /// Two nodes can't outvote each other: their proxies serve for ever. When a third one comes, that has to end, and
    /// to have ended, before it is counted.
    @Test func theLeaseForEverEndsBeforeTheThirdNodeIsCounted() async throws {
        let fixture = try await ClusterFixture()
        try await fixture.addNode(2)
        let clock = FakeClock()
        let member = fixture.member(1, clock: clock)
        let told = Mutex<[BootTime]>([])
        let answers = Mutex(false)
        let ports = LivenessPorts(
            beat: { _, _ in .silent }, appliedFence: { $0.head?.fence ?? .zero }, isUpToDate: { _ in true },
            grant: { end in told.withLock { $0.append(end) } },
            isProxyAnswering: { answers.withLock { $0 } }, bootTime: { clock.boot })
        let liveness = Liveness(
            node: NodeID(1), editor: member.editor, follower: member.follower, ports: ports,
            now: { clock.wall }, logger: ClusterFixture.quiet)
        let lease = DetectionProfile.high.lease
        try await fixture.running(
            member, nodes: FakeNodes { .applied($0) }, counts: { _, node in await liveness.counts(newcomer: node) }
        ) {
            let run = Task { await liveness.run() }
            defer { run.cancel() }
            try await eventually("lease for ever") { told.withLock { $0.last == .never ? true : nil } }
            try await fixture.addNode(3, status: .provisioning)
            try await eventually("it ends") {
                told.withLock { $0.last == BootTime(milliseconds: 50_000 + lease) ? true : nil }
            }
            // A proxy that doesn't answer may still have the old one.
            clock.pass(seconds: 60)
            #expect(await member.follower.current?.nodes[NodeID(3)]?.status == .provisioning)
            #expect(await !liveness.counts(newcomer: NodeID(3)))
            answers.withLock { $0 = true }
            try await eventually("it is counted") {
                clock.pass(seconds: 1)
                return await liveness.counts(newcomer: NodeID(3)) ? true : nil
            }
            _ = try await state(of: member) { $0.nodes[NodeID(3)]?.status == .active }
            // None was granted by anybody.
            #expect(told.withLock { $0.last } == BootTime(milliseconds: 50_000 + lease))
        }
    }
}
