import HTTPTransport
import Hummingbird
import Logging
import ManagementAPI
import NIOCore

/// What a handler knows of a request besides its bytes.
struct ManagementContext: RequestContext, Sendable {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Who asks; set by the authenticator.
    var caller: Caller = .anybody
    /// What is asked for; nil for what doesn't exist, and under `/internal/`.
    var route: Route?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// Bodies of the API are small; a megabyte holds any plan.
    var maxUploadSize: Int { 1 << 20 }

    /// What the TLS handshake told about the caller.
    func connection() async throws -> TLSConnection? {
        try await channel.tlsConnection()
    }
}

/// Who asks.
enum Caller: Sendable, Equatable {
    case anybody
    /// A user of the cluster, by e-mail, with the role the cluster gives it.
    case user(email: String, role: String)
    /// Another node of this cluster, by its certificate.
    case node
}
