import HTTPTransport
import Hummingbird
package import Logging
import ManagementAPI
package import NIOCore
package import TLS

/// The management API of one node: REST for people and programs, `/internal/v1/` for other nodes, on one port.
package struct ManagementServer: Sendable {
    private let backend: any ManagementBackend

    package init(backend: any ManagementBackend) {
        self.backend = backend
    }

    /// The whole API as a router; each part brings its own routes.
    func router() -> Router<ManagementContext> {
        let router = Router(context: ManagementContext.self)
        router.add(middleware: ErrorMiddleware())
        router.add(middleware: RouteMiddleware())
        router.add(
            middleware: AuthenticationMiddleware(backend: backend, authenticator: Authenticator(backend: backend)))
        router.add(middleware: PermissionMiddleware())
        router.add(middleware: ForwardingMiddleware(backend: backend))
        BootstrapRoutes(backend: backend).add(to: router)
        ClusterRoutes(backend: backend).add(to: router)
        DatabaseRoutes(backend: backend).add(to: router)
        OperationRoutes(backend: backend).add(to: router)
        PolicyRoutes(backend: backend).add(to: router)
        ServingRoutes(backend: backend).add(to: router)
        UserRoutes(backend: backend).add(to: router)
        TokenRoutes(backend: backend).add(to: router)
        InternalRoutes(backend: backend).add(to: router)
        router.get("/v1/openapi.json") { _, _ -> Response in Response.json(text: OpenAPIDocument.json) }
        return router
    }

    /// Serves until cancelled.
    ///
    /// - Parameters:
    ///   - tls: Asked for each new connection, so that certificates change without a restart.
    ///   - onListening: Called once the port is bound.
    /// - Throws: When the port can't be bound.
    package func run(
        address: String, port: Int, tls: @escaping @Sendable () -> TLSContext, group: any EventLoopGroup,
        logger: Logger, onListening: @escaping @Sendable () async -> Void
    ) async throws {
        let application = Application(
            router: router(), server: .tlsHTTP1(contextProvider: tls),
            configuration: ApplicationConfiguration(address: .hostname(address, port: port), serverName: "tarn"),
            onServerRunning: { _ in await onListening() },
            eventLoopGroupProvider: .shared(group), logger: logger)
        try await application.run()
    }
}
