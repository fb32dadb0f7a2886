/// Keys of a database that we carry but don't offer yet, with the value that says so.
package enum BDBDefaults {
    /// Options: asking for another value is refused, rather than ignored and missed later.
    package static let options: [String: JSONValue] = [
        "active_defrag_cycle_max": 25, "active_defrag_cycle_min": 1, "active_defrag_ignore_bytes": "104857600",
        "active_defrag_max_scan_fields": 1000, "active_defrag_threshold_lower": 10,
        "active_defrag_threshold_upper": 100, "activedefrag": "no", "authentication_sasl_pass": "",
        "authentication_sasl_uname": "", "authentication_ssl_client_certs": [], "authentication_ssl_crdt_certs": [],
        "authorized_subjects": [], "auto_upgrade": false, "backup": false, "backup_history": 0,
        "backup_interval": 86400, "bigstore": false, "bigstore_max_ram_ratio": 10, "bigstore_ram_size": 0,
        "bigstore_version": 1, "client_cert_subject_validation_type": "disabled", "compare_key_hslot": false,
        "conns": 5, "conns_type": "per-thread", "crdt": false,
        "dataset_import_sources": [], "db_conns_auditing": false, "default_user": true, "dns_suffixes": [],
        "email_alerts": false, "flush_on_fullsync": true, "generate_text_monitor": false,
        "hash_slots_policy": "16k",
        "max_aof_file_size": 322_122_547_200, "max_aof_load_time": 3600, "max_client_pipeline": 200,
        "max_pipelined": 2000, "maxclients": 10000, "metrics_export_all": false, "mkms": true, "module_list": [],
        "mtls_allow_outdated_certs": false, "mtls_allow_weak_hashing": false, "multi_commands_opt": "auto",
        "oss_cluster": false, "oss_cluster_api_preferred_endpoint_type": "ip",
        "oss_cluster_api_preferred_ip_type": "internal", "oss_sharding": false, "rack_aware": false,
        "recovery_wait_time": -1, "redis_cluster_enabled": false, "repl_backlog_size": "auto",
        "replica_read_only": false, "replica_sources": [], "replica_sync": "disabled",
        "replica_sync_connection_alarm_timeout_seconds": 0, "replica_sync_dist": true, "resp3": true,
        "roles_permissions": [], "sched_policy": "cmp", "shard_block_crossslot_keys": false,
        "shard_block_foreign_keys": true, "skip_import_analyze": "disabled", "slave_buffer": "auto",
        "slave_ha": false, "slave_ha_priority": 0, "ssl": false, "support_syncer_reconf": true, "sync": "disabled",
        "sync_dedicated_threads": 5, "sync_sources": [], "syncer_log_level": "info", "syncer_mode": "distributed",
        "throughput_ingress": 0, "tls_mode": "disabled", "tracking_table_max_keys": 1_000_000,
        "use_selective_flush": true,
    ]

    /// States and answers: what a client sends of them is ignored, because many send back what they have read.
    package static let states: [String: JSONValue] = [
        // Both are more than the reference system does unless told; a client that asks for less gets the more.
        "data_internode_encryption": true, "master_persistence": true,
        "acl": [], "authentication_admin_pass": "", "background_op": [["status": "idle"]],
        "backup_failure_reason": "", "backup_progress": 0, "backup_status": "", "dns_address_master": "",
        "export_failure_reason": "", "export_progress": 0, "export_status": "", "group_uid": 0,
        "import_failure_reason": "", "import_progress": 0, "import_status": "", "internal": false,
        "topology_epoch": 1, "type": "redis", "wait_command": true,
    ]

    static let all = options.merging(states) { first, _ in first }
}
