import LocalSocket
import Logging
import NIOCore
import NIOPosix
import Primitives

/// One connection of a local protocol: frames over a unix socket.
final class FrameConnection<Incoming: WireMessage>: Sendable {
    private let channel: any Channel

    private init(channel: any Channel) {
        self.channel = channel
    }

    /// - Parameter receive: Called on the connection's event loop, in order, also before this call has returned.
    /// - Throws: `LocalSocketError` when nothing listens there.
    static func connect(
        path: String, group: any EventLoopGroup, receive: @escaping @Sendable (Incoming) -> Void
    ) async throws -> FrameConnection {
        let descriptor = try LocalSocket.connect(path: path)
        let channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameHandler<Incoming>(receive: receive))
                }
            }
            .withConnectedSocket(descriptor).get()
        return FrameConnection(channel: channel)
    }

    /// Messages leave in the order of the calls. One that can't leave any more is dropped: ``closed()`` tells.
    func send(_ message: some WireMessage) {
        channel.writeAndFlush(ByteBuffer(bytes: message.framed()), promise: nil)
    }

    /// Keeps a connection until cancelled: connects again, with growing pauses, whenever one is lost.
    ///
    /// - Parameters:
    ///   - peer: For the log.
    ///   - receive: As in ``connect(path:group:receive:)``.
    ///   - opened: Before it is called, messages may have been received already.
    ///   - lost: Called once for every connection opened.
    static func keep(
        to peer: String, path: String, group: any EventLoopGroup, logger: Logger,
        receive: @escaping @Sendable (Incoming) -> Void, opened: (FrameConnection) -> Void, lost: () -> Void
    ) async {
        var backOff = ConnectBackOff()
        while !Task.isCancelled {
            do {
                let connection = try await connect(path: path, group: group, receive: receive)
                backOff.succeeded()
                opened(connection)
                await withTaskCancellationHandler {
                    await connection.closed()
                } onCancel: {
                    connection.close()
                }
                lost()
                logger.notice("lost the connection to the \(peer)")
            } catch {
                logger.debug("\(peer) can't be reached", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: backOff.next())
        }
    }

    private func closed() async {
        try? await channel.closeFuture.get()
    }

    private func close() {
        channel.close(promise: nil)
    }
}

private final class FrameHandler<Incoming: WireMessage>: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let receive: @Sendable (Incoming) -> Void
    private var frames = FrameBuffer()

    init(receive: @escaping @Sendable (Incoming) -> Void) {
        self.receive = receive
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data).readableBytesView)
        do {
            while let frame = try frames.next() {
                var reader = WireReader(frame)
                receive(try Incoming(from: &reader))
            }
        } catch {
            // A peer that we can't read is of another protocol; the owner reconnects and says so by its back-off.
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Doubles the pause between attempts to connect: 50 ms to 1 s.
private struct ConnectBackOff {
    private static let first = Duration.milliseconds(50)
    private static let last = Duration.seconds(1)
    private var pause = first

    mutating func succeeded() { pause = Self.first }

    mutating func next() -> Duration {
        defer { pause = min(pause * 2, Self.last) }
        return pause
    }
}
