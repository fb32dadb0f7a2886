import ClusterModel
import ManagerCore
import Primitives
import Testing

struct ChangeTests {
    @Test func replicasComeAndGo() throws {
        var world = World(nodes: 3)
        let before = try world.createActive(.named("orders", shards: 2))
        let with = try world.update(before.id) { $0.isReplicated = true }
        #expect(with.shards.count == 4 && with.status == .activeChangePending && with.epoch > before.epoch)
        #expect(with.primaries == before.primaries, "primaries stay where they are")
        for replica in with.shards where replica.role == .replica {
            #expect(with.primary(of: replica)?.node != replica.node)
        }
        world.finishAll()
        let without = try world.update(before.id) { $0.isReplicated = false }
        #expect(without.shards == before.shards)
    }

    /// Nobody could confirm a write.
    @Test func waitingForReplicasNeedsSome() throws {
        var world = World(nodes: 3)
        let database = try world.createActive(.named("orders"))
        let alone = refusal { try world.update(database.id) { $0.durability = .replica } }
        #expect(alone?.code == "invalid_durability" && alone?.status == 406)
        try world.update(database.id) {
            $0.isReplicated = true
            $0.durability = .replicaDegrade
        }
        world.finishAll()
        let without = refusal { try world.update(database.id) { $0.isReplicated = false } }
        #expect(without?.code == "invalid_durability")
        try world.update(database.id) {
            $0.isReplicated = false
            $0.durability = .async
        }
    }

    @Test func moreMemoryHasToFitWhereTheShardsAre() throws {
        var world = World(nodes: 2, memory: .gigabytes(1))
        let database = try world.createActive(.named("orders", .megabytes(400)))
        try world.update(database.id) { $0.memoryLimit = .megabytes(900) }
        world.finishAll()
        let error = refusal { try world.update(database.id) { $0.memoryLimit = .megabytes(950) } }
        #expect(error?.code == "insufficient_resources")
        #expect(error?.message.hasPrefix("Node 1 would have to promise 950 MB") == true)
    }

    @Test func whatCanNotChangeIsRefused() throws {
        var world = World(nodes: 1)
        let database = try world.createActive(.named("orders"))
        #expect(refusal { try world.update(database.id) { $0.shardCount = 2 } }?.status == 501)
        #expect(refusal { try world.update(database.id) { $0.requestedPort = 12000 } }?.status == 501)
        try world.createActive(.named("other"))
        #expect(refusal { try world.update(database.id) { $0.name = "other" } }?.code == "name_violation")
    }

    /// Its keys lie where the rules put them. Where there is one shard, that is nowhere else.
    @Test func keyRulesOfSeveralShardsStay() throws {
        var world = World(nodes: 1)
        var policy = DatabasePolicy.named("ruled", shards: 2)
        policy.keyRules = KeyRules(patterns: ["a(?<tag>.*)"])
        let ruled = try world.createActive(policy)
        let plain = try world.createActive(.named("plain", shards: 2))
        let single = try world.createActive(.named("single"))
        for (id, patterns) in [(ruled.id, []), (ruled.id, ["(?<tag>.*)"]), (plain.id, ["(?<tag>.*)"])] {
            let error = refusal { try world.update(id) { $0.keyRules = KeyRules(patterns: patterns) } }
            #expect(error?.code == "shard_key_regex_fixed" && error?.status == 409)
        }
        #expect(try world.update(plain.id) { $0.keyRules = KeyRules(patterns: KeyRules.standardPatterns) } == plain)
        try world.update(single.id) { $0.keyRules = policy.keyRules }
        // Nothing moves: keys that were refused are taken, or keys are refused until it is taken back.
        try world.update(ruled.id) { $0.keyRules.hashesUnmatched = true }
        world.finishAll()
        try world.update(ruled.id) { $0.keyRules.hashesUnmatched = false }
        let error = refusal { try world.update(single.id) { $0.keyRules = KeyRules(patterns: ["x"]) } }
        #expect(error?.code == "invalid_shard_key_regex" && error?.status == 406)
    }

    @Test func sayingItsOwnPortOrNothingNewIsNoChange() throws {
        var world = World(nodes: 1)
        let database = try world.createActive(.named("orders"))
        var policy = database.policy
        policy.requestedPort = database.endpoint.port
        let plan = try Planner.updateDatabase(
            database.id, to: policy, in: world.state, fresh: world.fresh(), now: world.now)
        #expect(plan.changes.isEmpty && plan.action == nil && plan.database == database)
    }

