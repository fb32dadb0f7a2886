import ClusterModel
import ManagerCore
import Primitives
import Testing

/// Nodes are taken in while others may not have heard of them. Found by the simulator: seeds 39 and 327.
struct NewcomerTests {
    private let profile = DetectionProfile.high
    private let nodes = (1...4).map { NodeID($0) }

    private func group(of node: Int, _ count: Int, joining: [Int] = []) -> WatchGroup {
        WatchGroup(of: NodeID(node), nodes: nodes.prefix(count), joining: Set(joining.map { NodeID($0) }))
    }

    private func votes(_ numbers: Int...) -> Set<NodeID> { Set(numbers.map { NodeID($0) }) }

    @Test func aNodeOfTwoIsNotOutvotedByAThirdThatItMayNotKnow() {
        #expect(group(of: 2, 3).isLost(votes: votes(1, 3)))
        #expect(!group(of: 2, 3, joining: [3]).isLost(votes: votes(1, 3)))
        #expect(!group(of: 2, 2).isLost(votes: votes(1)))
    }

    @Test func votesMustBlockTheGroupWithAndWithoutTheNewcomer() {
        // Node 1 of three may go by a grant of node 2 alone.
        #expect(group(of: 1, 4).isLost(votes: votes(3, 4)))
        #expect(!group(of: 1, 4, joining: [4]).isLost(votes: votes(3, 4)))
        #expect(group(of: 1, 4, joining: [4]).isLost(votes: votes(2, 3)))
    }

    @Test func aLeaseNeedsAMajorityOfBoth() {
        var lease = ServingLease()
        let start = BootTime(milliseconds: 1000)
        lease.answered(by: NodeID(2), sentAt: start, fence: .zero)
        let joint = group(of: 1, 4, joining: [4])
        #expect(lease.end(for: group(of: 1, 3), applied: .zero, profile: profile) == start + profile.lease)
        #expect(lease.end(for: joint, applied: .zero, profile: profile) == nil)
        lease.answered(by: NodeID(4), sentAt: start + 10, fence: .zero)
        #expect(lease.end(for: joint, applied: .zero, profile: profile) == start + profile.lease)
    }

    @Test func aNewcomerIsCountedForALeaseBeforeItIsIn() throws {
        var world = World(nodes: 2)
        var watch = JoinWatch()
        let start = BootTime(milliseconds: 5)
        watch.saw(world.state, at: start)
        world.commit(
            try Planner.admitNode(
                World.candidate(3), tokenID: "open", asNewcomer: true, in: world.state, now: world.now))
        #expect(world.state.nodes[NodeID(3)]?.status == .provisioning)
        watch.saw(world.state, at: start + 100)
        watch.saw(world.state, at: start + 1000)
        #expect(!watch.hasSettled(NodeID(3), at: start + 99 + profile.lease, profile: profile))
        #expect(watch.hasSettled(NodeID(3), at: start + 100 + profile.lease, profile: profile))
        world.commit(try #require(Planner.settleJoin(of: NodeID(3), in: world.state, now: world.now)))
        #expect(world.state.nodes[NodeID(3)]?.status == .active)
        #expect(Planner.settleJoin(of: NodeID(3), in: world.state, now: world.now) == nil)
        watch.saw(world.state, at: start + 5000)
        #expect(!watch.hasSettled(NodeID(3), at: start + 9000, profile: profile))
    }

    /// Or being readmitted would make it active before the others count it.
    @Test func aNewcomerCannotBeLost() throws {
        var world = World(nodes: 3)
        world.commit(
            try Planner.admitNode(
                World.candidate(4), tokenID: "open", asNewcomer: true, in: world.state, now: world.now))
        #expect(Planner.suspect(NodeID(4), by: NodeID(1), in: world.state) == nil)
        var watch = PeerWatch(own: NodeID(1))
        for beat in 0..<40 {
            let now = BootTime(milliseconds: Int64(beat) * profile.heartbeat)
            for peer in [2, 3] { _ = watch.heard(NodeID(peer), lease: profile.lease, at: now, in: world.state) }
            #expect(watch.steps(at: now, in: world.state, profile: profile).isEmpty)
        }
    }
}
