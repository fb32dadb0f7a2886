import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TLS
import Testing

@testable import HTTPTransport

/// A server that answers the first request of each connection and hangs up on the second: what a client meets whose
/// request crosses the server's farewell on the wire.
private final class FickleServer: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var requests = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        requests += 1
        guard requests == 1 else { return context.close(promise: nil) }
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "0"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    static func start(_ context: TLSContext) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(
                        TLSHandler(
                            context: context, serverName: nil, isServer: true, handshakeTimeout: .seconds(30),
                            handshakePromise: nil))
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(FickleServer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }
}

@Suite struct RepeatTests {
    @Test func onlyHarmlessRequestsAreRepeated() async throws {
        let cluster = try TestCluster()
        let server = try await FickleServer.start(cluster.serverContext())
        let endpoint = HTTPEndpoint(host: "127.0.0.1", port: server.localAddress?.port ?? 0)
        let client = HTTPClient(group: MultiThreadedEventLoopGroup.singleton, tls: try cluster.clientContext())
        for _ in 0..<5 {
            let response = try await client.send(.init(path: "/"), to: endpoint, deadline: .seconds(30))
            #expect(response.status == 200)
        }
        #expect(client.pool.idleCount(endpoint) == 1)
        let error = await #expect(throws: HTTPClientError.self) {
            try await client.send(.init(method: "POST", path: "/"), to: endpoint, deadline: .seconds(30))
        }
        guard case .closed = error?.code else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(error?.wasSent == true)
        let marked = HTTPClientRequest(method: "POST", path: "/", isIdempotent: true)
        for _ in 0..<3 {
            let response = try await client.send(marked, to: endpoint, deadline: .seconds(30))
            #expect(response.status == 200)
        }
        await client.shutdown()
        try await server.close()
    }
}
