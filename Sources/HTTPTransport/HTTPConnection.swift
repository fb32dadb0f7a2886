import NIOCore
import NIOHTTP1
import TLS

/// An established client connection, used by one exchange at a time.
final class HTTPConnection: Sendable {
    let channel: any Channel
    let endpoint: HTTPEndpoint
    /// Which of the client's TLS contexts it was made with.
    let generation: Int
    let peer: TLSPeer
    /// The exporter value, if one was asked for.
    let exporter: [UInt8]
    private let handler: NIOLoopBound<HTTPExchangeHandler>

    init(
        channel: any Channel, endpoint: HTTPEndpoint, generation: Int, peer: TLSPeer, exporter: [UInt8],
        handler: NIOLoopBound<HTTPExchangeHandler>
    ) {
        self.channel = channel
        self.endpoint = endpoint
        self.generation = generation
        self.peer = peer
        self.exporter = exporter
        self.handler = handler
    }

    /// Sends the request and waits for the answer. Cancelling the task, or the deadline, closes the connection.
    func perform(
        _ request: HTTPClientRequest, deadline: NIODeadline?, chunks: HTTPExchangeHandler.Chunks? = nil
    ) async throws -> HTTPExchangeHandler.Reply {
        let head = try Self.head(request, endpoint)
        let ticket = ExchangeTicket()
        let loop = channel.eventLoop
        let promise = loop.makePromise(of: HTTPExchangeHandler.Reply.self)
        return try await withTaskCancellationHandler {
            loop.execute { [handler, channel] in
                let body = channel.allocator.buffer(bytes: request.body)
                handler.value.begin(
                    head, body: body, ticket: ticket, deadline: deadline, chunks: chunks, promise: promise)
            }
            return try await promise.futureResult.get()
        } onCancel: {
            ticket.cancel()
            loop.execute { [handler] in handler.value.abort(ticket) }
        }
    }

    func close() {
        channel.close(promise: nil)
    }

    private static func head(
        _ request: HTTPClientRequest, _ endpoint: HTTPEndpoint
    ) throws(HTTPClientError) -> HTTPRequestHead {
        // A space or line break here would end the request line early and let the rest pass as headers.
        guard request.path.utf8.first == UInt8(ascii: "/"), request.path.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
            throw HTTPClientError(
                .invalidRequest, "the path must begin with / and be percent-encoded: \(request.path)", wasSent: false)
        }
        var headers = HTTPHeaders(request.headers)
        if !headers.contains(name: "host") { headers.add(name: "Host", value: endpoint.description) }
        headers.remove(name: "transfer-encoding")
        let hasBody = !request.body.isEmpty || ["POST", "PUT", "PATCH"].contains(request.method)
        if hasBody { headers.replaceOrAdd(name: "Content-Length", value: String(request.body.count)) }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method), uri: request.path, headers: headers)
    }
}
