import AccessControl
import ClusterModel
import Hummingbird
import ManagementAPI
import ManagerCore
import TLS

/// `/v1/users`: who may use this API, and access tokens for them.
struct UserRoutes: Sendable {
    let backend: any ManagementBackend

    func add(to router: some RouterMethods<ManagementContext>) {
        router.get("/v1/users") { _, _ -> Response in
            try .json(try await backend.memberState().users.values.sorted { $0.id < $1.id }.map { UserObject($0) })
        }
        router.get("/v1/users/:uid") { _, context -> Response in
            let id = UserID(try context.number("uid"))
            guard let user = try await backend.memberState().users[id] else {
                throw PlanError(
                    code: "user_not_exist", status: 404, message: "There is no user \(id); see GET /v1/users.")
            }
            return try .json(UserObject(user))
        }
        router.post("/v1/users/authorize") { request, context -> Response in try await authorize(request, context) }
        router.post("/v1/users/refresh_jwt") { request, context -> Response in try await authorize(request, context) }
    }

    private func authorize(_ request: Request, _ context: ManagementContext) async throws -> Response {
        guard case .user(let email, _) = context.caller else { throw PlanError.badCredentials }
        let ttl = try await request.json(AuthorizeRequest.self).ttl ?? 300
        guard (1...86_400).contains(ttl) else {
            throw PlanError(
                code: "bad_request", status: 400, message: "ttl has to be 1 to 86400 seconds; it is \(ttl).")
        }
        let key = await backend.tokenKey()
        let token = AccessToken.make(
            subject: email, now: backend.now().milliseconds / 1000, ttl: ttl,
            hmac: { Crypto.hmacSHA256(key: key, message: $0) })
        return try .json(AuthorizeResponse(accessToken: token))
    }
}
