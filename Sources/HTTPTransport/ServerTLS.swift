package import HummingbirdCore
package import NIOCore
package import TLS

package struct TLSConnection: Sendable {
    package var peer: TLSPeer
    package var exporter: [UInt8]
}

extension HTTPServerBuilder {
    package static func tlsHTTP1(
        contextProvider: @escaping @Sendable () -> TLSContext,
        configuration: HTTP1Channel.Configuration = .init(idleTimeout: .seconds(75))
    ) -> HTTPServerBuilder { fatalError("in progress") }
}

extension Channel {
    package func tlsConnection() async throws -> TLSConnection? { fatalError("in progress") }
}
