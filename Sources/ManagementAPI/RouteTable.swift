/// One operation of the API.
package struct Route: Sendable, Hashable {
    package enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    package var method: Method
    /// With `{name}` where a value goes: `/v1/bdbs/{uid}`.
    package var path: String
    package var summary: String
    /// The reference system's name of the permission it takes; nil: any user, or nobody at all where `isOpen`.
    package var permission: String?
    /// Answered without credentials.
    package var isOpen: Bool
    /// Answered by the very node that is asked; any other change goes on to the leader.
    package var isLocal: Bool
    /// Schemas in the OpenAPI document; nil: no body.
    var request: String?
    var response: String?

    init(
        _ method: Method, _ path: String, _ summary: String, permission: String? = nil, isOpen: Bool = false,
        isLocal: Bool = false, request: String? = nil, response: String? = nil
    ) {
        self.method = method
        self.path = path
        self.summary = summary
        self.permission = permission
        self.isOpen = isOpen
        self.isLocal = isLocal
        self.request = request
        self.response = response
    }
}

/// Every public operation: the OpenAPI document is made from it, and it says which permission each one takes.
package enum RouteTable {
    package static let all: [Route] =
        bootstrap + cluster + local + databases + actions + operations + policies + users + tokens

    /// The operation that a request is for; `path` as it came, without a query.
    package static func match(_ method: Route.Method, _ path: String) -> Route? {
        let parts = path.split(separator: "/")
        let fitting = all.filter { $0.method == method && fits(parts, $0.path.split(separator: "/")) }
        // `/v1/nodes/status` is not the node called `status`: the route with fewer values wins.
        return fitting.min { $0.path.count { $0 == "{" } < $1.path.count { $0 == "{" } }
    }

    /// The operation that is registered under a pattern such as `/v1/bdbs/{uid}`; the names of values don't matter.
    package static func route(_ method: Route.Method, pattern: String) -> Route? {
        let wanted = nameless(pattern)
        return all.first { $0.method == method && nameless($0.path) == wanted }
    }

    private static func nameless(_ pattern: String) -> [Substring] {
        pattern.split(separator: "/").map { $0.hasPrefix("{") || $0.hasPrefix(":") ? "{}" : $0 }
    }

    /// Methods that a path has, for `OPTIONS`; empty: there is no such path.
    package static func methods(of path: String) -> [Route.Method] {
        Route.Method.allCases.filter { match($0, path) != nil }
    }

    private static func fits(_ parts: [Substring], _ pattern: [Substring]) -> Bool {
        parts.count == pattern.count
            && zip(parts, pattern).allSatisfy { $1.hasPrefix("{") || $0 == $1 }
    }

    private static let bootstrap = [
        Route(
            .get, "/v1/bootstrap", "State of this node on its way into a cluster", isOpen: true,
            response: "Bootstrap"),
        Route(
            .post, "/v1/bootstrap/{action}", "Start create_cluster, join_cluster or recover_cluster", isOpen: true,
            isLocal: true, request: "BootstrapRequest", response: "Bootstrap"),
        Route(.get, "/v1/openapi.json", "This document", isOpen: true),
    ]

    private static let cluster = [
        Route(.get, "/v1/cluster", "The cluster", permission: "view_cluster_info", response: "Cluster"),
        Route(.get, "/v1/nodes", "All nodes", permission: "view_all_nodes_info", response: "Node[]"),
        Route(
            .get, "/v1/nodes/status", "State of all nodes, by uid", permission: "view_all_nodes_info",
            response: "NodeStatus{}"),
        Route(.get, "/v1/nodes/{uid}", "One node", permission: "view_node_info", response: "Node"),
        Route(
            .get, "/v1/nodes/{uid}/status", "State of one node", permission: "view_node_info",
            response: "NodeStatus"),
        Route(.get, "/v1/shards", "All shards", permission: "view_all_bdbs_info", response: "Shard[]"),
        Route(.get, "/v1/shards/{uid}", "One shard", permission: "view_all_bdbs_info", response: "Shard"),
        Route(.get, "/v1/endpoints", "All endpoints", permission: "view_all_bdbs_info", response: "Endpoint[]"),
        Route(.get, "/v1/license", "The licence: always valid", permission: "view_license", response: "License"),
    ]

    private static let local = [
        Route(
            .get, "/v1/local/node/master_healthcheck", "Whether this node has the leader and the store",
            permission: "view_cluster_info", isLocal: true, response: "HealthCheck"),
        Route(
            .get, "/v1/local/bdbs/{uid}/endpoint/availability", "200 when this node serves the database's endpoint",
            permission: "view_bdb_info", isLocal: true),
    ]

    private static let databases = [
        Route(.get, "/v1/bdbs", "All databases", permission: "view_all_bdbs_info", response: "Database[]"),
        Route(
            .post, "/v1/bdbs", "Create a database", permission: "create_bdb", request: "DatabaseRequest",
            response: "Database"),
        Route(.get, "/v1/bdbs/{uid}", "One database", permission: "view_bdb_info", response: "Database"),
        Route(
            .put, "/v1/bdbs/{uid}", "Change a database; what is left out stays", permission: "update_bdb",
            request: "DatabaseRequest", response: "Database"),
        Route(.delete, "/v1/bdbs/{uid}", "Delete a database", permission: "delete_bdb", response: "Database"),
        Route(
            .get, "/v1/bdbs/{uid}/availability", "200 when the database serves, else 503 with the reason",
            permission: "view_bdb_info"),
        Route(
            .post, "/v1/bdbs/{uid}/command", "Run a command that only reads, by the database's endpoint",
            permission: "view_redis_pass", isLocal: true, request: "CommandRequest", response: "CommandResponse"),
        Route(
            .get, "/v1/bdbs/{uid}/shards", "Shards of a database", permission: "view_bdb_info", response: "Shard[]"),
    ]

    private static let actions = ["v1", "v2"].flatMap { version in
        [
            Route(
                .get, "/\(version)/actions", "Actions under way and ended", permission: "view_cluster_info",
                response: "ActionList"),
            Route(
                .get, "/\(version)/actions/{uid}", "One action", permission: "view_cluster_info", response: "Action"),
            Route(
                .get, "/\(version)/actions/bdb/{uid}", "Actions of a database", permission: "view_bdb_info",
                response: "ActionList"),
        ]
    }

    private static let operations =
        [
            Route(
                .post, "/v1/shards/{uid}/actions/failover",
                "Make a replica the primary: planned, without loss, or with force, at once",
                permission: "failover_shard",
                request: "FailoverRequest", response: "Started"),
            Route(
                .post, "/v1/shards/{uid}/actions/migrate", "Move a shard to another node while it serves",
                permission: "migrate_shard", request: "MigrateRequest", response: "Started"),
            Route(
                .get, "/v1/nodes/{uid}/actions", "Actions on a node, oldest first",
                permission: "view_status_of_all_node_actions", response: "NodeActionList"),
            Route(
                .get, "/v1/nodes/{uid}/actions/{action}", "The newest action of that name on a node",
                permission: "view_status_of_node_action", response: "NodeAction"),
            Route(
                .post, "/v1/nodes/{uid}/actions/{action}", "Start maintenance_on, maintenance_off or remove",
                permission: "start_node_action", request: "NodeActionRequest", response: "Started"),
            Route(
                .delete, "/v1/nodes/{uid}/actions/{action}", "Cancel an action on a node; what was moved stays",
                permission: "cancel_node_action", response: "Started"),
            Route(
                .get, "/v1/cluster/verify", "What is not as it should be", permission: "view_cluster_info",
                response: "Verification"),
        ]
        + ["v1", "v2"].map { version in
            Route(
                .delete, "/\(version)/actions/{uid}", "Cancel a migration, a drain or a removal",
                permission: "cancel_cluster_action", response: "Started")
        }

    private static let policies = [
        Route(
            .get, "/v1/cluster/policy", "What is set for the cluster as a whole", permission: "view_cluster_info",
            response: "ClusterPolicy"),
        Route(
            .put, "/v1/cluster/policy", "Change it; what is left out stays", permission: "update_cluster",
            request: "ClusterPolicy", response: "ClusterPolicy"),
        Route(
            .put, "/v1/nodes/{uid}", "Change a node: rack, limits, whether it accepts shards",
            permission: "update_node", request: "NodeRequest", response: "Node"),
    ]

    private static let users = [
        Route(.get, "/v1/users", "All users", permission: "view_all_users_info", response: "User[]"),
        Route(.get, "/v1/users/{uid}", "One user", permission: "view_user_info", response: "User"),
        Route(
            .post, "/v1/users/authorize", "Exchange Basic credentials for an access token", isLocal: true,
            request: "AuthorizeRequest", response: "AuthorizeResponse"),
        Route(
            .post, "/v1/users/refresh_jwt", "Exchange an access token for a newer one", isLocal: true,
            request: "AuthorizeRequest", response: "AuthorizeResponse"),
    ]

    private static let tokens = [
        Route(
            .get, "/v1/join_tokens", "All join tokens, without their secrets", permission: "view_join_tokens",
            response: "JoinToken[]"),
        Route(
            .post, "/v1/join_tokens", "Make a join token; its secret is shown once", permission: "manage_join_tokens",
            request: "JoinTokenRequest", response: "JoinToken"),
        Route(.delete, "/v1/join_tokens/{id}", "Revoke a join token", permission: "manage_join_tokens"),
    ]
}
