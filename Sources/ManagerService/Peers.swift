package import ClusterModel
import FoundationEssentials
package import HTTPTransport
import ManagementAPI
package import ManagerCore

/// Calls to other nodes' managers under `/internal/v1/`, with this node's certificate.
package struct Peers: Sendable {
    /// The port of every manager, for people and for peers.
    package static let port = 9443

    private let client: HTTPClient

    package init(client: HTTPClient) {
        self.client = client
    }

    package func progress(
        of database: DatabaseID, epoch: Epoch, at node: NodeRecord, within span: Duration
    ) async -> NodeProgress {
        let milliseconds = span.components.seconds * 1000 + span.components.attoseconds / 1_000_000_000_000_000
        let path = "\(InternalPath.progress)?database=\(database)&epoch=\(epoch)&within_ms=\(milliseconds)"
        do {
            let answer: ProgressObject = try await get(path, from: node, deadline: span + .seconds(2))
            switch answer.state {
            case .applied: return .applied(answer.epoch)
            case .waiting: return .waiting(answer.message)
            case .failed: return .failed(answer.message)
            }
        } catch {
            return .unreachable("node \(node.id) at \(node.address) doesn't answer: \(error)")
        }
    }

    package func get<Answer: Decodable>(
        _ path: String, from node: NodeRecord, deadline: Duration = .seconds(2)
    ) async throws -> Answer {
        try await call(HTTPClientRequest(method: "GET", path: path, headers: [], body: []), node, deadline)
    }

    package func post<Answer: Decodable>(
        _ body: some Encodable, to path: String, of node: NodeRecord, deadline: Duration = .seconds(5)
    ) async throws -> Answer {
        let bytes = Array(try JSONEncoder().encode(body))
        let headers = [("content-type", "application/json")]
        return try await call(
            HTTPClientRequest(method: "POST", path: path, headers: headers, body: bytes), node, deadline)
    }

    /// Hands a client's request on as it is and brings back the answer as it is.
    package func forward(_ request: HTTPClientRequest, to node: NodeRecord) async throws -> HTTPClientResponse {
        try await client.send(request, to: HTTPEndpoint(host: node.address, port: Self.port), deadline: .seconds(30))
    }

    private func call<Answer: Decodable>(
        _ request: HTTPClientRequest, _ node: NodeRecord, _ deadline: Duration
    ) async throws -> Answer {
        let response = try await client.send(
            request, to: HTTPEndpoint(host: node.address, port: Self.port), deadline: deadline)
        guard response.status == 200 else { throw PeerError(response, from: "node \(node.id)") }
        return try JSONDecoder().decode(Answer.self, from: Data(response.body))
    }
}

/// A peer's refusal, passed on with its own words.
package struct PeerError: Error, CustomStringConvertible {
    package var status: Int
    package var code: String
    package var message: String

    package init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    /// The refusal in a response that isn't a success; whatever else it may be is told as its status.
    init(_ response: HTTPClientResponse, from name: String) {
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(response.body))
        self.init(
            status: response.status, code: refusal?.error_code ?? "internal_error",
            message: refusal?.description ?? "\(name) answered with status \(response.status)")
    }

    package var description: String { message }

    private struct Refusal: Decodable {
        var error_code: String
        var description: String
    }
}
