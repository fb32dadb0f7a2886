import ClusterModel
import ManagerCore
import ManagerService
import Primitives
import Synchronization
import Testing

/// A node that was held to be lost comes back.
@Suite struct ReturnTests {
    /// While this node looks whether its proxy routes as it should, somebody else changes the cluster. What it saw says
    /// nothing of that.
    @Test func itReturnsOnlyToTheConfigurationThatItsProxyWasFoundToHave() async throws {
        let fixture = try await ClusterFixture()
        try await fixture.addNode(2)
        try await fixture.addNode(3)
        let member = fixture.member(1)
        let checked = Mutex<[Epoch]>([])
        let ports = LivenessPorts(
            beat: { _, _ in .refused }, appliedFence: { $0.head?.fence ?? .zero },
            isUpToDate: { state in
                let isFirst = checked.withLock { epochs in
                    epochs.append(state.head?.epoch ?? .zero)
                    return epochs.count == 1
                }
                if isFirst { await Self.change(member) }
                return true
            },
            grant: { _ in }, isProxyAnswering: { true }, bootTime: { BootTime(milliseconds: 50_000) })
        let liveness = Liveness(
            node: NodeID(1), editor: member.editor, follower: member.follower, ports: ports,
            now: { ClusterFixture.start }, logger: ClusterFixture.quiet)
        try await fixture.running(member, nodes: FakeNodes { .applied($0) }) {
            _ = try await state(of: member) { $0.nodes.count == 3 }
            try await member.editor.edit(as: .anyNode) { state throws(PlanError) in
                Planner.setStatus(.down, of: NodeID(1), in: state, now: ClusterFixture.start)
            }
            let run = Task { await liveness.run() }
            defer { run.cancel() }
            let back = try await state(of: member) { $0.nodes[NodeID(1)]?.status == .active }
            // The return itself is an epoch of its own.
            let epoch = try #require(back.head).epoch
            #expect(checked.withLock { $0.last?.next } == epoch)
        }
    }

    private static func change(_ member: ClusterMember) async {
        _ = try? await member.editor.edit(as: .anyNode) { state throws(PlanError) in
            Planner.setStatus(.down, of: NodeID(3), in: state, now: ClusterFixture.start)
        }
    }
}
