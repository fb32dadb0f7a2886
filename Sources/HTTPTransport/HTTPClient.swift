package import NIOCore
package import TLS

package final class HTTPClient: Sendable {
    package init(group: any EventLoopGroup, tls: TLSContext) {}
    package func replaceTLS(_ context: TLSContext) {}
    package func send(
        _ request: HTTPClientRequest, to endpoint: HTTPEndpoint, deadline: Duration
    ) async throws(HTTPClientError) -> HTTPClientResponse { fatalError("in progress") }
    package func stream(
        _ request: HTTPClientRequest, to endpoint: HTTPEndpoint, connectDeadline: Duration
    ) -> AsyncThrowingStream<[UInt8], any Error> { fatalError("in progress") }
    package func send(
        to endpoint: HTTPEndpoint, exporterLabel: String, deadline: Duration,
        request: @escaping @Sendable (_ exporter: [UInt8], _ peer: TLSPeer) throws -> HTTPClientRequest
    ) async throws -> HTTPClientResponse { fatalError("in progress") }
    package func shutdown() async {}
}
