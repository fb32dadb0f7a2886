import ClusterModel
import ClusterStore
import ManagerCore
import Primitives
import Testing

/// An etcd membership that does what it is told, at its own pace.
private struct Membership {
    var nodes: [NodeRecord] = []
    var members: [StoreMember] = []
    private var nextID: UInt64 = 1

    init(nodes count: Int) {
        for number in 1...count { add(number) }
        nodes[0].storeRole = .voter
        members = [member(of: nodes[0], name: "node1", isLearner: false)]
    }

    mutating func add(_ number: Int, rack: String = "") {
        let candidate = World.candidate(number, rack: rack)
        nodes.append(candidate.record(id: NodeID(number), storeRole: .client, joinedAt: World.start))
    }

    private mutating func member(of node: NodeRecord, name: String, isLearner: Bool) -> StoreMember {
        defer { nextID += 1 }
        return StoreMember(id: nextID, name: name, peerURLs: [VoterPlanner.peerURL(of: node)], isLearner: isLearner)
    }

    mutating func perform(_ step: VoterStep) {
        switch step {
        case .addLearner(let node, let peerURL):
            #expect(!members.contains { $0.isLearner }, "etcd takes one learner at a time")
            #expect(peerURL == VoterPlanner.peerURL(of: self[node]))
            members.append(member(of: self[node], name: "", isLearner: true))
        case .startLearner(let node):
            set(.learner, node)
            let url = VoterPlanner.peerURL(of: self[node])
            for index in members.indices where members[index].peerURLs == [url] {
                members[index].name = VoterPlanner.memberName(of: node)
            }
        case .promote(let id, _):
            for index in members.indices where members[index].id == id { members[index].isLearner = false }
        case .recordVoter(let node): set(.voter, node)
        case .removeMember(let id): members.removeAll { $0.id == id }
        case .recordClient(let node): set(.client, node)
        case .moveMember(let id, let peerURL):
            for index in members.indices where members[index].id == id { members[index].peerURLs = [peerURL] }
        }
    }

    private subscript(id: NodeID) -> NodeRecord { nodes.first { $0.id == id }! }

    mutating func leave(_ number: Int) {
        for index in nodes.indices where nodes[index].id == NodeID(number) { nodes[index].isLeaving = true }
    }

    private mutating func set(_ role: NodeRecord.StoreRole, _ id: NodeID) {
        for index in nodes.indices where nodes[index].id == id { nodes[index].storeRole = role }
    }

    var step: VoterStep? { VoterPlanner.nextStep(nodes: nodes, members: members) }

    /// All steps until nothing is left. Each is asked for and taken twice: a leader that died in between is followed
    /// by one that knows nothing of it.
    mutating func settle() -> [VoterStep] {
        var steps: [VoterStep] = []
        while let step, steps.count < 100 {
            steps.append(step)
            #expect(self.step == step, "the same world gives the same step")
            perform(step)
        }
        return steps
    }

    var voters: [String] { members.filter { !$0.isLearner }.map(\.name) }
}

struct VoterPlannerTests {
    @Test(arguments: zip([1, 2, 3, 4, 5, 6, 7], [1, 1, 3, 3, 5, 5, 5]))
    func votersFollowTheNumberOfNodes(nodes: Int, voters: Int) {
        var membership = Membership(nodes: nodes)
        _ = membership.settle()
        #expect(membership.voters == (1...voters).map { "node\($0)" })
        #expect(membership.nodes.filter { $0.storeRole == .voter }.count == voters)
    }

