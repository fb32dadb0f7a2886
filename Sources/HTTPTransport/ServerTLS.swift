package import HummingbirdCore
package import Logging
package import NIOCore
package import TLS

/// What the TLS handshake of a server's connection told.
package struct TLSConnection: Sendable {
    /// The label under which a joining node and its server derive the value that the token's proof is bound to.
    package static let exporterLabel = "EXPORTER-tarn-join"

    package var peer: TLSPeer
    /// 32 bytes for ``exporterLabel`` that only the two ends of this connection know.
    package var exporter: [UInt8]
}

/// A Hummingbird child channel behind our TLS handler.
///
/// The context is asked for anew for each connection, so a rotated certificate needs no restart and disturbs nobody.
package struct TLSChildChannel<Base: ServerChildChannel>: ServerChildChannel {
    /// Long enough for a slow link, short enough that silent connections don't pile up.
    private static var handshakeTimeout: TimeAmount { .seconds(5) }

    private let base: Base
    private let contextProvider: @Sendable () -> TLSContext

    package init(_ base: Base, contextProvider: @escaping @Sendable () -> TLSContext) {
        self.base = base
        self.contextProvider = contextProvider
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        channel.eventLoop.makeCompletedFuture {
            let handler = try TLSHandler(
                context: contextProvider(), serverName: nil, isServer: true,
                handshakeTimeout: Self.handshakeTimeout, handshakePromise: nil,
                onFailure: { error in
                    logger.debug(
                        "TLS connection ended",
                        metadata: [
                            "reason": "\(error)", "peer": "\(channel.remoteAddress?.description ?? "gone")",
                        ])
                })
            try channel.pipeline.syncOperations.addHandler(handler)
        }.flatMap {
            base.setup(channel: channel, logger: logger)
        }
    }

    package func handle(value: Base.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

extension HTTPServerBuilder {
    /// HTTP/1.1 over TLS for a Hummingbird `Application`.
    /// - Parameters:
    ///   - contextProvider: called on an event loop for each new connection: must not block.
    ///   - configuration: by default a connection without a request for 75 s is closed; that also ends senders of
    ///     one header byte at a time.
    package static func tlsHTTP1(
        contextProvider: @escaping @Sendable () -> TLSContext,
        configuration: HTTP1Channel.Configuration = .init(idleTimeout: .seconds(75))
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            TLSChildChannel(
                HTTP1Channel(responder: responder, configuration: configuration), contextProvider: contextProvider)
        }
    }
}

extension Channel {
    /// What the handshake of this connection told; nil for a connection without our TLS.
    package func tlsConnection() async throws -> TLSConnection? {
        try await eventLoop.submit {
            let pipeline = self.pipeline.syncOperations
            guard let handler = try? pipeline.handler(type: TLSHandler.self), let peer = handler.peer
            else { return nil }
            return TLSConnection(
                peer: peer, exporter: try handler.exportKeyingMaterial(label: TLSConnection.exporterLabel))
        }.get()
    }
}
