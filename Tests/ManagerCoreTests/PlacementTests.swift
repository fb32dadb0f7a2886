import ClusterModel
import ManagerCore
import Primitives
import Testing

struct PlacementTests {
    @Test(arguments: [ShardsPlacement.dense, .sparse], [1, 2, 3, 4, 5])
    func aReplicaIsNeverBesideItsPrimary(placement: ShardsPlacement, nodes: Int) throws {
        var world = World(nodes: nodes)
        let policy = DatabasePolicy.named("ha", shards: 6, replicated: true, placement: placement)
        guard nodes > 1 else {
            let error = refusal { try world.create(policy) }
            #expect(error?.code == "replication_node_violation")
            return
        }
        let database = try world.create(policy)
        #expect(database.shards.count == 12)
        for replica in database.shards where replica.role == .replica {
            #expect(database.primary(of: replica)?.node != replica.node)
        }
    }

    @Test func sparseGivesEachNodeItsShareOfPrimariesAndReplicas() throws {
        var world = World(nodes: 3)
        let database = try world.create(.named("ha", shards: 3, replicated: true, placement: .sparse))
        for node in 1...3 {
            let shards = database.shards.filter { $0.node == NodeID(node) }
            #expect(shards.count { $0.role == .primary } == 1, "node \(node): \(shards)")
            #expect(shards.count { $0.role == .replica } == 1, "node \(node): \(shards)")
        }
    }

    @Test func denseFillsFewNodesAndStillSharesPrimaries() throws {
        var world = World(nodes: 5)
        #expect(Set(try world.create(.named("simple", shards: 4)).shards.map(\.node)).count == 1)
        let replicated = try world.create(.named("ha", shards: 4, replicated: true))
        #expect(Set(replicated.shards.map(\.node)).count == 2)
        let primaries = Dictionary(grouping: replicated.primaries, by: \.node)
        #expect(primaries.values.map(\.count) == [2, 2])
    }

    @Test func slotsAreCoveredOnceAndReplicasHaveTheirPrimarysSlots() throws {
        var world = World(nodes: 3)
        let database = try world.create(.named("ha", shards: 5, replicated: true, placement: .sparse))
        let ranges = database.primaries.map(\.slots).sorted { $0.first < $1.first }
        #expect(ranges.first?.first == 0 && ranges.last?.last == 16383)
        for (left, right) in zip(ranges, ranges.dropFirst()) { #expect(left.last + 1 == right.first) }
        #expect(Set(database.shards.map(\.id)).count == 10)
    }

    @Test func replicasGoToAnotherRack() throws {
        var world = World(nodes: 4, racks: ["a", "a", "a", "b"])
        let database = try world.create(.named("ha", shards: 4, replicated: true, placement: .sparse))
        let racks = world.state.nodes.mapValues(\.rackID)
        for replica in database.shards where replica.role == .replica {
            #expect(racks[replica.node] != racks[database.primary(of: replica)!.node])
        }
        var oneRack = World(nodes: 3, racks: ["a", "a", "a"])
        #expect(
            refusal { try oneRack.create(.named("ha", replicated: true)) }?.code == "rack_awareness_violation")
    }

    /// Node 1 has room for four shards, nodes 2 and 3 for two each; only pairs that all include node 1 work out.
    @Test func findsTheOnlyPairingThatFits() throws {
        var world = World(nodes: 1, memory: .megabytes(500))
        world.join(World.candidate(2, memory: .megabytes(250)))
        world.join(World.candidate(3, memory: .megabytes(250)))
        for placement in [ShardsPlacement.dense, .sparse] {
            var copy = world
            let policy = DatabasePolicy.named(
                "tight", .megabytes(800), shards: 4, replicated: true, placement: placement)
            let database = try copy.create(policy)
            #expect(database.shards.count { $0.node == NodeID(1) } == 4)
        }
    }

    @Test func refusalNamesWhatIsShort() throws {
        var world = World(nodes: 2, memory: .gigabytes(1))
        let error = try #require(refusal { try world.create(.named("big", .gigabytes(3), shards: 3)) })
        #expect(error.code == "insufficient_resources" && error.status == 406)
        #expect(
            error.message
                == "3 shards of 1 GB are needed, none would fit: 3 GB short. Of what may be promised (90 % of memory) "
                + "node 1 has 921.5 MB free, node 2 has 921.5 MB free. Ask for less memory, delete a database, or "
                + "join a node.")
    }

    @Test func promisesAreGivenBackWhenADatabaseGoes() throws {
        var world = World(nodes: 1, memory: .gigabytes(1))
        let first = try world.createActive(.named("first", .megabytes(900)))
        #expect(refusal { try world.create(.named("second", .megabytes(900))) } != nil)
        try world.delete(first.id)
        #expect(refusal { try world.create(.named("second", .megabytes(900))) } != nil, "still being deleted")
        world.finishAll()
        #expect(world.state.usage.nodes.isEmpty)
        try world.create(.named("second", .megabytes(900)))
    }

    @Test func unlimitedMemoryCountsAsNothingButSlotsRunOut() throws {
        var world = World(nodes: 1)
        try world.create(.named("free", .zero, shards: 500))
        let error = refusal { try world.create(.named("more", .zero)) }
        #expect(error?.message.contains("nodes may run 0 more") == true)
    }

    @Test func nodesThatAreDownOrClosedGetNoShards() throws {
        var world = World(nodes: 3)
        world.commit(try #require(Planner.setStatus(.down, of: NodeID(1), in: world.state, now: World.start)))
        let database = try world.create(.named("ha", shards: 3, replicated: true, placement: .sparse))
        #expect(database.shards.allSatisfy { $0.node != NodeID(1) })
    }
}
