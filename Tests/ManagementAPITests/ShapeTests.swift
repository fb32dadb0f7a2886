import ClusterModel
import ManagementAPI
import Primitives
import Testing

/// Shapes against what the reference system's server was seen to answer.
struct ShapeTests {
    /// Keys of a database in a live answer (fixtures of a client library, 2025-10-14), Active-Active left out.
    private static let databaseKeys = """
        acl active_defrag_cycle_max active_defrag_cycle_min active_defrag_ignore_bytes active_defrag_max_scan_fields
        active_defrag_threshold_lower active_defrag_threshold_upper activedefrag aof_policy authentication_admin_pass
        authentication_redis_pass authentication_sasl_pass authentication_sasl_uname authentication_ssl_client_certs
        authentication_ssl_crdt_certs authorized_subjects auto_upgrade background_op backup backup_failure_reason
        backup_history backup_interval backup_progress backup_status bigstore bigstore_max_ram_ratio bigstore_ram_size
        bigstore_version client_cert_subject_validation_type compare_key_hslot conns conns_type crdt created_time
        data_internode_encryption data_persistence dataset_import_sources db_conns_auditing default_user
        dns_address_master dns_suffixes email_alerts endpoints eviction_policy flush_on_fullsync generate_text_monitor
        group_uid hash_slots_policy implicit_shard_key internal last_changed_time master_persistence max_aof_file_size
        max_aof_load_time max_client_pipeline max_connections max_pipelined maxclients memory_size metrics_export_all
        mkms module_list mtls_allow_outdated_certs mtls_allow_weak_hashing multi_commands_opt name oss_cluster
        oss_cluster_api_preferred_endpoint_type oss_cluster_api_preferred_ip_type oss_sharding port proxy_policy
        rack_aware recovery_wait_time redis_cluster_enabled redis_version repl_backlog_size replica_read_only
        replica_sources replica_sync replica_sync_connection_alarm_timeout_seconds replica_sync_dist replication resp3
        roles_permissions sched_policy shard_block_crossslot_keys shard_block_foreign_keys shard_key_regex shard_list
        sharding shards_count shards_placement skip_import_analyze slave_buffer slave_ha slave_ha_priority
        snapshot_policy ssl status support_syncer_reconf sync sync_dedicated_threads sync_sources syncer_log_level
        syncer_mode throughput_ingress tls_mode topology_epoch tracking_table_max_keys type uid use_selective_flush
        version wait_command
        """.split { $0 == " " || $0 == "\n" }.map(String.init)

