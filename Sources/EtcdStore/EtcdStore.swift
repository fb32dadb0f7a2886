import ClusterStore
package import HTTPTransport
package import Logging
import Primitives
import Synchronization

/// The cluster configuration store on etcd 3.4, spoken to through its v3 JSON gateway (HTTP/1.1, mutual TLS).
///
/// Safe to call from any task. Calls try the members in turn, each attempt about 200 ms, for five seconds; see
/// ``GatewayCaller``. What a call that meets a failing member means:
///
/// - reads, membership changes and lease calls are repeated; a repeated grant may leave a lease that nobody knows,
///   which expires by itself;
/// - a commit without conditions is repeated: its puts and deletes end in the same place;
/// - a commit with conditions is repeated, too. The condition lets at most one attempt through, and a marker that the
///   transaction writes beside its own keys tells whether that one was ours; see ``commit(_:if:)``.
package final class EtcdStore: ClusterStore {
    let caller: GatewayCaller
    let markers: Mutex<CommitMarkers>

    /// - Parameters:
    ///   - client: with this node's certificate and the cluster's authority; shared, not shut down here.
    ///   - endpoints: every member's client address.
    ///   - local: the member on this node; asked first.
    ///   - name: of this user of the store, stable over restarts, so that its markers are reused. Nil: a random one.
    ///     Two users of one name never corrupt anything; they may only take a commit of their own for a conflict.
    package init(
        client: HTTPClient, endpoints: [HTTPEndpoint], preferring local: HTTPEndpoint?, name: String? = nil,
        logger: Logger
    ) {
        caller = GatewayCaller(client: client, endpoints: endpoints, preferring: local, logger: logger)
        var random = SystemRandomNumberGenerator()
        let run = Hex.encode((0..<8).map { _ in UInt8.random(in: 0...255, using: &random) })
        markers = Mutex(CommitMarkers(user: name ?? run, run: run))
    }

    /// The members have changed. Calls under way go on with the old ones; watches stay where they are while they work.
    package func setEndpoints(_ endpoints: [HTTPEndpoint], preferring local: HTTPEndpoint?) {
        caller.setEndpoints(endpoints, preferring: local)
    }

    package static func memberName(node: Int) -> String { "node\(node)" }

    /// Calls, and turns whatever goes wrong into the contract's errors.
    func call<Response: Decodable & Sendable>(
        _ path: String, _ message: some Encodable, as type: Response.Type = Response.self
    ) async throws(StoreError) -> GatewayCaller.Answer<Response> {
        do {
            return try await caller.call(path, message, as: type)
        } catch let refusal as GatewayRefusal {
            throw refusal.storeError
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.protocolViolation, "\(error)")
        }
    }
}
