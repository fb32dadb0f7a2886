import ClusterModel
import Hummingbird
import ManagementAPI
import ManagerCore

/// What there is to see of a cluster: itself, nodes, shards, endpoints, actions, licence.
struct ClusterRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get("/v1/cluster") { _, _ -> Response in try await cluster() }
        router.get("/v1/nodes") { _, _ -> Response in try await nodes() }
        router.get("/v1/nodes/status") { _, _ -> Response in try await statuses() }
        router.get("/v1/nodes/:uid") { _, context -> Response in try await node(context) }
        router.get("/v1/nodes/:uid/status") { _, context -> Response in try await status(context) }
        router.get("/v1/shards") { _, _ -> Response in try await shards(nil) }
        router.get("/v1/shards/:uid") { _, context -> Response in try await shard(context) }
        router.get("/v1/bdbs/:uid/shards") { _, context -> Response in try await shards(context.databaseID()) }
        router.get("/v1/endpoints") { _, _ -> Response in try await endpoints() }
        router.get("/v1/license") { _, _ -> Response in try .json(LicenseObject(shardsInUse: try await shardCount())) }
        addActions(to: router)
    }

    private func addActions(to router: some RouterMethods<ManagementContext>) {
        for version in ["v1", "v2"] {
            router.get("/\(version)/actions") { _, _ -> Response in
                try .json(ActionList(try await backend.memberState().actions.values.sorted()))
            }
            router.get("/\(version)/actions/:id") { _, context -> Response in try await action(context) }
            router.get("/\(version)/actions/bdb/:uid") { _, context -> Response in
                let id = try context.databaseID()
                let actions = try await backend.memberState().actions.values.filter { $0.database == id }
                return try .json(ActionList(actions.sorted()))
            }
        }
    }

    private func cluster() async throws -> Response {
        let state = try await backend.memberState()
        guard let cluster = state.cluster else {
            throw PlanError(code: "no_cluster", status: 503, message: "No cluster.")
        }
        return try .json(ClusterObject(cluster))
    }

    private func nodes() async throws -> Response {
        let state = try await backend.memberState()
        let reports = await backend.nodeReports()
        return try .json(state.sortedNodes.map { NodeObject($0, databases: state.databases, report: reports[$0.id]) })
    }

    private func node(_ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        let id = NodeID(try context.number("uid"))
        guard let node = state.nodes[id] else { throw PlanError.noNode }
        let reports = await backend.nodeReports()
        return try .json(NodeObject(node, databases: state.databases, report: reports[id]))
    }

    private func statuses() async throws -> Response {
        let state = try await backend.memberState()
        let reports = await backend.nodeReports()
        let pairs = state.sortedNodes.map { node in
            (String(node.id.rawValue), nodeStatus(node, in: state, report: reports[node.id]))
        }
        return try .json(Dictionary(uniqueKeysWithValues: pairs))
    }

    private func status(_ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        guard let node = state.nodes[NodeID(try context.number("uid"))] else { throw PlanError.noNode }
        return try .json(nodeStatus(node, in: state, report: await backend.nodeReports()[node.id]))
    }

    private func nodeStatus(
        _ node: NodeRecord, in state: ClusterState, report: NodeReportObject?
    ) -> NodeStatusObject {
        NodeStatusObject(node, isLeader: state.leader == node.id, databases: state.databases, report: report)
    }

    private func shards(_ database: DatabaseID?) async throws -> Response {
        let state = try await backend.memberState()
        if let database, state.databases[database] == nil { throw PlanError.noDatabase }
        let reports = await backend.shardReports()
        let databases = state.databases.values.filter { database == nil || $0.id == database }
        let objects = databases.sorted { $0.id < $1.id }.flatMap { configuration in
            configuration.shards.map { ShardObject($0, of: configuration, report: reports[$0.id]) }
        }
        return try .json(objects)
    }

    private func shard(_ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        let id = ShardID(try context.number("uid"))
        guard let (database, shard) = state.shard(id) else {
            throw PlanError(
                code: "shard_not_exist", status: 404, message: "There is no shard \(id); see GET /v1/shards.")
        }
        return try .json(ShardObject(shard, of: database, report: await backend.shardReports()[id]))
    }

    private func shardCount() async throws -> Int {
        try await backend.memberState().databases.values.reduce(0) { $0 + $1.shards.count }
    }

    private func endpoints() async throws -> Response {
        let state = try await backend.memberState()
        let objects = state.databases.values.sorted { $0.id < $1.id }.map {
            EndpointObject($0, nodes: state.nodes, clusterName: state.cluster?.name ?? "")
        }
        return try .json(objects)
    }

    private func action(_ context: ManagementContext) async throws -> Response {
        let id = ActionID(context.parameters.get("id") ?? "")
        guard let action = try await backend.memberState().actions[id] else {
            throw PlanError(
                code: "action_not_exist", status: 404, message: "There is no action \(id); see GET /v1/actions.")
        }
        return try .json(ActionObject(action))
    }
}

extension PlanError {
    static var noNode: PlanError {
        PlanError(code: "node_not_found", status: 404, message: "There is no node with this uid; see GET /v1/nodes.")
    }
}

extension Sequence<ActionRecord> {
    /// Oldest first.
    func sorted() -> [ActionRecord] {
        sorted { ($0.createdAt, $0.id.description) < ($1.createdAt, $1.id.description) }
    }
}
