import ClusterModel
import ManagerCore
import Primitives
import Testing

struct NodeTests {
    private func world(lifetime: Int64? = 3600, uses: Int? = 1) -> World {
        var world = World(nodes: 1)
        world.commit(
            try! Planner.createToken(
                id: "t", secretDigest: "d", lifetimeSeconds: lifetime, uses: uses, createdBy: "you@example.com",
                in: world.state, now: world.now))
        return world
    }

    private func code(_ candidate: NodeCandidate, _ world: World, token: String = "t") -> String? {
        refusal { _ = try Planner.admitNode(candidate, tokenID: token, in: world.state, now: world.now) }?.code
    }

    @Test func anAdmissionCountsAUseOnce() throws {
        var world = world()
        let candidate = World.candidate(2)
        let plan = try Planner.admitNode(candidate, tokenID: "t", in: world.state, now: world.now)
        #expect(plan.node?.id == NodeID(2) && plan.changes.contains { $0.key == .head })
        world.commit(plan)
        #expect(world.state.tokens["t"]?.usesLeft == 0)
        // The answer was lost and the node asks again: the same number, no use counted, though none is left.
        let again = try Planner.admitNode(candidate, tokenID: "t", in: world.state, now: world.now)
        #expect(again.node?.id == NodeID(2) && again.changes.isEmpty)
        #expect(code(World.candidate(3), world) == "token_used_up")
    }

    @Test func aRackComesWithTheNode() throws {
        let world = world()
        let plan = try Planner.admitNode(
            World.candidate(2, rack: "r2"), tokenID: "t", in: world.state, now: world.now)
        #expect(plan.node?.rackID == "r2")
        #expect(code(World.candidate(2, rack: "row 2"), world) == "bad_request")
    }

    @Test func badTokensHaveTheirOwnErrors() throws {
        var world = world()
        #expect(code(World.candidate(2), world, token: "x") == "token_unknown")
        var late = world
        late.pass(seconds: 3600)
        #expect(code(World.candidate(2), late) == "token_expired")
        world.commit(try Planner.revokeToken("t", in: world.state))
        #expect(code(World.candidate(2), world) == "token_revoked")
        #expect(try Planner.revokeToken("t", in: world.state).changes.isEmpty)
    }

    @Test func aRevocationExcludesAnAdmissionPlannedBefore() throws {
        let world = world()
        let revocation = try Planner.revokeToken("t", in: world.state)
        #expect(revocation.changes.contains { $0.key == .head })
    }

    @Test func impostorsAndWrongClocksAreRefused() {
        let world = world(uses: nil)
        var candidate = World.candidate(2)
        candidate.address = World.candidate(1).address
        #expect(code(candidate, world) == "address_in_use")
        candidate = World.candidate(2)
        candidate.publicKeyDigest = World.candidate(1).publicKeyDigest
        #expect(code(candidate, world) == "already_joined")
        candidate = World.candidate(2)
        candidate.clock = world.now.adding(seconds: -31)
        #expect(code(candidate, world) == "time_not_sync")
        candidate.clock = world.now.adding(seconds: 29)
        #expect(code(candidate, world) == nil)
    }

    @Test func aNewNodeServesDatabasesOfAllNodes() throws {
        var world = World(nodes: 2)
        let everywhere = try world.createActive(.named("everywhere"))
        var policy = DatabasePolicy.named("single")
        policy.proxyPolicy = .single
        let single = try world.createActive(policy)
        #expect(Planner.rebindEndpoints(in: world.state, now: world.now) == nil)
        world.join(World.candidate(3))
        world.commit(try #require(Planner.rebindEndpoints(in: world.state, now: world.now)))
        let bound = try #require(world.state.databases[everywhere.id])
        #expect(bound.endpoint.nodes == [NodeID(1), NodeID(2), NodeID(3)])
        #expect(bound.epoch == world.state.head?.epoch)
        #expect(world.state.databases[single.id] == single)
        #expect(Planner.rebindEndpoints(in: world.state, now: world.now) == nil)
    }

    @Test func rebindingManyDatabasesTakesPlansOfBoundedSize() throws {
        var world = World(nodes: 1)
        for number in 1...150 { try world.create(.named("db\(number)", .zero)) }
        world.join(World.candidate(2))
        var sizes: [Int] = []
        while let plan = Planner.rebindEndpoints(in: world.state, now: world.now) {
            sizes.append(plan.changes.count)
            world.commit(plan)
        }
        #expect(sizes == [101, 51])
    }
}