    @Test func aDatabaseHasEveryKeyOfTheReference() throws {
        let object = try json(Sample.bdb)
        #expect(Set(Self.databaseKeys).subtracting(object.keys) == [])
        #expect(object["uid"] == 3 && object["memory_size"] == 419_430_400 && object["shards_count"] == 2)
        #expect(object["durability"] == "async", "ours, beside the reference's keys")
        #expect(object["port"] == 0, "as asked for; the real one is the endpoint's")
        #expect(object["sharding"] == true && object["shard_list"] == [5, 6])
        #expect(object["shard_key_regex"] == [["regex": #".*\{(?<tag>.*)\}.*"#], ["regex": "(?<tag>.*)"]])
        #expect(object["implicit_shard_key"] == false)
        #expect(object["data_persistence"] == "aof" && object["aof_policy"] == "appendfsync-always")
        #expect(object["tags"] == [["key": "env", "value": "b"], ["key": "team", "value": "a"]])
        #expect(object["created_time"] == "2025-10-14T00:01:06Z" && object["action_uid"] == "5d5c")
        #expect(
            object["endpoints"] == [
                [
                    "uid": "3:1", "bdb_uid": 3, "addr": ["192.168.16.2"], "addr_type": "external",
                    "dns_name": "redis-14968.cluster.local", "port": 14968, "proxy_policy": "single",
                    "oss_cluster_api_preferred_ip_type": "internal", "oss_cluster_api_preferred_endpoint_type": "ip",
                ]
            ])
    }

    @Test func numbersOfShardsAreTexts() throws {
        let report = ShardReportObject(
            shard: ShardID(5), database: DatabaseID(3), role: .primary, state: "ok", pid: 77,
            usedMemory: .megabytes(1), keys: 4, isLinkUp: true, replicationOffset: 0)
        let object = try json(ShardObject(Sample.database.shards[0], of: Sample.database, report: report))
        #expect(object["uid"] == "5" && object["node_uid"] == "1" && object["bdb_uid"] == 3)
        #expect(object["role"] == "master" && object["assigned_slots"] == "0-8191")
        #expect(object["status"] == "active" && object["detailed_status"] == "ok")
        #expect(object["pid"] == 77 && object["used_memory"] == 1_048_576)
        #expect(object["loading"] == ["status": "idle"] && object["redis_info"] == [:])
        let silent = try json(ShardObject(Sample.database.shards[1], of: Sample.database, report: nil))
        #expect(silent["role"] == "slave" && silent["status"] == "inactive" && silent["pid"] == nil)
    }

    @Test func nodes() throws {
        let object = try json(NodeObject(Sample.node, databases: [DatabaseID(3): Sample.database], report: nil))
        let expected: Set = [
            "uid", "addr", "external_addr", "accept_servers", "architecture", "cores", "total_memory", "status",
            "shard_count", "ram_shard_count", "flash_shard_count", "shard_list", "rack_id", "second_rack_id",
            "max_listeners", "max_redis_servers", "max_redis_forks", "max_slave_full_syncs", "software_version",
            "bigstore_enabled", "supported_database_versions", "uptime", "use_internal_ipv6", "fips_enabled",
        ]
        #expect(expected.subtracting(object.keys) == [])
        #expect(object["uid"] == 1 && object["shard_count"] == 1 && object["shard_list"] == [5])
        let status = try json(
            NodeStatusObject(Sample.node, isLeader: true, databases: [DatabaseID(3): Sample.database], report: nil))
        #expect(status["role"] == "master" && status["master_shards"] == [5] && status["slave_shards"] == [])
        #expect(status["free_ram"] == nil, "unknown is not 0")
        #expect(status["total_provisional_ram"] == .integer(8_589_934_592 / 100 * 90))
    }

    @Test func actions() throws {
        let list = try json(ActionList([Sample.action]))
        #expect(list.keys == ["actions", "state-machines"] && list["actions"] == [])
        guard case .array(let machines)? = list["state-machines"] else {
            Issue.record("no list")
            return
        }
        let object = machines[0]
        #expect(object["action_uid"] == "5d5c" && object["task_id"] == "5d5c")
        #expect(object["name"] == "SMCreateBDB" && object["object_name"] == "bdb:3")
        #expect(object["status"] == "failed" && object["error_message"] == "node 2: disk full")
        #expect(object["creation_time"] == "1760400066" && object["heartbeat"] == 1_760_400_071)
    }

    @Test func theAddressesOfABootstrapHaveBothNames() throws {
        let node = LocalNodeObject(
            uid: NodeID(1), addresses: [.init(address: "10.0.0.1", interface: "eth0", isPrivate: true)],
            architecture: "x86_64", cores: 2, totalMemoryBytes: 1, uptimeSeconds: 1, softwareVersion: "0.1.0",
            operatingSystem: "Debian", hostname: "h")
        let bootstrap = BootstrapObject(state: "completed", startedAt: Sample.start, localNode: node)
        let object = try json(bootstrap)
        #expect(object["bootstrap_status"] == ["state": "completed", "start_time": "2025-10-14T00:01:06Z"])
        let local = try #require(object["local_node_info"])
        #expect(local["uid"] == "1" && local["available_addrs"] == local["available_addresses"])
        #expect(
            local["available_addrs"]
                == [["address": "10.0.0.1", "format": "ipv4", "if_name": "eth0", "private": true]])
        #expect(try roundTrip(bootstrap) == bootstrap)
    }

    @Test func errorsSayItTwice() throws {
        let object = try json(ErrorObject(errorCode: "busy", description: "Wait.", statusCode: 409))
        #expect(
            object == ["error_code": "busy", "description": "Wait.", "message": "Wait.", "status_code": 409])
        #expect(try decode(ErrorObject.self, #"{"message":"m"}"#).description == "m")
    }

    @Test func theLicenceNeverEnds() throws {
        let object = try json(LicenseObject(shardsInUse: 6))
        #expect(object["expired"] == false && object["shards_limit"] == .null && object["ram_shards_in_use"] == 6)
    }

    @Test func clientsReadWhatTheServerWrites() throws {
        #expect(try roundTrip(Sample.bdb) == Sample.bdb)
        let shard = ShardObject(Sample.database.shards[0], of: Sample.database, report: nil)
        #expect(try roundTrip(shard) == shard)
        let cluster = ClusterObject(Sample.cluster)
        #expect(try roundTrip(cluster) == cluster)
        let action = ActionObject(Sample.action)
        #expect(try roundTrip(action) == action)
        let token = TokenObject(
            JoinTokenRecord(
                id: "ab", secretDigest: "never shown", createdAt: Sample.start, expiresAt: nil, usesLeft: 2,
                createdBy: "you"))
        #expect(try roundTrip(token) == token)
        #expect(try json(token)["secretDigest"] == nil)
    }

    @Test func clientsCopeWithFewerKeys() throws {
        #expect(try decode(BDBObject.self, #"{"uid":1}"#).shardCount == 1)
        #expect(try decode(NodeObject.self, #"{"uid":1,"addr":"a"}"#).status == "unknown")
        #expect(try decode(ActionObject.self, #"{"action_uid":"a","status":"completed"}"#).isFinal)
        #expect(try decode(UserObject.self, #"{"uid":1,"email":"e"}"#).role == "none")
    }
}
