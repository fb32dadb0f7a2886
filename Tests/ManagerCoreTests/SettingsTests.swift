import ClusterModel
import ManagerCore
import Testing

struct SettingsTests {
    @Test func aChangeRaisesTheEpochAndNeedsNoAction() throws {
        var world = World(nodes: 1)
        let before = try world.createActive(.named("orders"))
        let plan = try Planner.changeSettings(
            ["hash-max-ziplist-entries": "8"], of: before.id, in: world.state, now: world.now)
        world.commit(plan)
        let after = try #require(world.state.databases[before.id])
        #expect(after.epoch > before.epoch && after.status == .active && plan.action == nil)
        #expect(after.policy.settings.values == ["hash-max-listpack-entries": "8"])
        let again = try Planner.changeSettings(
            ["hash-max-listpack-entries": "8"], of: before.id, in: world.state, now: world.now)
        #expect(again.changes.isEmpty && again.database?.epoch == after.epoch, "what is so already is no change")
    }

    /// The action of an update that runs goes on towards the newer epoch.
    @Test func aChangeUnderWayIsNoObstacle() throws {
        var world = World(nodes: 2)
        let database = try world.createActive(.named("orders"))
        try world.update(database.id) { $0.isReplicated = true }
        world.commit(
            try Planner.changeSettings(["timeout": "30"], of: database.id, in: world.state, now: world.now))
        #expect(world.state.databases[database.id]?.status == .activeChangePending)
        world.finishAll()
        let after = try #require(world.state.databases[database.id])
        #expect(after.status == .active && after.policy.settings.values == ["timeout": "30"] && after.shards.count == 2)
    }

    @Test func refusals() throws {
        var world = World(nodes: 1)
        let database = try world.create(.named("orders"))
        func refused(_ settings: [String: String], _ id: DatabaseID) -> String? {
            refusal { _ = try Planner.changeSettings(settings, of: id, in: world.state, now: world.now) }?.code
        }
        #expect(refused(["timeout": "1"], DatabaseID(99)) == "db_not_exist")
        #expect(refused(["timeout": "1"], database.id) == "not_active")
        world.finishAll()
        #expect(refused(["timeout": "-1"], database.id) == "invalid_setting")
        #expect(refused(["requirepass": "x"], database.id) == "invalid_setting")
        #expect(refused(["maxmemory": "100gb"], database.id) == "invalid_setting")
    }
}
