import HTTPTransport
import HTTPTypes
import Hummingbird
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
        guard changesCluster(request), await backend.state() != nil else { return try await next(request, context) }
        guard request.headers[.tarnForwarded] == nil else { return try await next(request, context) }
        var copy = request
        let body = try await copy.collectBody(upTo: context.maxUploadSize)
        guard let answer = try await backend.forwardToLeader(outgoing(request, body: body)) else {
            return try await next(copy, context)
        }
        if let revision = answer.header("X-Tarn-Revision").flatMap({ Int64($0) }) { await backend.wait(for: revision) }
        return response(answer)
    }

    private func changesCluster(_ request: Request) -> Bool {
        let path = request.uri.path
        guard path.hasPrefix("/v1/") || path.hasPrefix("/v2/") else { return false }
        guard [.post, .put, .patch, .delete].contains(request.method) else { return false }
        // Answered from the copy, or about this very node.
        return !path.hasPrefix("/v1/bootstrap") && path != "/v1/users/authorize" && path != "/v1/users/refresh_jwt"
    }

    private func outgoing(_ request: Request, body: ByteBuffer) -> HTTPClientRequest {
        var headers = [("x-tarn-forwarded", "1")]
        if let authorization = request.headers[.authorization] { headers.append(("authorization", authorization)) }
        if let type = request.headers[.contentType] { headers.append(("content-type", type)) }
        return HTTPClientRequest(
            method: request.method.rawValue, path: request.uri.string, headers: headers,
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
