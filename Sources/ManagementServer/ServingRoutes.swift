import ClusterModel
import Hummingbird
import ManagementAPI
import ManagerCore

/// Does it serve? Questions of load balancers and health checks, and a command through the endpoint.
struct ServingRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get("/v1/bdbs/:uid/availability") { _, context -> Response in try await availability(context) }
        router.get("/v1/local/bdbs/:uid/endpoint/availability") { _, context -> Response in
            try await localAvailability(context)
        }
        router.get("/v1/local/node/master_healthcheck") { _, _ -> Response in
            try .json(HealthCheckObject(isActive: await backend.reachesLeader()))
        }
        router.post("/v1/bdbs/:uid/command") { request, context -> Response in try await command(request, context) }
    }

    /// The endpoint answers, and every primary is up.
    private func availability(_ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        guard state.leader != nil else { throw PlanError("no_quorum", status: 503, "The cluster has no leader.") }
        let database = try database(context, in: state)
        _ = try await backend.run(["PING"], on: database)
        let reports = await backend.shardReports()
        let down = database.primaries.filter { reports[$0.id].map { $0.state != "ok" } ?? true }.map(\.id)
        guard down.isEmpty else {
            let names = down.map(\.description).joined(separator: ", ")
            throw PlanError(
                "bdb_unavailable_shard_unreachable", status: 503, "Primary shards that don't serve: \(names).")
        }
        return try .json(JSONValue.object([:]))
    }

    /// This node's proxy answers on the endpoint's port.
    private func localAvailability(_ context: ManagementContext) async throws -> Response {
        let state = try await backend.memberState()
        var database = try database(context, in: state)
        guard let own = await backend.ownNode(), database.endpoint.nodes.contains(own) else {
            throw PlanError("bdb_endpoint_unavailable", status: 503, "This node doesn't serve the database's endpoint.")
        }
        database.endpoint.nodes = [own]
        _ = try await backend.run(["PING"], on: database)
        return try .json(JSONValue.object([:]))
    }

    private func command(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(CommandRequest.self)
        let name = body.command.uppercased()
        guard CommandRequest.allowed.contains(name) else {
            throw PlanError(
                code: "command_not_allowed", status: 403,
                message: "'\(body.command)' can't be run here: only commands that read little can, such as PING, GET, "
                    + "DBSIZE. Use a client of the database.")
        }
        let database = try database(context, in: try await backend.memberState())
        return try .json(CommandResponse(try await backend.run([name] + body.arguments, on: database)))
    }

    private func database(
        _ context: ManagementContext, in state: ClusterState
    ) throws(PlanError) -> DatabaseConfiguration {
        guard let database = state.databases[try context.databaseID()] else { throw .noDatabase }
        return database
    }
}
