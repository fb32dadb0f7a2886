import HTTPTransport
import HTTPTypes
import Hummingbird
import ManagementAPI
import ManagerCore
import NIOCore

/// Any node answers: what changes the cluster goes on to the leader, with the caller's own credentials, and the answer
/// comes back once this node's copy shows the change, so that who writes here also reads it here.
struct ForwardingMiddleware: RouterMiddleware {
    let backend: any ManagementBackend

    func handle(
        _ request: Request, context: ManagementContext,
        next: (Request, ManagementContext) async throws -> Response
    ) async throws -> Response {
        guard let route = context.route, route.method != .get, !route.isLocal else {
            return try await next(request, context)
        }
        // Forwarded once already: who gets it must lead, or say that nobody does.
        guard request.headers[.tarnForwarded] == nil, await backend.state() != nil else {
            return try await next(request, context)
        }
        var copy = request
        let body = try await copy.collectBody(upTo: context.maxUploadSize)
        guard let answer = try await backend.forwardToLeader(outgoing(request, body: body)) else {
            return try await next(copy, context)
        }
        if let revision = answer.header("X-Tarn-Revision").flatMap({ Int64($0) }) { await backend.wait(for: revision) }
        return response(answer)
    }

    private func outgoing(_ request: Request, body: ByteBuffer) -> HTTPClientRequest {
        var headers = [("x-tarn-forwarded", "1")]
        if let authorization = request.headers[.authorization] { headers.append(("authorization", authorization)) }
        if let type = request.headers[.contentType] { headers.append(("content-type", type)) }
        return HTTPClientRequest(
            method: request.method.rawValue, path: request.uri.string.escapedForRequestLine, headers: headers,
            body: Array(body.readableBytesView))
    }

    private func response(_ answer: HTTPClientResponse) -> Response {
        var headers: HTTPFields = [:]
        for name in ["content-type", "x-tarn-revision", "cluster-state-id"] {
            if let value = answer.header(name), let field = HTTPField.Name(name) { headers[field] = value }
        }
        return Response(
            status: HTTPResponse.Status(code: answer.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
}

extension String {
    /// What a client may send that a client of ours may not: escaped, so that the leader gets it to refuse it.
    fileprivate var escapedForRequestLine: String {
        let unsafe = Set(#""<>\^`{|}"#.utf8)
        let digits = Array("0123456789ABCDEF".utf8)
        let escaped = utf8.flatMap { byte in
            (0x21...0x7E).contains(byte) && !unsafe.contains(byte)
                ? [byte] : [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: escaped, as: UTF8.self)
    }
}
