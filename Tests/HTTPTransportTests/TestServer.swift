import Hummingbird
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TLS

@testable import HTTPTransport

struct TestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}

/// A cluster's authority and the identities of two of its nodes.
struct TestCluster {
    let authority: CertificateAuthority
    let server: TLSIdentity
    let client: TLSIdentity

    init() throws {
        authority = try CertificateAuthority.make(clusterName: "test.local")
        server = try Self.identity(1, authority)
        client = try Self.identity(2, authority)
    }

    static func identity(_ number: Int, _ authority: CertificateAuthority) throws -> TLSIdentity {
        let key = try Certificates.makeKey()
        let certificate = try authority.sign(
            requestPEM: Certificates.makeRequest(commonName: "n", privateKeyPEM: key), commonName: "node\(number)",
            dnsNames: [], addresses: ["127.0.0.1"], days: 1)
        return TLSIdentity(certificateChainPEM: certificate + authority.certificatePEM, privateKeyPEM: key)
    }

    func serverContext() throws -> TLSContext {
        try .server(identity: server, clientAuthority: authority.certificatePEM)
    }

    func clientContext() throws -> TLSContext {
        try .client(identity: client, trust: .authority(pem: authority.certificatePEM))
    }
}

/// Counts what the routes saw.
final class Observed: Sendable {
    let closedStreams = Mutex(0)
    let logged = Mutex<[String]>([])
}

/// Keeps every message above debug, to prove that strangers at the port make no noise.
struct RecordingLog: LogHandler {
    let observed: Observed
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard event.level > .debug else { return }
        observed.logged.withLock { $0.append("\(event.level): \(event.message)") }
    }
}

enum TestServer {
    /// Runs a server while `body` runs. Routes: what the tests need, see below.
    static func run<Result: Sendable>(
        port: Int = 0, observed: Observed = Observed(), context: @escaping @Sendable () -> TLSContext,
        _ body: @Sendable (HTTPEndpoint) async throws -> Result
    ) async throws -> Result {
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router(observed), server: .tlsHTTP1(contextProvider: context),
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            onServerRunning: { running.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "test") { _ in RecordingLog(observed: observed) })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { running.finish() }
                try await application.run()
            }
            guard let port = await ports.first(where: { _ in true }) else {
                try await group.waitForAll()
                throw CancellationError()
            }
            let result = try await body(HTTPEndpoint(host: "127.0.0.1", port: port))
            group.cancelAll()
            return result
        }
    }

    private static func router(_ observed: Observed) -> Router<TestContext> {
        let router = Router(context: TestContext.self)
        router.get("port") { _, context in "\(context.channel.remoteAddress?.port ?? 0)" }
        router.get("peer") { _, context in
            let connection = try await context.channel.tlsConnection()
            return "\(connection?.peer.commonName ?? "-") \(connection?.peer.isVerified ?? false)"
        }
        router.get("slow") { _, _ in
            try await Task.sleep(for: .seconds(30))
            return "late"
        }
        router.post("echo") { request, _ in Response(status: .ok, body: .init(asyncSequence: request.body)) }
        router.post("join") { request, context in
            let proof = try await request.body.collect(upTo: 1024)
            let exporter = try await context.channel.tlsConnection()?.exporter ?? []
            return Crypto.constantTimeEquals(Array(proof.readableBytesView), exporter) ? "same" : "different"
        }
        router.get("events") { _, _ in events(observed) }
        return router
    }

    /// Three chunks, then silence until the client goes.
    private static func events(_ observed: Observed) -> Response {
        Response(
            status: .ok,
            body: .init { writer in
                defer { observed.closedStreams.withLock { $0 += 1 } }
                for number in 1...3 { try await writer.write(ByteBuffer(string: "event \(number)\n")) }
                while true {
                    try await Task.sleep(for: .milliseconds(20))
                    try await writer.write(ByteBuffer(string: "."))
                }
            })
    }
}

/// Waits until `condition` holds, for at most five seconds.
func eventually(_ condition: () async throws -> Bool) async rethrows -> Bool {
    for _ in 0..<500 {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return false
}
