import FoundationEssentials
import HTTPTypes
import Hummingbird
import ManagementAPI
import ManagerCore
import NIOCore

extension Response {
    /// JSON with its length; the reference system answers 200 to every success.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return bytes(ByteBuffer(bytes: try encoder.encode(value)), status: status)
    }

    static func json(text: String) -> Response {
        bytes(ByteBuffer(string: text), status: .ok)
    }

    static var empty: Response { Response(status: .ok) }

    static func refusal(_ error: PlanError) -> Response {
        let body = ErrorObject(errorCode: error.code, description: error.message, statusCode: error.status)
        let status = HTTPResponse.Status(code: error.status)
        var response = (try? json(body, status: status)) ?? Response(status: status)
        if error.status == 401 { response.headers[.wwwAuthenticate] = "Basic realm=\"tarn\"" }
        return response
    }

    private static func bytes(_ buffer: ByteBuffer, status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: buffer))
    }
}

/// Turns whatever a handler throws into an answer of the documented shape; nothing leaves as a bare 500.
struct ErrorMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: ManagementContext,
        next: (Request, ManagementContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as PlanError {
            return .refusal(error)
        } catch let error as HTTPError {
            return refusal(of: error, request)
        } catch is NIOTooManyBytesError {
            return refusal(of: HTTPError(.contentTooLarge), request)
        } catch let error as DecodingError {
            return .refusal(
                PlanError(
                    code: "bad_request", status: 400, message: "The body is not what is expected: \(error.summary)"))
        } catch {
            let id = context.logger[metadataKey: "hb.request.id"].map(\.description) ?? "without a number"
            context.logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return .refusal(
                PlanError(code: "internal_error", status: 500, message: "Unexpected error, request \(id): \(error)"))
        }
    }

    private func refusal(of error: HTTPError, _ request: Request) -> Response {
        switch error.status {
        case .notFound: notFound(request)
        case .contentTooLarge:
            .refusal(PlanError(code: "too_large", status: 413, message: "The body is larger than 1 MiB."))
        default:
            .refusal(
                PlanError(
                    code: "bad_request", status: error.status.code, message: error.body ?? "The request can't be read.")
            )
        }
    }

    private func notFound(_ request: Request) -> Response {
        let name = "\(request.method) \(request.uri.path)"
        guard let allowed = request.allowedMethods else {
            return .refusal(
                PlanError(code: "not_found", status: 404, message: "There is no \(name) here; see /v1/openapi.json."))
        }
        var response = Response.refusal(
            PlanError(code: "method_not_allowed", status: 405, message: "There is no \(name); there is \(allowed)."))
        response.headers[.allow] = allowed
        return response
    }
}

extension DecodingError {
    /// One line that names the key.
    var summary: String {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
        case .keyNotFound(let key, let context):
            return "\((context.codingPath + [key]).map(\.stringValue).joined(separator: ".")) is missing"
        @unknown default: return "\(self)"
        }
    }
}

extension Request {
    /// The body as JSON; an empty body counts as `{}`.
    func json<Value: Decodable>(_ type: Value.Type = Value.self, limit: Int = 1 << 20) async throws -> Value {
        var copy = self
        let buffer = try await copy.collectBody(upTo: limit)
        let data = buffer.readableBytes == 0 ? Data("{}".utf8) : Data(buffer.readableBytesView)
        return try JSONDecoder().decode(Value.self, from: data)
    }
}
