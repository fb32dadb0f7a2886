import ClusterModel
import ManagementAPI
import Primitives
import Testing

struct BDBRequestTests {
    private func policy(_ text: String) throws -> DatabasePolicy {
        try decode(BDBRequest.self, text).toPolicy()
    }

    private func refusal(_ text: String) throws -> PlanError? {
        let request = try decode(BDBRequest.self, text)
        do {
            _ = try request.toPolicy()
            return nil
        } catch {
            return error
        }
    }

    /// What `redisctl enterprise workflow init-cluster` sends.
    @Test func theSmallestCreate() throws {
        let policy = try policy(
            #"{"name":"d","memory_size":104857600,"type":"redis","replication":false,"redis_version":"7.0"}"#)
        #expect(policy == DatabasePolicy(name: "d", memoryLimit: .megabytes(100)))
        #expect(policy.proxyPolicy == .allNodes)
    }

    @Test func everyOption() throws {
        let policy = try policy(
            #"""
            {"name":"d","memory_size":0,"sharding":true,"shards_count":3,"replication":true,"port":12000,
             "shard_key_regex":[{"regex":".*\\{(?<tag>.*)\\}.*"},{"regex":"(?<tag>.*)"}],
             "data_persistence":"snapshot","snapshot_policy":[{"secs":60,"writes":5}],"eviction_policy":"noeviction",
             "proxy_policy":"all-master-shards","shards_placement":"sparse","authentication_redis_pass":"p",
             "max_connections":7,"durability":"replica-degrade","tags":[{"key":"a","value":"b"}],"flash_enabled":false}
            """#)
        #expect(
            policy
                == DatabasePolicy(
                    name: "d", memoryLimit: .zero, shardCount: 3, isReplicated: true, requestedPort: 12000,
                    eviction: .noEviction, persistence: .snapshot([SnapshotRule(seconds: 60, writes: 5)]),
                    proxyPolicy: .allMasterShards, placement: .sparse, password: "p", maximumConnections: 7,
                    tags: ["a": "b"], durability: .replicaDegrade))
    }

    @Test(arguments: [
        (#"{"memory_size":1}"#, "missing_db_name"), (#"{"name":"d"}"#, "missing_memory_size"),
        (#"{"name":"d","memory_size":1,"sharding":false,"shards_count":2}"#, "invalid_sharding"),
        (#"{"name":"d","memory_size":1,"data_persistence":"yes"}"#, "invalid_data_persistence"),
        (#"{"name":"d","memory_size":1,"data_persistence":"aof","aof_policy":"never"}"#, "invalid_data_persistence"),
        (#"{"name":"d","memory_size":1,"eviction_policy":"oldest"}"#, "eviction_policy_violation"),
        (#"{"name":"d","memory_size":1,"proxy_policy":"two"}"#, "invalid_proxy_policy"),
        (#"{"name":"d","memory_size":1,"durability":"disk"}"#, "invalid_durability"),
        (#"{"name":"d","memory_size":1,"port":70000}"#, "port_unavailable"),
        (#"{"name":"d","memory_size":1,"redis_version":"8.2"}"#, "invalid_version"),
        (#"{"name":"d","memory_size":1,"tags":[{"key":"a","value":""},{"key":"a","value":""}]}"#, "invalid_bdb_tags"),
        (#"{"name":"d","memory_size":1,"type":"memcached"}"#, "not_supported"),
        (#"{"name":"d","memory_size":1,"oss_cluster":true}"#, "not_supported"),
    ])
    func refusalsAreNamed(text: String, code: String) throws {
        let error = try #require(try refusal(text))
        #expect(error.code == code)
        #expect(error.status == (code == "not_supported" ? 501 : 406))
    }

    @Test func keyRulesAreTakenAndKept() throws {
        let text = #"{"name":"d","memory_size":1,"shards_count":2,"shard_key_regex":[{"regex":"a(?<tag>.*)"}]}"#
        var policy = try policy(text)
        #expect(policy.keyRules == KeyRules(patterns: ["a(?<tag>.*)"]))
        policy = try decode(BDBRequest.self, #"{"implicit_shard_key":true}"#).apply(to: policy)
        #expect(policy.keyRules == KeyRules(patterns: ["a(?<tag>.*)"], hashesUnmatched: true))
        policy = try decode(BDBRequest.self, #"{"shard_key_regex":[]}"#).apply(to: policy)
        #expect(policy.keyRules == KeyRules(hashesUnmatched: true))
        #expect(throws: DecodingError.self) { try decode(BDBRequest.self, #"{"shard_key_regex":["a"]}"#) }
    }

    @Test func whatWeDoNotOfferIsRefusedByName() throws {
        let error = try #require(try refusal(#"{"name":"d","memory_size":1,"tls_mode":"enabled","backup":false}"#))
        #expect(error.message == #"tls_mode can only be "disabled" for now (asked for: "enabled"). Leave it out."#)
    }

    @Test func wrongTypesNameTheKey() {
        let error = #expect(throws: DecodingError.self) {
            try decode(BDBRequest.self, #"{"name":"d","memory_size":"100mb"}"#)
        }
        guard case .typeMismatch(_, let context)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(context.codingPath.map(\.stringValue) == ["memory_size"])
    }

    @Test func aChangeLeavesTheRestAlone() throws {
        let before = Sample.database.policy
        #expect(try decode(BDBRequest.self, "{}").apply(to: before) == before)
        var expected = before
        expected.memoryLimit = .gigabytes(1)
        expected.persistence = .appendOnly(everyWrite: false)
        let request = try decode(
            BDBRequest.self, #"{"memory_size":1073741824,"aof_policy":"appendfsync-every-sec"}"#)
        #expect(try request.apply(to: before) == expected)
    }

    /// Many clients read a database, change a key and send all of it back.
    @Test func aDatabaseSentBackChangesNothing() throws {
        let request = try decode(BDBRequest.self, try json(Sample.bdb).text)
        #expect(try request.apply(to: Sample.database.policy) == Sample.database.policy)
    }

    @Test func clientsWriteWhatTheServerReads() throws {
        let request = try decode(
            BDBRequest.self, #"{"name":"d","memory_size":5,"tls_mode":"enabled","snapshot_policy":[]}"#)
        #expect(try roundTrip(request) == request)
        #expect(try json(BDBRequest()) == [:], "what isn't asked for isn't sent")
    }
}
