/// The bodies of the API: the keys that people use. Answers may have more.
enum OpenAPISchemas {
    static let all = bodies.merging(operations) { first, _ in first }

    private static let operations: [String: JSONValue] = [
        "FailoverRequest": object(["target_shard_uid": number, "force": flag, "immediate": flag, "dry_run": flag]),
        "MigrateRequest": object(["target_node_uid": number, "override_rack_policy": flag, "dry_run": flag]),
        "NodeActionRequest": object(["force": flag]),
        "Started": object([
            "action_uid": text, "task_id": text, "description": text, "status": choice("queued", "rehearsed"),
        ]),
        "NodeAction": object([
            "name": choice("maintenance_on", "maintenance_off", "remove"), "node_uid": number, "task_id": text,
            "status": choice("pending", "active", "completed", "failed"), "progress": number, "description": text,
        ]),
        "NodeActionList": object(["actions": list(["$ref": "#/components/schemas/NodeAction"])]),
        "NodeRequest": object([
            "rack_id": text, "accept_servers": flag, "max_redis_servers": number, "max_listeners": number,
        ]),
        "ClusterPolicy": object([
            "failure_detection_sensitivity": choice("high", "low"), "slave_ha": flag, "slave_ha_grace_period": number,
        ]),
        "Verification": object(["violations": list(object(["code": text, "description": text]))]),
    ]

    private static let bodies: [String: JSONValue] = [
        "Error": object(["error_code": text, "description": text, "message": text, "status_code": number]),
        "Bootstrap": object([
            "bootstrap_status": object([
                "state": choice("idle", "initiated", "creating_cluster", "joining_cluster", "error", "completed"),
                "start_time": text, "end_time": text, "error_code": text, "error_details": text,
            ]),
            "local_node_info": object([
                "uid": text, "available_addresses": list(object(["address": text, "format": text, "if_name": text])),
                "architecture": text, "cores": number, "total_memory": number, "uptime": number,
                "software_version": text, "os_version": text, "short_hostname": text,
            ]),
        ]),
        "BootstrapRequest": object([
            "action": choice("create_cluster", "join_cluster", "recover_cluster"),
            "cluster": object(["name": text, "nodes": list(text), "replace_node": number]),
            "recovery": object(["confirm": text]),
            "credentials": object(["username": text, "password": text, "token": text]),
            "node": object(["identity": object(["addr": text, "rack_id": text])]),
        ]),
        "Cluster": object(["name": text, "created_time": text, "software_version": text, "ca_sha256": text]),
        "Node": object([
            "uid": number, "addr": text, "hostname": text, "accept_servers": flag, "architecture": text,
            "cores": number, "total_memory": number,
            "status": choice("active", "decommissioning", "down", "provisioning"), "shard_count": number,
            "shard_list": list(number), "rack_id": text, "max_listeners": number, "max_redis_servers": number,
            "software_version": text, "os_version": text, "store_role": choice("client", "learner", "voter", "broken"),
            "uptime": number, "in_maintenance": flag,
        ]),
        "NodeStatus": object([
            "hostname": text, "role": choice("master", "slave"), "node_status": text, "cores": number,
            "free_ram": number, "free_provisional_ram": number, "total_memory": number,
            "total_provisional_ram": number, "node_overbooking_depth": number, "master_shards": list(number),
            "slave_shards": list(number), "software_version": text,
        ]),
        "Shard": object([
            "uid": text, "bdb_uid": number, "node_uid": text, "role": choice("master", "slave"),
            "assigned_slots": text, "status": choice("active", "inactive"), "detailed_status": text, "pid": number,
            "used_memory": number, "no_of_keys": number, "port": number,
        ]),
        "Endpoint": object([
            "uid": text, "bdb_uid": number, "addr": list(text), "addr_type": text, "dns_name": text,
            "port": number, "proxy_policy": text,
        ]),
        "License": object(["expired": flag, "expiration_date": text, "ram_shards_in_use": number]),
        "DatabaseRequest": object(databaseOptions),
        "Database": object(
            databaseOptions.merging([
                "status": choice("pending", "active", "active-change-pending", "delete-pending", "creation-failed"),
                "endpoints": list(["$ref": "#/components/schemas/Endpoint"]), "shard_list": list(number),
                "created_time": text, "last_changed_time": text, "action_uid": text,
            ]) { first, _ in first }),
        "Action": object([
            "action_uid": text, "name": text, "object_name": text,
            "status": choice("pending", "active", "completed", "failed"), "progress": number, "state": text,
            "creation_time": text, "heartbeat": number, "error_code": text, "error_message": text,
        ]),
        "ActionList": object([
            "actions": list(["$ref": "#/components/schemas/Action"]),
            "state-machines": list(["$ref": "#/components/schemas/Action"]),
        ]),
        "User": object([
            "uid": number, "email": text, "name": text, "role": text, "role_uids": list(number),
            "auth_method": text, "password_issue_date": text, "status": text,
        ]),
        "CommandRequest": object(["command": text, "args": list(text)]),
        // Whatever the command answers: a text, a number, a list, null.
        "CommandResponse": object(["response": [:]]),
        "HealthCheck": object(["status": choice("active", "inactive")]),
        "AuthorizeRequest": object(["ttl": number]),
        "AuthorizeResponse": object(["access_token": text]),
        "JoinTokenRequest": object(["ttl_seconds": number, "uses": number]),
        "JoinToken": object([
            "id": text, "created_time": text, "expiration_time": text, "uses_left": number, "revoked": flag,
            "created_by": text, "token": text,
        ]),
    ]

    private static let databaseOptions: [String: JSONValue] = [
        "uid": number, "name": text, "type": choice("redis"), "memory_size": number, "shards_count": number,
        "sharding": flag, "shard_key_regex": list(object(["regex": text])), "implicit_shard_key": flag,
        "replication": flag,
        "data_persistence": choice("disabled", "aof", "snapshot"),
        "aof_policy": choice("appendfsync-every-sec", "appendfsync-always"),
        "snapshot_policy": list(object(["secs": number, "writes": number])), "eviction_policy": text,
        "proxy_policy": choice("single", "all-master-shards", "all-nodes"),
        "shards_placement": choice("dense", "sparse"), "port": number, "authentication_redis_pass": text,
        "max_connections": number, "tags": list(object(["key": text, "value": text])), "redis_version": text,
        "durability": choice("async", "replica", "replica-degrade"),
    ]

    private static let text: JSONValue = ["type": "string"]
    private static let number: JSONValue = ["type": "integer"]
    private static let flag: JSONValue = ["type": "boolean"]

    private static func list(_ items: JSONValue) -> JSONValue { ["type": "array", "items": items] }

    private static func choice(_ values: String...) -> JSONValue {
        ["type": "string", "enum": .array(values.map { .string($0) })]
    }

    private static func object(_ properties: [String: JSONValue]) -> JSONValue {
        ["type": "object", "properties": .object(properties)]
    }
}
