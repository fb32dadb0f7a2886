import ClusterModel
import HTTPTransport
import Hummingbird
import ManagementAPI
import ManagerCore

/// `/internal/v1/`: what nodes ask of one another. All but the join need a node's certificate.
struct InternalRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.post(RouterPath(InternalPath.join)) { request, context -> Response in try await join(request, context) }
        router.post(RouterPath(InternalPath.admissions)) { request, context -> Response in
            try context.requireNode()
            return try .json(try await backend.admitAsLeader(try await request.json()))
        }
        router.get(RouterPath(InternalPath.progress)) { request, context -> Response in
            try await progress(request, context)
        }
        router.get(RouterPath(InternalPath.shards)) { request, context -> Response in
            try context.requireNode()
            let only = request.uri.queryParameters["only"].map { list in
                Set(list.split(separator: ",").compactMap { Int($0).map { ShardID($0) } })
            }
            return try .json(await backend.localShardReports(of: only))
        }
        router.get(RouterPath(InternalPath.node)) { _, context -> Response in
            try context.requireNode()
            return try .json(await backend.localNodeReport())
        }
        router.post(RouterPath(InternalPath.heartbeat)) { request, context -> Response in
            try context.requireNode()
            guard let answer = await backend.heartbeat(try await request.json()) else {
                throw PlanError(code: "node_lost", status: 409, message: "This node holds the sender to be lost.")
            }
            return try .json(answer)
        }
        router.get(RouterPath(InternalPath.fence)) { request, context -> Response in
            try context.requireNode()
            let (database, epoch) = try databaseAndEpoch(request)
            return try .json(await backend.fence(of: database, epoch: epoch))
        }
        router.get(RouterPath(InternalPath.newcomer)) { request, context -> Response in
            try context.requireNode()
            guard let node = request.uri.queryParameters["node"].flatMap({ Int($0) }) else {
                throw PlanError(code: "bad_request", status: 400, message: "node is needed.")
            }
            return try .json(NewcomerObject(isCounted: await backend.counts(newcomer: NodeID(node))))
        }
        StoreRoutes(backend: backend).add(to: router)
        router.post(RouterPath(InternalPath.settings)) { request, context -> Response in
            try context.requireNode()
            return try .json(try await backend.changeSettingsAsLeader(try await request.json()))
        }
    }

    private func join(_ request: Request, _ context: ManagementContext) async throws -> Response {
        guard let connection = try await context.connection() else {
            throw PlanError(code: "bad_request", status: 400, message: "Joining needs TLS.")
        }
        let body = try await request.json(JoinRequestObject.self)
        return try .json(try await backend.admit(body, exporter: connection.exporter))
    }

    private func progress(_ request: Request, _ context: ManagementContext) async throws -> Response {
        try context.requireNode()
        let (database, epoch) = try databaseAndEpoch(request)
        let span = min(10_000, request.uri.queryParameters["within_ms"].flatMap { Int($0) } ?? 1000)
        return try .json(await backend.progress(of: database, epoch: epoch, within: .milliseconds(span)))
    }

    private func databaseAndEpoch(_ request: Request) throws(PlanError) -> (DatabaseID, Epoch) {
        let query = request.uri.queryParameters
        guard let database = query["database"].flatMap({ Int($0) }), let epoch = query["epoch"].flatMap({ Int($0) })
        else { throw PlanError(code: "bad_request", status: 400, message: "database and epoch are needed.") }
        return (DatabaseID(database), Epoch(epoch))
    }
}

extension ManagementContext {
    func requireNode() throws(PlanError) {
        guard caller == .node else {
            throw PlanError(code: "access_denied", status: 403, message: "Only nodes of this cluster may call this.")
        }
    }
}
