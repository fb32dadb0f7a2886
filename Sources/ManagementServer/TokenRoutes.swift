import ClusterModel
import Hummingbird
import ManagementAPI
import ManagerCore
import Primitives
import TLS

/// `/v1/join_tokens`: with what new nodes prove that they were invited. The secret is shown once, when it is made.
struct TokenRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get("/v1/join_tokens") { _, _ -> Response in
            let state = try await backend.memberState()
            return try .json(state.tokens.values.sorted { $0.createdAt < $1.createdAt }.map { TokenObject($0) })
        }
        router.post("/v1/join_tokens") { request, context -> Response in try await create(request, context) }
        router.delete("/v1/join_tokens/:id") { _, context -> Response in
            let id = context.parameters.get("id") ?? ""
            let (_, revision) = try await backend.edit { state throws(PlanError) in
                try Planner.revokeToken(id, in: state)
            }
            return Response.empty.with(revision: revision)
        }
    }

    private func create(_ request: Request, _ context: ManagementContext) async throws -> Response {
        let body = try await request.json(TokenRequest.self)
        guard let digest = try await backend.memberState().cluster?.authorityDigest else {
            throw PlanError(code: "no_cluster", status: 503, message: "No cluster.")
        }
        let token = JoinToken(random: Crypto.randomBytes(JoinToken.randomByteCount), authorityDigest: digest)
        var creator = "node"
        if case .user(let email, _) = context.caller { creator = email }
        let now = backend.now()
        let (plan, revision) = try await backend.edit { [creator] state throws(PlanError) in
            try Planner.createToken(
                id: token.id, secretDigest: Hex.encode(Crypto.sha256(token.secretBytes)),
                lifetimeSeconds: body.ttlSeconds, uses: body.uses, createdBy: creator, in: state, now: now)
        }
        guard case .token(let record)? = plan?.changes.last else { return .empty }
        return try .json(TokenObject(record, token: token.text)).with(revision: revision)
    }
}
