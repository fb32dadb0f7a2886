/// Which role may what.
/// - Source: "Permissions" page of the Redis Enterprise Software REST API reference. The two `join_tokens`
///   permissions are ours; they are the administrator's, for whoever adds a node reads every database.
struct PermissionTables: Sendable {
    let admin: Set<String>
    private let databaseViewer: Set<String>
    private let databaseMember: Set<String>
    private let clusterViewer: Set<String>
    private let clusterMember: Set<String>
    private let userManager: Set<String>

    func names(of role: Role) -> Set<String> {
        switch role {
        case .admin: admin
        case .clusterMember: clusterMember
        case .clusterViewer: clusterViewer
        case .databaseMember: databaseMember
        case .databaseViewer: databaseViewer
        case .userManager: userManager
        case .none: []
        }
    }

    init() {
        databaseViewer = Self.views
        databaseMember = Self.views.union(Self.databaseChanges)
            .union(["view_debugging_info", "view_logged_events", "view_redis_pass"])
        clusterViewer = Self.views.union(["view_all_metrics", "view_logged_events"])
        clusterMember = databaseMember.union(["view_all_metrics", "view_cluster_keys"])
        userManager = Self.views.union(Self.userChanges).union([
            "view_cluster_keys", "view_debugging_info", "view_logged_events", "view_redis_pass",
        ])
        admin = clusterMember.union(userManager).union(Self.administration)
    }

    /// What every role but `none` may look at.
    private static let views: Set<String> = [
        "view_all_bdb_stats", "view_all_bdbs_alerts", "view_all_bdbs_info", "view_all_nodes_alerts",
        "view_all_nodes_checks", "view_all_nodes_info", "view_all_nodes_stats", "view_all_proxies_info",
        "view_all_redis_acls_info", "view_all_roles_info", "view_all_shard_stats", "view_bdb_alerts",
        "view_bdb_info", "view_bdb_recovery_plan", "view_bdb_stats", "view_cluster_alerts", "view_cluster_info",
        "view_cluster_modules", "view_cluster_stats", "view_crdb", "view_crdb_list", "view_crdb_task",
        "view_crdb_task_list", "view_endpoint_stats", "view_license", "view_node_alerts", "view_node_check",
        "view_node_info", "view_node_stats", "view_proxy_info", "view_redis_acl_info", "view_role_info",
        "view_shard_stats", "view_sso", "view_status_of_all_node_actions", "view_status_of_cluster_action",
        "view_status_of_node_action",
    ]

    private static let databaseChanges: Set<String> = [
        "create_bdb", "create_crdb", "delete_bdb", "delete_crdb", "edit_bdb_module", "failover_shard", "flush_crdb",
        "migrate_shard", "purge_instance", "reset_bdb_current_backup_status", "reset_bdb_current_export_status",
        "reset_bdb_current_import_status", "start_bdb_export", "start_bdb_import", "start_bdb_recovery",
        "update_bdb", "update_bdb_alerts", "update_bdb_with_action", "update_crdb",
    ]

    private static let userChanges: Set<String> = [
        "config_ldap", "create_ldap_mapping", "create_new_user", "create_redis_acl", "create_role",
        "delete_ldap_mapping", "delete_redis_acl", "delete_role", "delete_user", "install_new_license",
        "update_ldap_mapping", "update_proxy", "update_redis_acl", "update_role", "update_user",
        "view_all_ldap_mappings_info", "view_all_users_info", "view_ldap_config", "view_ldap_mapping_info",
        "view_user_info",
    ]

    private static let administration: Set<String> = [
        "add_cluster_module", "cancel_cluster_action", "cancel_node_action", "config_ocsp", "config_sso",
        "delete_cluster_module", "manage_cluster_modules", "manage_join_tokens", "start_cluster_action",
        "start_node_action", "test_ocsp_status", "update_cluster", "update_node", "view_join_tokens",
        "view_ocsp_config", "view_ocsp_status",
    ]
}

extension Permission {
    static let tables = PermissionTables()
}
