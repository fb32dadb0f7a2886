import ClusterModel
import FoundationEssentials
import Glibc
import HTTPTransport
import HostControl
import Logging
import ManagementServer
import ManagerCore
import ManagerService
import NIOPosix
import NodeLayout
import NodeService
import Primitives
import ServiceLifecycle
import Synchronization
import TLS

/// Joins the parts of a node's control path: the API is there from the first moment, the membership once the node
/// is in a cluster.
actor Manager: Service {
    /// Where the node stands between installed and member.
    enum Phase {
        case idle
        case working(BootstrapWork)
        case failed(BootstrapWork, PlanError, endedAt: WallTime)
        case member(Membership, since: BootstrapWork?)

        var isResuming: Bool {
            if case .working(let work) = self { [.resuming, .recovering].contains(work.kind) } else { false }
        }
    }

    /// IPv4 that others reach this node by.
    let ownAddress: String
    let paths: NodePaths
    let group: MultiThreadedEventLoopGroup
    let watchdog: WatchdogClient
    let proxy: ProxyLink
    let logger: Logger
    /// What new connections to the API are served with; changes when the node gets its certificate.
    nonisolated let serverTLS: ServerTLS
    let bootstrapSecret: String
    /// What the node is, is looked up before anything may be made of it: see `resume`.
    var phase: Phase
    /// What runs while the node is a member.
    var memberWork: Task<Void, Never>?

    init(settings: NodeSettings, logger: Logger) throws {
        ownAddress = try settings.requiredAddress
        self.logger = logger
        phase = .working(BootstrapWork(kind: .resuming, startedAt: Self.now()))
        paths = settings.paths
        // The control path waits far more than it computes; two threads keep one slow answer from holding up the rest.
        group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        watchdog = WatchdogClient(socketPath: paths.watchdogSocket, group: group, logger: logger)
        proxy = ProxyLink(socketPath: paths.proxySocket, group: group, logger: logger)
        bootstrapSecret = Hex.encode(Crypto.randomBytes(32))
        serverTLS = ServerTLS(
            try TLSContext.server(
                identity: try BootstrapIdentity.loadOrMake(paths: paths, address: ownAddress), clientAuthority: nil))
        try HostFile.write(bootstrapSecret.utf8, to: paths.bootstrapSecret, mode: 0o600)
    }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await self.serve() }
    }

    private func serve() async throws {
        let server = ManagementServer(backend: self)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await self.watchdog.run() }
            group.addTask { await self.proxy.run() }
            if WatchdogGuardian.isWanted {
                group.addTask {
                    await WatchdogGuardian(paths: self.paths, client: self.watchdog, logger: self.logger).run()
                }
            }
            group.addTask { await self.resume() }
            group.addTask {
                await Self.untilCancelled()
                await self.stopMember()
            }
            group.addTask {
                try await server.run(
                    address: self.ownAddress, port: Peers.port, tls: { self.serverTLS.current },
                    group: self.group, logger: self.logger
                ) { self.logger.info("API is up", metadata: ["address": "\(self.ownAddress):\(Peers.port)"]) }
            }
        }
    }

    private static func untilCancelled() async {
        let (never, _) = AsyncStream.makeStream(of: Never.self)
        for await _ in never {}
    }

    /// Takes up the membership that the node remembers; an attempt at one that never ended is cleared away, so that
    /// the next one starts clean. Until then nobody may begin one: it would lose its files to this.
    func resume() async {
        let work = BootstrapWork(kind: .resuming, startedAt: now())
        while !Task.isCancelled {
            do {
                if let known = try NodeIdentity.load(path: paths.identity) {
                    let keys = try NodeKeys.load(directory: paths.pki)
                    let recovered = try await finishRecovery(known, keys: keys)
                    let (identity, newKeys) = try await followAddress(recovered, keys: keys)
                    try await becomeMember(identity, keys: newKeys, work: nil)
                } else {
                    try await clearUnfinishedAttempt()
                    phase = .idle
                }
                return
            } catch {
                logger.critical("the node's membership can't be taken up", metadata: ["error": "\(error)"])
                phase = .failed(
                    work, PlanError(code: "internal_error", status: 500, message: "\(error)"), endedAt: now())
                // The watchdog may be the one that is late; it starts within a second or two.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    nonisolated func now() -> WallTime { Self.now() }

    private static func now() -> WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// The TLS context of the moment, for a server that asks on every connection.
final class ServerTLS: Sendable {
    private let context: Mutex<TLSContext>

    init(_ context: TLSContext) {
        self.context = Mutex(context)
    }

    var current: TLSContext { context.withLock { $0 } }

    func replace(by next: TLSContext) {
        context.withLock { $0 = next }
    }
}

/// The self-signed identity of a node that is in no cluster yet; kept, so that who pinned it once can come again.
enum BootstrapIdentity {
    private static let days = 3650

    static func loadOrMake(paths: NodePaths, address: String) throws -> TLSIdentity {
        if let certificate = try? Data(contentsOf: URL(filePath: paths.bootstrapCertificate)),
            let key = try? Data(contentsOf: URL(filePath: paths.bootstrapKey))
        {
            return TLSIdentity(
                certificateChainPEM: String(decoding: certificate, as: UTF8.self),
                privateKeyPEM: String(decoding: key, as: UTF8.self))
        }
        let made = try Certificates.makeSelfSigned(
            commonName: "tarn node", addresses: [address], dnsNames: ["localhost"], days: days)
        try HostFile.write(made.privateKeyPEM.utf8, to: paths.bootstrapKey, mode: 0o600)
        try HostFile.write(made.certificateChainPEM.utf8, to: paths.bootstrapCertificate, mode: 0o644)
        return made
    }
}
