import Glibc
import NIOCore
import NIOPosix
import Synchronization
import TLS
import Testing

@testable import HTTPTransport

@Suite struct HostileClientTests {
    /// A TCP connection with nothing above it; the server's bytes and its end are seen as they come.
    private final class Stranger: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private func connect(_ endpoint: HTTPEndpoint) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { $0.pipeline.addHandler(Stranger()) }
            .connect(host: endpoint.host, port: endpoint.port).get()
    }

    /// The first message of a real handshake.
    private func clientHello() throws -> [UInt8] {
        let session = try TLSSession(context: .client(identity: nil, trust: .none))
        _ = try session.handshake()
        var bytes: [UInt8] = []
        session.takeOutput { bytes = Array($0) }
        return bytes
    }

    @Test func strangersAreShownOutQuietly() async throws {
        let cluster = try TestCluster()
        let context = try cluster.serverContext()
        let observed = Observed()
        let client = HTTPClient(group: MultiThreadedEventLoopGroup.singleton, tls: try cluster.clientContext())
        let noise: [[UInt8]] = [
            Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [UInt8](repeating: 0xFF, count: 100_000),
            [0x16, 3, 1, 0xFF, 0xFF], try clientHello() + [UInt8](repeating: 0x17, count: 500), [],
        ]
        try await TestServer.run(observed: observed, context: { context }) { endpoint in
            for (index, bytes) in noise.enumerated() {
                let channel = try await connect(endpoint)
                try? await channel.writeAndFlush(ByteBuffer(bytes: bytes))
                // Every other one vanishes with a reset instead of an orderly end.
                if index % 2 == 1 {
                    let options = channel as? any SocketOptionProvider
                    try? await options?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
                }
                if index != 0 { try? await channel.close() }
                try? await channel.closeFuture.get()
            }
            let response = try await client.send(.init(path: "/port"), to: endpoint, deadline: .seconds(5))
            #expect(response.status == 200)
            // Hummingbird's "started" is all that anybody was told.
            let logged = observed.logged.withLock { $0 }
            #expect(logged.count == 1, "\(logged)")
            await client.shutdown()
        }
    }

    @Test func silentAndTricklingHandshakesEnd() async throws {
        let cluster = try TestCluster()
        let context = try cluster.serverContext()
        let hello = try clientHello()
        try await TestServer.run(context: { context }) { endpoint in
            let begin = ContinuousClock.now
            let silent = try await connect(endpoint)
            let trickling = try await connect(endpoint)
            let trickle = Task {
                for byte in hello {
                    try await trickling.writeAndFlush(ByteBuffer(bytes: [byte]))
                    try await Task.sleep(for: .milliseconds(300))
                }
            }
            try await silent.closeFuture.get()
            try await trickling.closeFuture.get()
            trickle.cancel()
            let time = ContinuousClock.now - begin
            #expect(time > .seconds(4) && time < .seconds(40))
        }
    }
}
