package import NIOCore
import NIOPosix

/// One connection to a shard, for the few commands with which a node's agent steers it.
///
/// Commands may be under way at the same time; redis answers in order. Any failure of the connection, and any missed
/// deadline, closes it and fails whatever is still under way.
package final class ShardConnection: Sendable {
    /// Enough for a shard that forks a large process meanwhile; below what anybody waits for.
    package static let usualDeadline = Duration.seconds(2)

    private let channel: any Channel
    private let handler: NIOLoopBound<ShardReplyHandler>

    private init(channel: any Channel, handler: NIOLoopBound<ShardReplyHandler>) {
        self.channel = channel
        self.handler = handler
    }

    /// - Parameter descriptor: A connected stream socket, which the connection owns from here on.
    package static func adopt(
        descriptor: Int32, group: any EventLoopGroup
    ) async throws(ShardError) -> ShardConnection {
        do {
            return try await ClientBootstrap(group: group).withConnectedSocket(descriptor, channelInitializer: open)
        } catch {
            throw ShardError(.unreachable, "the connection could not be set up: \(error)")
        }
    }

    /// Connects over TCP, without TLS: to a database's endpoint, which speaks as a shard does.
    package static func connect(
        host: String, port: UInt16, group: any EventLoopGroup, within deadline: Duration
    ) async throws(ShardError) -> ShardConnection {
        do {
            return try await ClientBootstrap(group: group).connectTimeout(TimeAmount(deadline))
                .connect(host: host, port: Int(port), channelInitializer: open)
        } catch {
            throw ShardError(.unreachable, "\(error)")
        }
    }

    @Sendable private static func open(_ channel: any Channel) -> EventLoopFuture<ShardConnection> {
        channel.eventLoop.makeCompletedFuture {
            let handler = ShardReplyHandler()
            try channel.pipeline.syncOperations.addHandler(handler)
            return ShardConnection(channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
        }
    }

    /// - Parameter silent: A command that goes in front, and that redis doesn't answer.
    /// - Returns: Any reply but an error.
    /// - Throws: ``ShardError`` with every one of its codes.
    @discardableResult
    package func send(
        behind silent: [String]? = nil, _ arguments: [String], within deadline: Duration = usualDeadline
    ) async throws(ShardError) -> ShardReply {
        let loop = channel.eventLoop
        let promise = loop.makePromise(of: ShardReply.self)
        let bytes = (silent.map(Self.encode) ?? []) + Self.encode(arguments)
        let (channel, handler) = (channel, handler)
        loop.execute { handler.value.send(bytes, promise, on: channel, deadline: TimeAmount(deadline)) }
        let reply: ShardReply
        do {
            reply = try await promise.futureResult.get()
        } catch let error as ShardError {
            throw error
        } catch {
            throw ShardError(.unreachable, "\(error)")
        }
        if case .error(let text) = reply { throw ShardError(.refused, text) }
        return reply
    }

    package func close() {
        channel.close(promise: nil)
    }

    private static func encode(_ arguments: [String]) -> [UInt8] {
        var bytes = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            bytes += Array("$\(argument.utf8.count)\r\n".utf8)
            bytes += Array(argument.utf8)
            bytes += [0x0D, 0x0A]
        }
        return bytes
    }
}

/// Pairs replies with commands, on the connection's event loop.
private final class ShardReplyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private struct Waiting {
        var promise: EventLoopPromise<ShardReply>
        var timer: Scheduled<Void>
    }

    private var decoder = ShardReplyDecoder()
    private var waiting = CircularBuffer<Waiting>()
    private var failure: ShardError?

    func send(
        _ bytes: [UInt8], _ promise: EventLoopPromise<ShardReply>, on channel: any Channel, deadline: TimeAmount
    ) {
        if let failure { return promise.fail(failure) }
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        let timer = channel.eventLoop.scheduleTask(in: deadline) {
            bound.value.end(ShardError(.timeout, "no answer within \(deadline.nanoseconds / 1_000_000) ms"), channel)
        }
        waiting.append(Waiting(promise: promise, timer: timer))
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        decoder.append(buffer.readableBytesView)
        do {
            while let reply = try decoder.next() {
                guard let first = waiting.popFirst() else {
                    throw ShardError(.protocolViolation, "a reply that nobody asked for")
                }
                first.timer.cancel()
                first.promise.succeed(reply)
            }
        } catch {
            end(error as? ShardError ?? ShardError(.protocolViolation, "\(error)"), context.channel)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(ShardError(.unreachable, "the shard closed the connection"), context.channel)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(ShardError(.unreachable, "the connection broke: \(error)"), context.channel)
    }

    private func end(_ error: ShardError, _ channel: any Channel) {
        failure = failure ?? error
        for entry in waiting {
            entry.timer.cancel()
            entry.promise.fail(error)
        }
        waiting.removeAll()
        channel.close(promise: nil)
    }
}
