import HTTPTypes
import Hummingbird
import ManagementAPI
import ManagerCore
import Primitives
import TLS

/// `/v1/bootstrap`: open to look at while the node is in no cluster, as every client of the reference system expects;
/// to change anything the caller must show that it is on this machine.
struct BootstrapRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get("/v1/bootstrap") { _, _ -> Response in try .json(await backend.bootstrapStatus()) }
        router.post("/v1/bootstrap/:action") { request, context -> Response in try await start(request, context) }
    }

    private func start(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let action = context.parameters.get("action") ?? ""
        guard ["create_cluster", "join_cluster", "recover_cluster"].contains(action) else {
            throw PlanError(
                code: "not_supported", status: 404,
                message: "There is no bootstrap action '\(action)': create_cluster, join_cluster and recover_cluster "
                    + "exist.")
        }
        try await requireLocalCaller(request)
        let body = try await request.json(BootstrapRequest.self)
        switch action {
        case "create_cluster": try await backend.createCluster(body)
        case "recover_cluster": return try .json(try await backend.recoverCluster(body))
        default: try await backend.joinCluster(body)
        }
        return try .json(await backend.bootstrapStatus())
    }

    /// Without this, whoever reaches port 9443 first would own the machine's data.
    private func requireLocalCaller(_ request: Request) async throws(PlanError) {
        let secret = await backend.bootstrapSecret()
        let shown = request.headers[.tarnLocal] ?? ""
        guard !secret.isEmpty, Crypto.constantTimeEquals(Array(shown.utf8), Array(secret.utf8)) else {
            throw PlanError(
                code: "access_denied", status: 401,
                message:
                    "Only who can read run/tarn/bootstrap.secret on the node may bootstrap it: run 'tarn cluster "
                    + "create' or 'tarn cluster join' there, or send the file's content as X-Tarn-Local.")
        }
    }
}
