import ClusterStore
import FoundationEssentials
import HTTPTransport
import Logging
import Synchronization

/// Sends a request to the store's members, one after the other, until one answers.
///
/// A request that runs into the gap between two leaders is lost and hangs (measured: the outage was exactly the
/// client's timeout), so an attempt is given up soon and made again. Each request also asks its member to refuse at
/// once while it knows no leader (`hasleader`), which makes most of the gap cost milliseconds instead of a deadline.
final class GatewayCaller: Sendable {
    /// Time for one attempt, connecting included. Every further round over all members gets half as much again, up to
    /// a second, so that a store on a slow disk isn't only ever asked anew.
    static let firstDeadline = Duration.milliseconds(200)
    static let longestDeadline = Duration.seconds(1)
    /// After this a call fails with `unavailable`.
    static let patience = Duration.seconds(5)
    /// Between two rounds, when all members refused without waiting.
    static let pause = Duration.milliseconds(15)

    /// What an answer was and whether an earlier attempt of the same call may have done the work already.
    struct Answer<Body: Sendable>: Sendable {
        var body: Body
        var isAmbiguous: Bool
    }

    let client: HTTPClient
    let logger: Logger
    private let order: Mutex<EndpointOrder>
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant

    init(client: HTTPClient, endpoints: [HTTPEndpoint], preferring local: HTTPEndpoint?, logger: Logger) {
        self.client = client
        self.logger = logger
        order = Mutex(EndpointOrder(endpoints, preferring: local))
        start = clock.now
    }

    func setEndpoints(_ endpoints: [HTTPEndpoint], preferring local: HTTPEndpoint?) {
        order.withLock { $0.set(endpoints, preferring: local) }
    }

    var now: Duration { clock.now - start }

    func round() -> [HTTPEndpoint] { order.withLock { $0.round(at: now) } }

    /// The member to be at rather than at `endpoint`; nil: there is none, or it failed lately.
    func preferred(to endpoint: HTTPEndpoint) -> HTTPEndpoint? {
        order.withLock { order in
            order.preferred.flatMap { $0 == endpoint || order.isAvoided($0, at: now) ? nil : $0 }
        }
    }

    func failed(_ endpoint: HTTPEndpoint) { order.withLock { $0.failed(endpoint, at: now) } }

    func answered(_ endpoint: HTTPEndpoint) { order.withLock { $0.answered(endpoint) } }

    /// - Throws: ``GatewayRefusal`` for an answer that all members would give, ``StoreError`` otherwise.
    func call<Response: Decodable & Sendable>(
        _ path: String, _ message: some Encodable, as: Response.Type = Response.self
    ) async throws -> Answer<Response> {
        let request = try Self.request(path, message)
        let end = now + Self.patience
        var deadline = Self.firstDeadline
        var isAmbiguous = false
        var last = "no member is known"
        while now < end, !Task.isCancelled {
            for endpoint in round() where now < end {
                switch await attempt(request, at: endpoint, deadline: deadline) {
                case .answer(let response):
                    answered(endpoint)
                    return Answer(body: try Self.decode(response), isAmbiguous: isAmbiguous)
                case .refusal(let refusal): throw refusal
                case .nothing(let why, let wasSent):
                    failed(endpoint)
                    isAmbiguous = isAmbiguous || wasSent
                    last = "\(endpoint): \(why)"
                }
            }
            deadline = min(deadline * 3 / 2, Self.longestDeadline)
            // Cancellation shows in the loop's condition.
            try? await Task.sleep(for: Self.pause)
        }
        throw StoreError(.unavailable, "no member of the store answered, or there is no majority; last: \(last)")
    }

    /// One attempt at one member, with a deadline of the caller's.
    func callOnce<Response: Decodable>(
        _ path: String, _ message: some Encodable, at endpoint: HTTPEndpoint, deadline: Duration
    ) async throws -> Response {
        switch await attempt(try Self.request(path, message), at: endpoint, deadline: deadline) {
        case .answer(let response): return try Self.decode(response)
        case .refusal(let refusal): throw refusal.storeError
        case .nothing(let why, _): throw StoreError(.unavailable, "\(endpoint): \(why)")
        }
    }

    private enum Outcome {
        case answer(HTTPClientResponse)
        case refusal(GatewayRefusal)
        case nothing(why: String, wasSent: Bool)
    }

    private func attempt(
        _ request: HTTPClientRequest, at endpoint: HTTPEndpoint, deadline: Duration
    ) async -> Outcome {
        do {
            let response = try await client.send(request, to: endpoint, deadline: deadline)
            if response.status == 200 { return .answer(response) }
            let refusal = Self.refusal(response)
            return refusal.isWorthAnotherMember ? .nothing(why: refusal.text, wasSent: true) : .refusal(refusal)
        } catch {
            logger.trace("store attempt failed", metadata: ["member": "\(endpoint)", "error": "\(error)"])
            return .nothing(why: error.message, wasSent: error.wasSent)
        }
    }

    static func request(_ path: String, _ message: some Encodable) throws -> HTTPClientRequest {
        let body = try JSONEncoder().encode(message)
        // The gateway hands headers with this prefix on as gRPC metadata, without it.
        return HTTPClientRequest(
            method: "POST", path: "/v3" + path,
            headers: [("Content-Type", "application/json"), ("Grpc-Metadata-hasleader", "true")], body: Array(body))
    }

    private static func decode<Response: Decodable>(_ response: HTTPClientResponse) throws -> Response {
        do {
            return try JSONDecoder().decode(Response.self, from: Data(response.body))
        } catch {
            let text = String(decoding: response.body.prefix(200), as: UTF8.self)
            throw StoreError(.protocolViolation, "the store's answer can't be read: \(error) in \(text)")
        }
    }

    private static func refusal(_ response: HTTPClientResponse) -> GatewayRefusal {
        let failure = try? JSONDecoder().decode(GatewayFailure.self, from: Data(response.body))
        let text = failure?.message ?? failure?.error ?? String(decoding: response.body.prefix(200), as: UTF8.self)
        // A body that isn't the gateway's comes from a member that is starting or ending.
        return GatewayRefusal(code: failure?.code ?? failure?.grpc_code ?? GatewayRefusal.Code.unavailable, text: text)
    }
}
