package import NIOCore
package import TLS

/// HTTP/1.1 over TLS to other nodes, to etcd and to the REST API.
///
/// Connections are kept per endpoint, at most 8 idle ones each, and dropped when the server closes them or after
/// 30 s without use. Redirects, cookies, compression and proxies are none of its business.
package final class HTTPClient: Sendable {
    /// A longer answer is refused: the largest real one, a listing of 300 databases, is below 1 MiB.
    package static let maximumResponseBytes = 64 << 20

    /// Chunks that a slow reader of a stream may leave unread before the stream fails.
    private static let unreadChunks = 4096

    private let group: any EventLoopGroup
    let pool: ConnectionPool

    package init(group: any EventLoopGroup, tls: TLSContext) {
        self.group = group
        pool = ConnectionPool(tls: tls)
    }

    /// Uses `context` for new connections. Idle ones are closed, busy ones finish what they carry.
    package func replaceTLS(_ context: TLSContext) {
        pool.replaceTLS(context)
    }

    /// Sends a request and gathers the whole answer, whatever its status.
    ///
    /// `deadline` covers connecting and answering. A request on a kept connection that turns out dead is repeated once
    /// on a new one: always if nothing was written, else only when ``HTTPClientRequest/isIdempotent``. After a request
    /// that timed out the next one to that endpoint begins on a new connection.
    package func send(
        _ request: HTTPClientRequest, to endpoint: HTTPEndpoint, deadline: Duration
    ) async throws(HTTPClientError) -> HTTPClientResponse {
        let deadline = NIODeadline.now() + TimeAmount(deadline)
        do {
            if let kept = pool.take(endpoint) {
                do {
                    return try await perform(request, on: kept, deadline: deadline)
                } catch let error as HTTPClientError where Self.mayRepeat(request, after: error) {
                    kept.close()
                }
            }
            let fresh = try await connect(endpoint, deadline: deadline)
            return try await perform(request, on: fresh, deadline: deadline)
        } catch {
            let error = Self.clientError(error)
            // The others may be as dead. Where nothing comes back from the peer, each would carry one more request to
            // it, and a sender of heartbeats pass for alive for as long as there are any.
            if case .timedOut = error.code { pool.closeIdle(endpoint) }
            throw error
        }
    }

    /// Sends a request whose content depends on the connection: `request` gets the 32-byte exporter value for
    /// `exporterLabel` and the server's certificate once the handshake is done. Always a connection of its own.
    /// - Throws: `HTTPClientError`, or what `request` throws.
    package func send(
        to endpoint: HTTPEndpoint, exporterLabel: String, deadline: Duration,
        request: @Sendable (_ exporter: [UInt8], _ peer: TLSPeer) throws -> HTTPClientRequest
    ) async throws -> HTTPClientResponse {
        let deadline = NIODeadline.now() + TimeAmount(deadline)
        let connection = try await connect(endpoint, deadline: deadline, exporterLabel: exporterLabel)
        defer { connection.close() }
        let request = try request(connection.exporter, connection.peer)
        let reply = try await connection.perform(request, deadline: deadline)
        return Self.response(reply, connection)
    }

    /// Sends a request and gives the parts of its body as they come, on a connection of its own.
    ///
    /// The stream ends with the answer. It fails with an `HTTPClientError`: `status` for anything outside 200...299
    /// (the message is the body), or what broke the connection. Ending the iteration or cancelling its task closes it.
    /// - Parameter connectDeadline: covers the connection and its handshake; the answer may take any time.
    package func stream(
        _ request: HTTPClientRequest, to endpoint: HTTPEndpoint, connectDeadline: Duration
    ) -> AsyncThrowingStream<[UInt8], any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingOldest(Self.unreadChunks)) { chunks in
            let task = Task {
                do {
                    try await self.run(request, endpoint, connectDeadline, into: chunks)
                    chunks.finish()
                } catch {
                    chunks.finish(throwing: Self.clientError(error))
                }
            }
            chunks.onTermination = { _ in task.cancel() }
        }
    }

    private func run(
        _ request: HTTPClientRequest, _ endpoint: HTTPEndpoint, _ connectDeadline: Duration,
        into chunks: HTTPExchangeHandler.Chunks
    ) async throws {
        let connection = try await connect(endpoint, deadline: .now() + TimeAmount(connectDeadline))
        defer { connection.close() }
        let reply = try await connection.perform(request, deadline: nil, chunks: chunks)
        guard (200...299).contains(reply.status) else {
            throw HTTPClientError(
                .status(reply.status), String(decoding: reply.body, as: UTF8.self), wasSent: true)
        }
    }

    /// Closes all connections; requests under way fail with `closed`, later ones too.
    package func shutdown() async {
        await pool.shutdown()
    }

    // MARK: Steps

    private func connect(
        _ endpoint: HTTPEndpoint, deadline: NIODeadline, exporterLabel: String? = nil
    ) async throws -> HTTPConnection {
        guard let current = pool.current else { throw Self.shutDownError }
        let connection = try await ConnectAttempt.connect(
            .init(
                endpoint: endpoint, tls: current.tls, generation: current.generation, deadline: deadline,
                exporterLabel: exporterLabel, maximumBytes: Self.maximumResponseBytes),
            on: group.next())
        guard pool.add(connection) else {
            connection.close()
            throw Self.shutDownError
        }
        return connection
    }

    private func perform(
        _ request: HTTPClientRequest, on connection: HTTPConnection, deadline: NIODeadline
    ) async throws -> HTTPClientResponse {
        let reply: HTTPExchangeHandler.Reply
        do {
            reply = try await connection.perform(request, deadline: deadline)
        } catch {
            connection.close()
            throw error
        }
        if reply.isReusable { pool.giveBack(connection) }
        return Self.response(reply, connection)
    }

    private static func response(
        _ reply: HTTPExchangeHandler.Reply, _ connection: HTTPConnection
    ) -> HTTPClientResponse {
        HTTPClientResponse(
            status: reply.status, headers: reply.headers, body: reply.body, peer: connection.peer)
    }

    /// Only after a loss of the connection: a request that timed out would time out again.
    private static func mayRepeat(_ request: HTTPClientRequest, after error: HTTPClientError) -> Bool {
        guard case .closed = error.code else { return false }
        return request.isIdempotent || !error.wasSent
    }

    private static var shutDownError: HTTPClientError {
        HTTPClientError(.closed, "the client was shut down", wasSent: false)
    }

    /// What the steps throw is ours already; anything else is a surprise that still has to be told.
    private static func clientError(_ error: any Error) -> HTTPClientError {
        error as? HTTPClientError ?? HTTPClientError(.closed, "the request failed: \(error)", wasSent: true)
    }
}
