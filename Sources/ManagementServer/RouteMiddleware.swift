import AccessControl
import HTTPTypes
import Hummingbird
import ManagementAPI
import ManagerCore

/// Finds the request's line in the ``RouteTable``: what it takes to be let in is said there and nowhere else.
///
/// The router's own match is looked up, not the path again, so two readings of one path can't differ. Answers
/// `OPTIONS` from the table; it says what the API is, which anybody may know.
struct RouteMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: ManagementContext,
        next: (Request, ManagementContext) async throws -> Response
    ) async throws -> Response {
        if request.method == .options { return try options(request) }
        var context = context
        if let pattern = context.endpointPath, let method = Route.Method(rawValue: request.method.rawValue) {
            context.route = RouteTable.route(method, pattern: pattern)
            // Better an operation that nobody can use than one that anybody can.
            guard context.route != nil || pattern.hasPrefix("/internal/") else { throw HTTPError(.notFound) }
        }
        return try await next(request, context)
    }

    private func options(_ request: Request) throws -> Response {
        guard let allowed = request.allowedMethods else { throw HTTPError(.notFound) }
        return Response(status: .ok, headers: [.allow: allowed])
    }
}

/// Lets a user do what the role allows, and a node nothing at all: its certificate is for `/internal/v1/`.
struct PermissionMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: ManagementContext,
        next: (Request, ManagementContext) async throws -> Response
    ) async throws -> Response {
        if let route = context.route, !route.isOpen { try check(context.caller, may: route) }
        return try await next(request, context)
    }

    private func check(_ caller: Caller, may route: Route) throws(PlanError) {
        switch caller {
        case .anybody: throw .badCredentials
        case .node:
            throw PlanError(
                code: "access_denied", status: 403,
                message: "A node's certificate is for /internal/v1/ only: send credentials.")
        case .user(let email, let role):
            guard let permission = route.permission, !AccessPolicy.allows(role: role, permission: permission) else {
                return
            }
            throw PlanError(
                code: "access_denied", status: 403,
                message: "\(route.method.rawValue) \(route.path) needs the permission \(permission), which the role "
                    + "\(role) of \(email) doesn't have.")
        }
    }
}

extension Request {
    /// Value of an `Allow` header; nil for a path that doesn't exist.
    var allowedMethods: String? {
        let methods = RouteTable.methods(of: uri.path)
        return methods.isEmpty ? nil : (methods.map(\.rawValue) + ["OPTIONS"]).joined(separator: ", ")
    }
}