    @Test func aDatabaseUnderChangeIsBusy() throws {
        var world = World(nodes: 1)
        let database = try world.create(.named("orders"))
        #expect(refusal { try world.delete(database.id) }?.code == "busy")
        #expect(refusal { try world.update(database.id) { $0.tags = ["a": "b"] } }?.status == 409)
        #expect(refusal { try world.delete(DatabaseID(99)) }?.code == "db_not_exist")
    }

    @Test func aFailedCreateCanOnlyBeDeleted() throws {
        var world = World(nodes: 1)
        let database = try world.create(.named("orders"))
        world.finishAll(.failed("disk full"))
        #expect(world.state.databases[database.id]?.status == .creationFailed)
        #expect(refusal { try world.update(database.id) { $0.tags = ["a": "b"] } }?.code == "not_active")
        try world.delete(database.id)
        world.finishAll()
        #expect(world.state.databases.isEmpty && world.state.revisions["/tarn/databases/1"] == nil)
    }

    @Test func aFailedDeleteCanBeAskedForAgain() throws {
        var world = World(nodes: 1)
        let database = try world.createActive(.named("orders"))
        try world.delete(database.id)
        world.finishAll(.failed("a node refused"))
        #expect(world.state.databases[database.id]?.status == .deletePending)
        try world.delete(database.id)
        world.finishAll()
        #expect(world.state.databases.isEmpty)
    }

    @Test func finishingTwiceDoesNothing() throws {
        var world = World(nodes: 1)
        let database = try world.create(.named("orders"))
        let action = try #require(world.state.unfinishedActions(of: database.id).first)
        world.commit(try #require(Planner.finish(action, outcome: .completed, in: world.state, now: world.now)))
        #expect(Planner.finish(action, outcome: .failed("late"), in: world.state, now: world.now) == nil)
        #expect(Planner.progress(of: action.id, percent: 50, message: "late", in: world.state, now: world.now) == nil)
    }

    @Test func failoverSwapsRolesOnce() throws {
        var world = World(nodes: 3)
        let before = try world.createActive(.named("orders", shards: 3, replicated: true, placement: .sparse))
        let primary = before.shards[0]
        let replica = before.shards[1]
        func failOver() throws {
            world.commit(
                try Planner.failOver(
                    primary.id, to: replica.id, in: world.state, fresh: world.fresh(), now: world.now))
        }
        try failOver()
        let after = try #require(world.state.databases[before.id])
        #expect(after.epoch == before.epoch.next)
        #expect(after.shards[0].role == .replica && after.shards[1].role == .primary)
        #expect(after.shards.dropFirst(2) == before.shards.dropFirst(2))
        #expect(refusal { try failOver() }?.code == "shard_is_slave", "the second report of one death")
        #expect(
            refusal {
                _ = try Planner.failOver(
                    after.shards[2].id, to: after.shards[1].id, in: world.state, fresh: world.fresh(), now: world.now)
            }?.code == "invalid_replication")
    }

    @Test func failoverDoesNotWaitForAnUpdateAndBothEnd() throws {
        var world = World(nodes: 2)
        let database = try world.createActive(.named("orders", replicated: true))
        try world.update(database.id) { $0.tags = ["a": "b"] }
        world.commit(
            try Planner.failOver(
                database.shards[0].id, to: database.shards[1].id, in: world.state, fresh: world.fresh(), now: world.now)
        )
        let actions = world.state.unfinishedActions(of: database.id)
        #expect(actions.map(\.kind) == [.updateDatabase, .failover])
        world.commit(try #require(Planner.finish(actions[0], outcome: .completed, in: world.state, now: world.now)))
        #expect(world.state.databases[database.id]?.status == .activeChangePending)
        world.commit(try #require(Planner.finish(actions[1], outcome: .completed, in: world.state, now: world.now)))
        #expect(world.state.databases[database.id]?.status == .active)
    }

    @Test func oldActionsAreForgotten() throws {
        var world = World(nodes: 1)
        for number in 1...5 {
            world.pass(seconds: 1)
            try world.createActive(.named("db\(number)"))
        }
        world.commit(try #require(Planner.forgetActions(keeping: 2, in: world.state)))
        #expect(world.state.actions.keys.map(\.description).sorted() == ["action-4", "action-5"])
        #expect(Planner.forgetActions(keeping: 2, in: world.state) == nil)
    }
}
