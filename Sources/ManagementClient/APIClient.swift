package import FoundationEssentials
package import HTTPTransport
package import ManagementAPI
import TLS

/// Calls the REST API of a cluster. Any of the addresses will do; one that can't be reached is passed over.
package struct APIClient: Sendable {
    package struct Credentials: Sendable {
        package var user: String
        package var password: String
        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// Time for one answer. The slowest are changes handed on to a leader that is just being elected.
    static let deadline = Duration.seconds(20)
    /// Time to find out that nobody is there, when there are others to ask.
    static let shortDeadline = Duration.seconds(3)

    private let client: HTTPClient
    package let endpoints: [HTTPEndpoint]
    private let headers: [(String, String)]

    package init(
        client: HTTPClient, endpoints: [HTTPEndpoint], credentials: Credentials?, headers: [(String, String)] = []
    ) {
        self.client = client
        self.endpoints = endpoints
        var headers = headers + [("Accept", "application/json")]
        if let credentials {
            let pair = Data("\(credentials.user):\(credentials.password)".utf8).base64EncodedString()
            headers.append(("Authorization", "Basic \(pair)"))
        }
        self.headers = headers
    }

    /// The answer as it came; empty answers give `null`.
    @discardableResult
    package func call(
        _ method: String, _ path: String, body: (some Encodable & Sendable)? = Data?.none
    ) async throws(ClientFailure) -> JSONValue {
        let data = try await send(method, path, body: body)
        return data.isEmpty ? .null : try Self.decode(data)
    }

    package func get<Value: Decodable & Sendable>(
        _ path: String, as type: Value.Type = Value.self
    ) async throws(ClientFailure) -> Value {
        try Self.decode(try await send("GET", path, body: Data?.none))
    }

    package static func decode<Value: Decodable>(_ data: Data) throws(ClientFailure) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw ClientFailure(
                .refused, "unexpected_answer", "the API answered what this version of tarn can't read: \(error)")
        }
    }

    private func send(
        _ method: String, _ path: String, body: (some Encodable & Sendable)?
    ) async throws(ClientFailure) -> Data {
        var request = HTTPClientRequest(method: method, path: path, headers: headers)
        if let body {
            guard let encoded = try? JSONEncoder().encode(body) else {
                throw ClientFailure(.usage, "bad_request", "the request can't be written as JSON")
            }
            request.headers.append(("Content-Type", "application/json"))
            request.body = Array(encoded)
        }
        var last = ClientFailure(.unreachable, "no_api", "no address of the API is known")
        for (index, endpoint) in endpoints.enumerated() {
            let isLast = index == endpoints.count - 1
            let response: HTTPClientResponse
            do throws(HTTPClientError) {
                response = try await client.send(
                    request, to: endpoint, deadline: isLast ? Self.deadline : Self.shortDeadline)
            } catch {
                last = Self.failure(error, at: endpoint, of: request)
                // A change that may have happened must not be made twice.
                guard !error.wasSent || request.isIdempotent else { break }
                continue
            }
            return try Self.accept(response)
        }
        throw last
    }

    private static func accept(_ response: HTTPClientResponse) throws(ClientFailure) -> Data {
        let data = Data(response.body)
        if (200...299).contains(response.status) { return data }
        let error = try? JSONDecoder().decode(ErrorObject.self, from: data)
        let code = error?.errorCode ?? "http_\(response.status)"
        let words = error?.description ?? ""
        switch response.status {
        case 401:
            let hint = "give --user and --login-password-file, or set TARN_USER and TARN_PASSWORD_FILE"
            throw ClientFailure(.unauthorized, code, "not logged in (\(words.isEmpty ? "401" : words)); \(hint)")
        case 403:
            throw ClientFailure(.unauthorized, code, words.isEmpty ? "this user may not do that" : words)
        default:
            throw ClientFailure(.refused, code, words.isEmpty ? "the API answered \(response.status)" : words)
        }
    }

    private static func failure(
        _ error: HTTPClientError, at endpoint: HTTPEndpoint, of request: HTTPClientRequest
    ) -> ClientFailure {
        if case .tls(let problem) = error.code, problem.code == .untrustedPeer {
            return ClientFailure(
                .unreachable, "untrusted",
                "\(endpoint) does not show a certificate of the cluster (\(problem.message)): "
                    + "give its CA with --ca, or check the address")
        }
        if error.wasSent && !request.isIdempotent {
            return ClientFailure(
                .unreachable, "unknown_outcome",
                "\(endpoint) did not answer (\(error.message)); "
                    + "the change may have been made: look before trying again")
        }
        return ClientFailure(
            .unreachable, "unreachable", "can't reach the API at \(endpoint) (\(error.message)): is the node up?")
    }
}

extension APIClient {
    /// A piece of an answer as the type that it is.
    package static func decode<Value: Decodable>(
        _ json: JSONValue, as type: Value.Type = Value.self
    ) throws(ClientFailure) -> Value {
        guard let data = try? JSONEncoder().encode(json) else {
            throw ClientFailure(.refused, "unexpected_answer", "the API's answer can't be read")
        }
        return try decode(data)
    }
}
