import ClusterModel
import ManagementAPI
import Primitives
import Testing

/// What people do to shards and nodes, and what is set for the cluster.
@Suite(.serialized) struct OperationTests {
    private static func second(_ fixture: ServerFixture) -> NodeRecord {
        NodeRecord(
            id: NodeID(2), address: "127.0.65.2", hostname: "second", architecture: "x86_64", cores: 2,
            totalMemory: .gigabytes(8), softwareVersion: "0.1.0", operatingSystem: "Debian 12",
            joinedAt: ServerFixture.start)
    }

    private func database(_ fixture: ServerFixture, _ client: TestClient) async throws {
        try await fixture.backend.join(Self.second(fixture))
        let body = #"{"name":"one","memory_size":104857600,"replication":true}"#
        #expect(try await client.call("POST", "/v1/bdbs", body).status == 200)
        await fixture.backend.until { $0.databases[DatabaseID(1)]?.status == .active }
    }

    @Test func aPrimaryIsChosenByPeople() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            try await database(fixture, client)
            let path = "/v1/shards/1/actions/failover"
            #expect(try await client.call("POST", path, #"{"dry_run":true}"#)["status"] == "rehearsed")
            let slave = try await client.call("POST", "/v1/shards/2/actions/failover")
            #expect((slave.status, slave.text("error_code")) == (409, "shard_is_slave"))
            #expect(try await client.call("POST", "/v1/shards/9/actions/failover").status == 404)
            let begun = try await client.call("POST", path, #"{"target_shard_uid":"2"}"#)
            #expect(begun.status == 200 && begun.text("description") == "Failover was triggered")
            let uid = try #require(begun.text("action_uid"))
            let action = try await client.call("GET", "/v1/actions/\(uid)")
            #expect((action.text("name"), action.text("object_name")) == ("SMSwitchoverShard", "bdb:1"))
        }
    }

    @Test func aNodeIsDrainedOnlyWhereTheClusterCanDoWithoutIt() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            try await database(fixture, client)
            let voter = try await client.call("POST", "/v1/nodes/1/actions/maintenance_on")
            #expect((voter.status, voter.text("error_code")) == (409, "no_quorum"))
            let begun = try await client.call("POST", "/v1/nodes/2/actions/maintenance_on")
            let uid = try #require(begun.text("task_id"))
            await fixture.backend.until { $0.actions[ActionID(uid)]?.status == .completed }
            let shown = try await client.call("GET", "/v1/nodes/2/actions/maintenance_on")
            #expect((shown.text("task_id"), shown.text("status")) == (uid, "completed"))
            #expect(try await client.call("GET", "/v1/nodes/2")["in_maintenance"] == true)
            let back = try await client.call("POST", "/v1/nodes/2/actions/maintenance_off")
            let end = try #require(back.text("task_id"))
            await fixture.backend.until { $0.actions[ActionID(end)]?.status == .completed }
            #expect(try await client.call("GET", "/v1/nodes/2")["in_maintenance"] == false)
            let refused = try await client.call("POST", "/v1/nodes/2/actions/remove")
            #expect((refused.status, refused.text("error_code")) == (406, "insufficient_resources"))
            #expect(try await client.call("DELETE", "/v1/nodes/2/actions/remove").status == 404)
            #expect(try await client.call("POST", "/v1/nodes/2/actions/enslave_node").status == 404)
        }
    }

    @Test func policiesAndRacksAreSetAndViolationsTold() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            try await database(fixture, client)
            let policy = try await client.call(
                "PUT", "/v1/cluster/policy",
                #"{"failure_detection_sensitivity":"low","slave_ha_grace_period":30}"#)
            #expect(policy["failure_detection_sensitivity"] == "low" && policy["slave_ha_grace_period"] == 30)
            #expect(try await client.call("GET", "/v1/cluster/policy")["slave_ha"] == true)
            let wrong = #"{"failure_detection_sensitivity":"medium"}"#
            #expect(try await client.call("PUT", "/v1/cluster/policy", wrong).status == 400)
            #expect(try await client.call("PUT", "/v1/nodes/1", #"{"rack_id":"a"}"#)["rack_id"] == "a")
            #expect(try await client.call("PUT", "/v1/nodes/2", #"{"rack_id":"A"}"#).status == 200)
            guard case .array(let found)? = try await client.call("GET", "/v1/cluster/verify")["violations"] else {
                return #expect(Bool(false), "no list")
            }
            #expect(found.contains { "\($0)".contains("rack_violated") })
        }
    }
}