    @Test func aThirdNodeMakesThreeVotersStepByStep() {
        var membership = Membership(nodes: 2)
        #expect(membership.settle() == [])
        membership.add(3)
        #expect(
            membership.settle() == [
                .addLearner(NodeID(2), peerURL: "https://127.0.0.12:9380"), .startLearner(NodeID(2)),
                .promote(2, NodeID(2)), .recordVoter(NodeID(2)),
                .addLearner(NodeID(3), peerURL: "https://127.0.0.13:9380"), .startLearner(NodeID(3)),
                .promote(3, NodeID(3)), .recordVoter(NodeID(3)),
            ])
    }

    /// Nodes come while others are still on their way, after any number of steps.
    @Test func growingAtAnyMomentEndsTheSame() {
        for interruption in 0...12 {
            var membership = Membership(nodes: 3)
            for _ in 0..<interruption { if let step = membership.step { membership.perform(step) } }
            membership.add(4)
            membership.add(5)
            _ = membership.settle()
            #expect(membership.voters == ["node1", "node2", "node3", "node4", "node5"], "after \(interruption) steps")
        }
    }

    @Test func aLearnerThatHasNotStartedIsWaitedFor() {
        var membership = Membership(nodes: 3)
        membership.perform(.addLearner(NodeID(2), peerURL: "https://127.0.0.12:9380"))
        #expect(membership.step == .startLearner(NodeID(2)))
        membership.nodes[1].storeRole = .learner
        #expect(membership.step == .startLearner(NodeID(2)), "recorded, but its member has no name yet")
    }

    @Test func aLearnerWhoseNodeIsDownMakesRoom() {
        var membership = Membership(nodes: 4)
        membership.perform(.addLearner(NodeID(2), peerURL: "https://127.0.0.12:9380"))
        membership.nodes[1].status = .down
        _ = membership.settle()
        #expect(membership.voters == ["node1", "node3", "node4"])
    }

    @Test func membersOfNodesThatAreGoneAreRemoved() {
        var membership = Membership(nodes: 3)
        _ = membership.settle()
        membership.nodes.removeAll { $0.id == NodeID(2) }
        #expect(membership.step == .removeMember(2))
    }

    @Test func aBrokenMemberIsRemovedAndAddedAnew() {
        var membership = Membership(nodes: 3)
        _ = membership.settle()
        membership.nodes[1].storeRole = .broken
        #expect(
            membership.settle() == [
                .removeMember(2), .recordClient(NodeID(2)),
                .addLearner(NodeID(2), peerURL: "https://127.0.0.12:9380"), .startLearner(NodeID(2)),
                .promote(4, NodeID(2)), .recordVoter(NodeID(2)),
            ])
        #expect(Set(membership.voters) == ["node1", "node2", "node3"])
    }

    @Test func theOnlyVoterIsNeverRemoved() {
        var membership = Membership(nodes: 1)
        membership.nodes[0].storeRole = .broken
        #expect(membership.step == nil)
    }

    @Test func aMemberFollowsItsNodeToAnotherAddress() {
        var membership = Membership(nodes: 3)
        _ = membership.settle()
        membership.nodes[2].address = "127.0.0.99"
        #expect(membership.settle() == [.moveMember(3, peerURL: "https://127.0.0.99:9380")])
    }

    /// Another machine took the node's place: its predecessor's member has the name, but nothing of it is left.
    @Test func theMemberOfAReplacedNodeIsNotMoved() {
        var membership = Membership(nodes: 3)
        _ = membership.settle()
        membership.nodes[2].address = "127.0.0.99"
        membership.nodes[2].storeRole = .broken
        #expect(membership.step == .removeMember(3))
        _ = membership.settle()
        #expect(Set(membership.voters) == ["node1", "node2", "node3"])
    }

    @Test func aStrangeListOfNodesRemovesNobody() {
        var membership = Membership(nodes: 1)
        membership.nodes[0].address = "10.0.0.1"
        if case .removeMember = membership.step { Issue.record("would have removed the only voter") }
    }

    @Test func racksShareTheVoters() {
        var membership = Membership(nodes: 1)
        membership.nodes[0].rackID = "a"
        for (number, rack) in zip(2...5, ["a", "a", "b", "c"]) { membership.add(number, rack: rack) }
        membership.nodes.removeAll { $0.id == NodeID(3) }
        _ = membership.settle()
        #expect(membership.voters == ["node1", "node4", "node5"])
    }

    /// The store gets its next voter before it gives one up, and never keeps two where one does as well.
    @Test(arguments: zip([2, 3, 4, 5, 6], [[2], [2], [2, 3, 4], [2, 3, 4], [2, 3, 4, 5, 6]]))
    func aNodeThatLeavesLeavesTheStore(nodes: Int, voters numbers: [Int]) {
        let voters = numbers.map { "node\($0)" }
        var membership = Membership(nodes: nodes)
        _ = membership.settle()
        membership.leave(1)
        _ = membership.settle()
        #expect(membership.voters.sorted() == voters)
        #expect(membership.nodes.filter { $0.storeRole == .voter }.map { "node\($0.id)" } == voters)
    }
}
