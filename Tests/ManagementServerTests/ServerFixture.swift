import ClusterModel
import ClusterStore
import FoundationEssentials
import Glibc
import HTTPTransport
import Logging
import ManagementAPI
import ManagementServer
import ManagerCore
import ManagerService
import NIOPosix
import Primitives
import Synchronization
import TLS

/// A real server on an address of its own, before a cluster of one node over an in-memory store.
struct ServerFixture: Sendable {
    static let admin = "you@example.com"
    static let password = "a long password"
    static let start = WallTime(milliseconds: 1_800_000_000_000)
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let port = 19443
    private static let lastHost = Mutex(getpid() % 150 * 256)

    let address: String
    let backend: FakeBackend
    let seed: ClusterSeed

    init(isMember: Bool = true, roles: [String] = []) async throws {
        let host = Self.lastHost.withLock { host in
            host += 1
            return host
        }
        address = "127.0.\(60 + host / 256).\(1 + host % 250)"
        seed = try ClusterSeed(
            clusterName: "cluster.local", adminEmail: Self.admin, adminPassword: Self.password,
            candidate: Self.candidate(address: address), now: Self.start)
        let store = InMemoryStore()
        try await seed.commit(to: store)
        for (index, role) in roles.enumerated() {
            let user = UserRecord(
                id: UserID(index + 2), email: "\(role)@example.com", name: role, role: role,
                passwordHash: PasswordHash.make(Self.password), createdAt: Self.start, passwordChangedAt: Self.start)
            _ = try await store.commit([try StateCoding.encode(.user(user))], if: [])
        }
        backend = FakeBackend(store: store, isMember: isMember)
    }

    static func candidate(address: String) -> NodeCandidateObject {
        NodeCandidateObject(
            address: address, hostname: "host", architecture: "x86_64", cores: 2, totalMemory: .gigabytes(8),
            softwareVersion: "0.1.0", operatingSystem: "Debian 12", publicKeyDigest: "")
    }

    /// Serves while `body` runs. Returns from a member's start only when it leads.
    func serving(_ body: @Sendable (TestClient) async throws -> Void) async throws {
        let identity = seed.keys.identity
        let context = try TLSContext.server(identity: identity, clientAuthority: seed.keys.authorityPEM)
        let group = MultiThreadedEventLoopGroup.singleton
        let (listening, signal) = AsyncStream.makeStream(of: Void.self)
        let server = Task {
            defer { signal.finish() }
            try await ManagementServer(backend: backend).run(
                address: address, port: Self.port, tls: { context }, group: group, logger: Self.quiet
            ) { signal.yield() }
        }
        let member = Task { await backend.run() }
        for await _ in listening { break }
        await backend.untilReady()
        let trust = TLSTrust.authority(pem: seed.keys.authorityPEM)
        let client = TestClient(
            endpoint: HTTPEndpoint(host: address, port: Self.port),
            user: HTTPClient(group: group, tls: try .client(identity: nil, trust: trust)),
            node: HTTPClient(group: group, tls: try .client(identity: identity, trust: trust)))
        let result: Result<Void, any Error>
        do { result = .success(try await body(client)) } catch { result = .failure(error) }
        await client.user.shutdown()
        await client.node.shutdown()
        server.cancel()
        member.cancel()
        _ = await server.result
        await member.value
        try result.get()
    }
}

/// An answer: its status, headers, and the body as JSON.
struct Answer: Sendable {
    var status: Int
    var headers: [(String, String)]
    var body: JSONValue?

    subscript(key: String) -> JSONValue? {
        guard case .object(let members)? = body else { return nil }
        return members[key]
    }

    func text(_ key: String) -> String? {
        if case .string(let text)? = self[key] { text } else { nil }
    }

    func header(_ name: String) -> String? {
        headers.first { $0.0.lowercased() == name.lowercased() }?.1
    }

    var list: [JSONValue] { if case .array(let values)? = body { values } else { [] } }
}

struct TestClient: Sendable {
    let endpoint: HTTPEndpoint
    let user: HTTPClient
    let node: HTTPClient

    static func basic(_ name: String, _ password: String) -> String {
        "Basic " + Data("\(name):\(password)".utf8).base64EncodedString()
    }

    static let admin = basic(ServerFixture.admin, ServerFixture.password)

    /// - Parameter authorization: Nil: no such header.
    func call(
        _ method: String, _ path: String, _ body: String = "", authorization: String? = Self.admin,
        headers: [(String, String)] = [], asNode: Bool = false
    ) async throws -> Answer {
        let credentials = authorization.map { [("authorization", $0)] } ?? []
        let request = HTTPClientRequest(
            method: method, path: path, headers: credentials + headers, body: Array(body.utf8))
        let response = try await (asNode ? node : user).send(request, to: endpoint, deadline: .seconds(20))
        let json = try? JSONDecoder().decode(JSONValue.self, from: Data(response.body))
        return Answer(status: response.status, headers: response.headers, body: json)
    }
}
