import NIOCore
import NIOHTTP1
import NIOPosix
import TLS

/// One try to reach a server, from the TCP connection to the end of the TLS handshake. Everything happens on its loop.
final class ConnectAttempt: @unchecked Sendable {
    struct Settings: Sendable {
        var endpoint: HTTPEndpoint
        var tls: TLSContext
        var generation: Int
        var deadline: NIODeadline
        var exporterLabel: String?
        var maximumBytes: Int
    }

    private let settings: Settings
    private let loop: any EventLoop
    private let promise: EventLoopPromise<HTTPConnection>
    // All below: touched on the loop only.
    private var channel: (any Channel)?
    private var timer: Scheduled<Void>?
    private var isOver = false

    private init(_ settings: Settings, loop: any EventLoop) {
        self.settings = settings
        self.loop = loop
        promise = loop.makePromise()
    }

    /// - Throws: `HTTPClientError`; its `wasSent` is false.
    static func connect(_ settings: Settings, on loop: any EventLoop) async throws -> HTTPConnection {
        let attempt = ConnectAttempt(settings, loop: loop)
        return try await withTaskCancellationHandler {
            loop.execute { attempt.start() }
            return try await attempt.promise.futureResult.get()
        } onCancel: {
            loop.execute { attempt.end(.failure(HTTPExchangeHandler.cancelledError(wasSent: false))) }
        }
    }

    private func start() {
        guard !isOver else { return }  // Cancelled before it began.
        let endpoint = settings.endpoint
        timer = loop.scheduleTask(deadline: settings.deadline) {
            self.end(
                .failure(
                    HTTPClientError(
                        .timedOut, "\(endpoint) can't be reached in time: check the address and the network",
                        wasSent: false)))
        }
        let bootstrap = ClientBootstrap(group: loop)
            // A peer whose machine vanished is noticed by streams that only listen: 5 s + 3 probes of 2 s.
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: 4)), value: 5)  // TCP_KEEPIDLE
            .channelOption(.tcpOption(.init(rawValue: 5)), value: 2)  // TCP_KEEPINTVL
            .channelOption(.tcpOption(.init(rawValue: 6)), value: 3)  // TCP_KEEPCNT
            .connectTimeout(settings.deadline - .now())
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.configure(channel) } }
        let connected: EventLoopFuture<any Channel>
        if let address = try? SocketAddress(ipAddress: endpoint.host, port: endpoint.port) {
            connected = bootstrap.connect(to: address)
        } else {
            connected = bootstrap.connect(host: endpoint.host, port: endpoint.port)
        }
        connected.whenFailure { error in self.end(.failure(self.connectError(error))) }
    }

    private func configure(_ channel: any Channel) throws {
        guard !isOver else { throw ChannelError.ioOnClosedChannel }
        self.channel = channel
        let handshake = loop.makePromise(of: Void.self)
        let exchange = HTTPExchangeHandler(maximumBytes: settings.maximumBytes)
        do {
            let tls = try TLSHandler(
                context: settings.tls, serverName: settings.endpoint.host, isServer: false,
                handshakeTimeout: settings.deadline - .now(), handshakePromise: handshake)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(tls)
            try pipeline.addHTTPClientHandlers()
            try pipeline.addHandler(exchange)
            handshake.futureResult.assumeIsolated().whenComplete { result in
                self.end(result.flatMap { self.connection(channel, tls, exchange) }.mapError(self.connectError))
            }
        } catch {
            handshake.fail(error)
            throw error
        }
    }

    private func connection(
        _ channel: any Channel, _ tls: TLSHandler, _ exchange: HTTPExchangeHandler
    ) -> Result<HTTPConnection, any Error> {
        Result {
            HTTPConnection(
                channel: channel, endpoint: settings.endpoint, generation: settings.generation,
                peer: tls.peer ?? TLSPeer(),
                exporter: try settings.exporterLabel.map { try tls.exportKeyingMaterial(label: $0) } ?? [],
                handler: NIOLoopBound(exchange, eventLoop: loop))
        }
    }

    /// The first result counts; a connection that comes after it is closed.
    private func end(_ result: Result<HTTPConnection, any Error>) {
        guard !isOver else { return }
        isOver = true
        timer?.cancel()
        if case .failure = result { channel?.close(promise: nil) }
        channel = nil
        promise.completeWith(result)
    }

    private func connectError(_ error: any Error) -> any Error {
        switch error {
        case is HTTPClientError:
            return error
        case let error as TLSError:
            return HTTPClientError(.tls(error), "\(settings.endpoint): \(error.message)", wasSent: false)
        case ChannelError.connectTimeout:
            return HTTPClientError(
                .timedOut, "\(settings.endpoint) can't be reached in time: check the address and the network",
                wasSent: false)
        case let error as IOError where error.errnoCode == ECONNREFUSED:
            return HTTPClientError(
                .connectFailed, "\(settings.endpoint) refuses connections: check that the service runs there",
                wasSent: false)
        default:
            return HTTPClientError(.connectFailed, "\(settings.endpoint) can't be reached: \(error)", wasSent: false)
        }
    }
}
