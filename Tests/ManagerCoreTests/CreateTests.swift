import ClusterModel
import ManagerCore
import Primitives
import Testing

struct CreateTests {
    @Test func aCreateRaisesTheEpochAndStartsAnAction() throws {
        var world = World(nodes: 3)
        let epoch = try #require(world.state.head).epoch
        let database = try world.create(.named("orders", shards: 2, replicated: true))
        #expect(database.epoch == epoch.next && world.state.head?.epoch == epoch.next)
        #expect(database.status == .pending)
        #expect(database.endpoint.nodes == [NodeID(1), NodeID(2), NodeID(3)])
        let action = try #require(world.state.unfinishedActions(of: database.id).first)
        #expect(action.kind == .createDatabase && action.epoch == database.epoch)
        world.finishAll()
        #expect(world.state.databases[database.id]?.status == .active)
        #expect(world.state.databases[database.id]?.epoch == database.epoch, "status alone is no new epoch")
    }

    @Test func portsOfDeletedDatabasesAreNotGivenOutAtOnce() throws {
        var world = World(nodes: 1)
        let first = try world.createActive(.named("first"))
        #expect(first.endpoint.port == 10000 && first.shards[0].port == 20000)
        try world.delete(first.id)
        world.finishAll()
        let second = try world.create(.named("second"))
        #expect(second.endpoint.port == 10001 && second.shards[0].port == 20001)
    }

    @Test func requestedPortsAreCheckedAndSkipped() throws {
        var world = World(nodes: 1)
        var policy = DatabasePolicy.named("fixed")
        policy.requestedPort = 10001
        #expect(try world.create(policy).endpoint.port == 10001)
        #expect(try world.create(.named("second")).endpoint.port == 10002)
        for port in [UInt16(10001), 10050, 9999, 20000] {
            policy.name = "other\(port)"
            policy.requestedPort = port
            #expect(refusal { try world.create(policy) }?.code == "port_unavailable", "port \(port)")
        }
    }

    @Test func port10050IsNeverChosenAndPortsRunOut() throws {
        var world = World(nodes: 1)
        var policy = DatabasePolicy.named("template", .zero)
        policy.proxyPolicy = .single
        var template = try world.create(policy)
        template.shards = []
        template.endpoint.nodes = []
        for number in 2...9999 {
            template.id = DatabaseID(number)
            template.policy.name = "db\(number)"
            // 10050 stays free: nobody may have it.
            template.endpoint.port = UInt16(9999 + number + (9999 + number >= 10050 ? 1 : 0))
            world.commit(Plan(changes: [.database(template)]))
        }
        #expect(world.state.usage.endpointPorts.count == 9999)
        let error = refusal { try world.create(.named("one-more")) }
        #expect(error?.code == "insufficient_resources" && error?.message.contains("endpoint ports") == true)
        world.commit(Plan(changes: [.removed(.database(DatabaseID(500)))]))
        #expect(try world.create(.named("one-more")).endpoint.port == 10500)
    }

    @Test(arguments: ["", "-a", "a-", "a b", "ä", "a_b", String(repeating: "x", count: 64)])
    func badNamesAreRefused(name: String) {
        var world = World(nodes: 1)
        let code = refusal { try world.create(.named(name)) }?.code
        #expect(code == (name.isEmpty ? "missing_db_name" : "name_violation"))
    }

    @Test func namesAndNumbersAreUnique() throws {
        var world = World(nodes: 1)
        try world.create(.named("orders"), id: DatabaseID(7))
        #expect(refusal { try world.create(.named("orders")) }?.status == 409)
        #expect(refusal { try world.create(.named("other"), id: DatabaseID(7)) }?.code == "uid_exists")
        #expect(try world.create(.named("other")).id == DatabaseID(8))
    }

    @Test func limitsThatNoShardCouldLiveInAreRefused() {
        var world = World(nodes: 1)
        let error = refusal { try world.create(.named("tiny", .megabytes(3), shards: 4)) }
        #expect(error?.code == "invalid_memory_size" && error?.message.contains("4 MB or more") == true)
        #expect(refusal { try world.create(.named("many", .zero, shards: 513)) }?.code == "invalid_sharding")
    }

    @Test func badKeyRulesAreRefusedByName() throws {
        var world = World(nodes: 1)
        var policy = DatabasePolicy.named("ruled", shards: 2)
        for (patterns, words) in [
            (["(?<tag>.*)a", "(?<tag>"], "rule 2 ((?<tag>) does not compile: "), ([".*"], "rule 1 (.*) has no group"),
            ([String(repeating: "x", count: 257)], "rule 1 (xxx"),
            (Array(repeating: "(?<tag>.*)", count: 33), "there are 33 rules"),
        ] {
            policy.keyRules = KeyRules(patterns: patterns)
            let error = refusal { try world.create(policy) }
            #expect(error?.code == "invalid_shard_key_regex" && error?.status == 406)
            #expect(error?.message.hasPrefix("shard_key_regex: " + words) == true, "\(error?.message ?? "")")
        }
        policy.keyRules = KeyRules(patterns: ["a(?<tag>.*)"])
        #expect(try world.create(policy).policy.keyRules == policy.keyRules)
    }

    @Test func endpointsFollowTheProxyPolicy() throws {
        var world = World(nodes: 4)
        var policy = DatabasePolicy.named("single", shards: 3, replicated: true, placement: .sparse)
        policy.proxyPolicy = .single
        let single = try world.create(policy)
        #expect(single.endpoint.nodes == [single.primaries[0].node])
        policy.name = "primaries"
        policy.proxyPolicy = .allMasterShards
        let primaries = try world.create(policy)
        #expect(primaries.endpoint.nodes == Set(primaries.primaries.map(\.node)).sorted())
    }

    @Test func twoPlansFromOneStateExcludeEachOther() throws {
        var world = World(nodes: 1)
        let left = try Planner.createDatabase(
            .named("left"), id: nil, in: world.state, fresh: world.fresh(), now: world.now)
        let right = try Planner.createDatabase(
            .named("right"), id: nil, in: world.state, fresh: world.fresh(), now: world.now)
        for plan in [left, right] { #expect(plan.changes.contains { $0.key == .head }) }
        let revision = world.state.headRevision
        world.commit(left)
        #expect(world.state.headRevision != revision, "the condition of the second no longer holds")
    }
}
