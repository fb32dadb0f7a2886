import NIOCore
import NIOHTTP1
import Synchronization
import TLS

/// One request on its way. Shared by the task that waits and the event loop that works.
final class ExchangeTicket: Sendable {
    private let cancelled = Atomic(false)

    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    func cancel() {
        cancelled.store(true, ordering: .releasing)
    }
}

/// The end of a client connection's pipeline: writes a request, gathers its answer. Lives on the channel's loop.
final class HTTPExchangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct Reply: Sendable {
        var status: Int
        var headers: [(String, String)]
        var body: [UInt8]
        /// Whether the connection can carry another exchange.
        var isReusable: Bool
    }

    typealias Chunks = AsyncThrowingStream<[UInt8], any Error>.Continuation

    private struct Current {
        var ticket: ExchangeTicket
        var promise: EventLoopPromise<Reply>
        var chunks: Chunks?
        var deadline: Scheduled<Void>?
    }

    /// An idle connection is dropped after this time: what a firewall forgot would otherwise swallow a request.
    private static let idleTime = TimeAmount.seconds(30)

    private var machine: HTTPExchangeMachine
    private var current: Current?
    private var idleTimer: Scheduled<Void>?
    private var context: ChannelHandlerContext?
    /// Why the connection ended, if it said so while no exchange was running: in TLS 1.3 a server's refusal of our
    /// certificate comes after the handshake is over for us, at times before the first request.
    private var reason: HTTPClientError?

    init(maximumBytes: Int) {
        machine = HTTPExchangeMachine(maximumBytes: maximumBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        act(machine.lost(Self.lostError))
        idleTimer?.cancel()
        self.context = nil
    }

    /// Starts an exchange; `promise` is completed in any case.
    /// - Parameter chunks: the reader of a streamed answer; it gets the bytes, and the promise the end.
    func begin(
        _ request: HTTPRequestHead, body: ByteBuffer, ticket: ExchangeTicket, deadline: NIODeadline?,
        chunks: Chunks?, promise: EventLoopPromise<Reply>
    ) {
        guard !ticket.isCancelled else { return promise.fail(Self.cancelledError(wasSent: false)) }
        guard let context, machine.begin(isStreamed: chunks != nil, isKeptAlive: request.isKeepAlive) else {
            let unknown = HTTPClientError(
                .closed, "the server closed the connection before the request", wasSent: false)
            return promise.fail(reason ?? unknown)
        }
        idleTimer?.cancel()
        let timer = deadline.map { deadline in
            context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.timeOut(ticket) }
        }
        current = Current(ticket: ticket, promise: promise, chunks: chunks, deadline: timer)
        write(request, body, context)
    }

    private func write(_ request: HTTPRequestHead, _ body: ByteBuffer, _ context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.machine.requestWritten()
            case .failure(let error): self.act(self.machine.lost(Self.error(from: error)))
            }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    /// Ends the exchange of this ticket, if it is still the current one, and the connection with it.
    func abort(_ ticket: ExchangeTicket) {
        guard current?.ticket === ticket else { return }
        act(machine.lost(Self.cancelledError(wasSent: true)))
    }

    private func timeOut(_ ticket: ExchangeTicket) {
        guard current?.ticket === ticket else { return }
        act(
            machine.lost(
                HTTPClientError(.timedOut, "no answer within the deadline: the server may be overloaded", wasSent: true)
            ))
    }

    // MARK: Events

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): act(machine.head(head))
        case .body(let part): act(machine.body(part))
        case .end: act(machine.end())
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        act(machine.lost(Self.lostError))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let error = Self.error(from: error)
        if current == nil { reason = HTTPClientError(error.code, error.message, wasSent: false) }
        act(machine.lost(error))
        context.close(promise: nil)
    }

    private func act(_ action: HTTPExchangeMachine.Action) {
        switch action {
        case .none:
            break
        case .pass(let part):
            pass(part)
        case .finish(let answer, let isReusable):
            finish(answer, isReusable: isReusable)
        case .fail(let error):
            let failed = take()
            failed?.promise.fail(error)
            context?.close(promise: nil)
        case .close:
            context?.close(promise: nil)
        }
    }

    private func pass(_ part: ByteBuffer) {
        guard let chunks = current?.chunks else { return }
        guard case .dropped = chunks.yield(Array(part.readableBytesView)) else { return }
        act(
            machine.lost(
                HTTPClientError(.tooLarge, "the reader of the stream is too far behind: start it anew", wasSent: true)))
    }

    private func finish(_ answer: HTTPExchangeMachine.Answer, isReusable: Bool) {
        let finished = take()
        if isReusable { startIdling() } else { context?.close(promise: nil) }
        finished?.promise.succeed(
            Reply(
                status: answer.status, headers: answer.headers.map { ($0.name, $0.value) },
                body: Array(answer.body.readableBytesView), isReusable: isReusable))
    }

    private func take() -> Current? {
        defer { current = nil }
        current?.deadline?.cancel()
        return current
    }

    private func startIdling() {
        idleTimer = context?.eventLoop.assumeIsolated().scheduleTask(in: Self.idleTime) {
            guard self.machine.isIdle else { return }
            self.act(self.machine.lost(Self.lostError))
        }
    }

    // MARK: Errors

    private static var lostError: HTTPClientError {
        HTTPClientError(.closed, "the server closed the connection before the whole answer was there", wasSent: true)
    }

    static func cancelledError(wasSent: Bool) -> HTTPClientError {
        HTTPClientError(.cancelled, "the request was cancelled", wasSent: wasSent)
    }

    private static func error(from error: any Error) -> HTTPClientError {
        switch error {
        case let error as HTTPClientError:
            return error
        case let error as TLSError:
            // Under TLS 1.3 the server judges our certificate after we began to write, but reads nothing before.
            return HTTPClientError(.tls(error), error.message, wasSent: error.code != .rejectedByPeer)
        case is HTTPParserError:
            return HTTPClientError(.protocolViolation, "the answer isn't HTTP/1.1: \(error)", wasSent: true)
        default:
            return HTTPClientError(.closed, "the connection broke: \(error)", wasSent: true)
        }
    }
}

@available(*, unavailable)
extension HTTPExchangeHandler: Sendable {}
