import ClusterModel
import ManagerCore
import Primitives
import Testing

struct RecoveryTests {
    private static let store = StoreIdentity(generation: 1, id: "0123456789abcdef")

    private func recovered(
        _ world: World, answering: Set<Int>, highestEpoch: Int = 0, node: Int = 1
    ) throws -> ClusterState {
        try Planner.recover(
            world.state,
            from: RecoveryBasis(
                store: Self.store, node: NodeID(node), answering: Set(answering.map { NodeID($0) }),
                highestEpoch: Epoch(highestEpoch), snapshotNode: NodeID(1), snapshotTakenAt: World.start),
            now: world.now)
    }

    @Test func placementsAndRolesStayAndEpochsRise() throws {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("one", shards: 3, replicated: true))
        let head = try #require(world.state.head)
        let next = try recovered(world, answering: [1, 2, 3])
        let after = try #require(next.databases[database.id])
        #expect(after.shards == database.shards && after.endpoint == database.endpoint)
        #expect(after.secrets == database.secrets)
        #expect(after.epoch > database.epoch && after.epoch == next.head?.epoch)
        #expect(next.authority == world.state.authority && next.users == world.state.users)
        // Numbers that the lost store may have given out are passed over.
        #expect(next.head!.nextShard > head.nextShard && next.head!.nextDatabase > head.nextDatabase)
        #expect(next.nodes.values.filter { $0.storeRole == .voter }.map(\.id) == [NodeID(1)])
        #expect(next.nodes.values.allSatisfy { $0.status == .active })
        #expect(next.recovery?.store == Self.store && next.recovery?.lost == [])
    }

    @Test func theHighestEpochOfAnyNodeIsPassed() throws {
        let world = World(nodes: 3)
        let next = try recovered(world, answering: [1, 2, 3], highestEpoch: 70_000)
        #expect(next.head!.epoch > Epoch(70_000))
    }

    @Test func nobodyWaitsForLostNodesUntilTheyAreBack() throws {
        var world = World(nodes: 3)
        try world.createActive(.named("one", shards: 3, replicated: true))
        var next = try recovered(world, answering: [1])
        #expect(next.nodes[NodeID(2)]?.status == .down && next.nodes[NodeID(3)]?.status == .down)
        #expect(!next.group(of: NodeID(1)).canOutvote, "the survivor serves without their consent")
        let back = try #require(Planner.readmit(NodeID(3), in: next, now: world.now))
        next.apply(back, revision: next.revision + 1)
        #expect(next.recovery?.lost == [NodeID(2)])
        #expect(next.group(of: NodeID(1)).watchers == [NodeID(3)])
    }

    @Test func whatIsLostIsSaid() throws {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("single", shards: 1))
        let home = try #require(database.shards.first?.node)
        let others = Set([1, 2, 3].filter { NodeID($0) != home })
        let findings = try recovered(world, answering: others, node: others.min()!).recovery!.findings
        #expect(findings.contains { $0.contains("no copy of shards 1") })
        #expect(findings.contains { $0.hasPrefix("Node \(home) ") })
        let whole = try recovered(world, answering: [1, 2, 3]).recovery!.findings
        #expect(whole.isEmpty)
    }

    @Test func aNodeThatTheCopyDoesNotKnowCanNotRecover() {
        let world = World(nodes: 2)
        #expect(refusal { _ = try recovered(world, answering: [9], node: 9) }?.code == "node_unknown")
    }

    @Test func theGreaterStoreIsTheClusters() {
        let second = StoreIdentity(generation: 2, id: "a")
        #expect(StoreIdentity.first < Self.store && Self.store < second)
        #expect(StoreIdentity(generation: 1, id: "a") < StoreIdentity(generation: 1, id: "b"))
    }
}

struct ReplaceTests {
    private func down(_ number: Int, _ world: inout World) {
        world.commit(Planner.setStatus(.down, of: NodeID(number), in: world.state, now: world.now)!)
    }

    private func admit(_ candidate: NodeCandidate, replacing number: Int, _ world: World) throws -> Plan {
        try Planner.admitNode(
            candidate, tokenID: "open", replacing: NodeID(number), in: world.state, now: world.now)
    }

    @Test func aMachineTakesTheNumberOfALostNode() throws {
        var world = World(nodes: 3)
        world.commit(Planner.setStoreRole(.voter, of: NodeID(3), in: world.state)!)
        down(3, &world)
        let next = world.state.head?.nextNode
        let plan = try admit(World.candidate(9), replacing: 3, world)
        world.commit(plan)
        let node = try #require(world.state.nodes[NodeID(3)])
        #expect(plan.node?.id == NodeID(3) && world.state.head?.nextNode == next)
        #expect(node.address == "127.0.0.19" && node.publicKeyDigest == "key9")
        #expect(node.storeRole == .broken, "the member that the store knows died with its machine")
        #expect(node.status == .down, "it comes up when its proxy routes as it should")
        // The answer was lost: the same again, though the node looks taken.
        #expect(try admit(World.candidate(9), replacing: 3, world).changes.isEmpty)
    }

    @Test func theSameAddressIsGoodForTheMachineInItsPlace() throws {
        var world = World(nodes: 3)
        down(3, &world)
        var candidate = World.candidate(3)
        candidate.publicKeyDigest = "another key"
        world.commit(try admit(candidate, replacing: 3, world))
        #expect(world.state.nodes[NodeID(3)]?.publicKeyDigest == "another key")
    }

    @Test func theLivingAreNotReplaced() {
        let world = World(nodes: 3)
        #expect(refusal { _ = try admit(World.candidate(9), replacing: 3, world) }?.code == "node_alive")
        #expect(refusal { _ = try admit(World.candidate(9), replacing: 8, world) }?.code == "node_not_found")
    }

    @Test func aMovedNodeTakesItsDatabasesAlong() throws {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("one", shards: 3, replicated: true))
        let moved = try #require(database.shards.first?.node)
        world.commit(try Planner.moveNode(moved, to: "127.0.0.99", in: world.state, now: world.now))
        #expect(world.state.nodes[moved]?.address == "127.0.0.99")
        #expect(world.state.databases[database.id]!.epoch > database.epoch)
        #expect(try Planner.moveNode(moved, to: "127.0.0.99", in: world.state, now: world.now).changes.isEmpty)
        let taken = refusal { _ = try Planner.moveNode(NodeID(1), to: "127.0.0.99", in: world.state, now: world.now) }
        #expect(moved == NodeID(1) || taken?.code == "address_in_use")
    }
}
