import NIOCore
import NIOPosix
import Synchronization
import TLS
import Testing

@testable import HTTPTransport

@Suite struct TrustTests {
    let group = MultiThreadedEventLoopGroup.singleton

    private func text(
        _ client: HTTPClient, _ path: String, _ endpoint: HTTPEndpoint
    ) async throws -> String {
        let response = try await client.send(.init(path: path), to: endpoint, deadline: .seconds(5))
        return String(decoding: response.body, as: UTF8.self)
    }

    @Test func serverLearnsWhoAsks() async throws {
        let cluster = try TestCluster()
        let context = try cluster.serverContext()
        let node = HTTPClient(group: group, tls: try cluster.clientContext())
        let person = HTTPClient(group: group, tls: try .client(identity: nil, trust: .none))
        try await TestServer.run(context: { context }) { endpoint in
            let nodeText = try await text(node, "/peer", endpoint)
            #expect(nodeText == "node2 true")
            let personText = try await text(person, "/peer", endpoint)
            #expect(personText == "- false")
            await node.shutdown()
            await person.shutdown()
        }
    }

    @Test func eachSideRefusesStrangers() async throws {
        let (ours, theirs) = (try TestCluster(), try TestCluster())
        let context = try ours.serverContext()
        let wary = HTTPClient(group: group, tls: try theirs.clientContext())
        let stranger = HTTPClient(group: group, tls: try .client(identity: theirs.client, trust: .none))
        try await TestServer.run(context: { context }) { endpoint in
            let refusal = await #expect(throws: HTTPClientError.self) { try await text(wary, "/peer", endpoint) }
            guard case .tls(let error) = refusal?.code, error.code == .untrustedPeer else {
                return #expect(Bool(false), "\(String(describing: refusal))")
            }
            #expect(refusal?.wasSent == false)
            let rejection = await #expect(throws: HTTPClientError.self) { try await text(stranger, "/peer", endpoint) }
            guard case .tls(let reason) = rejection?.code, reason.code == .rejectedByPeer else {
                return #expect(Bool(false), "\(String(describing: rejection))")
            }
            await wary.shutdown()
            await stranger.shutdown()
        }
    }

    @Test func certificatesRotateUnderKeptConnections() async throws {
        let cluster = try TestCluster()
        let current = Mutex(try cluster.serverContext())
        let renewed = try TestCluster.identity(9, cluster.authority)
        let client = HTTPClient(group: group, tls: try cluster.clientContext())
        try await TestServer.run(context: { current.withLock { $0 } }) { endpoint in
            let port = try await text(client, "/port", endpoint)
            let context = try TLSContext.server(
                identity: renewed, clientAuthority: cluster.authority.certificatePEM)
            current.withLock { $0 = context }
            let clientText = try await text(client, "/port", endpoint)
            #expect(clientText == port)
            client.replaceTLS(try cluster.clientContext())
            let response = try await client.send(.init(path: "/port"), to: endpoint, deadline: .seconds(5))
            #expect(response.peer?.commonName == "node9")
            #expect(String(decoding: response.body, as: UTF8.self) != port)
            await client.shutdown()
        }
    }

    @Test func restartedServerIsReachedAgain() async throws {
        let cluster = try TestCluster()
        let context = try cluster.serverContext()
        let client = HTTPClient(group: group, tls: try cluster.clientContext())
        let endpoint = try await TestServer.run(context: { context }) { endpoint in
            _ = try await text(client, "/port", endpoint)
            return endpoint
        }
        let refused = await #expect(throws: HTTPClientError.self) { try await text(client, "/port", endpoint) }
        guard case .connectFailed = refused?.code else { return #expect(Bool(false), "\(String(describing: refused))") }
        #expect(refused?.wasSent == false)
        try await TestServer.run(port: endpoint.port, context: { context }) { endpoint in
            let clientText = try await text(client, "/port", endpoint)
            #expect(clientText != "")
            await client.shutdown()
        }
    }
}
