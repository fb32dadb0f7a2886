import ClusterModel
import Glibc
import LocalSocket
import Logging
import NIOCore
import NIOPosix
import NodeLayout
import NodeService
import Primitives
import ShardControl
import Synchronization
import TLS
import TestSupport

/// A node under a prefix of its own: real redis-servers, a fake watchdog, a fake proxy, and an agent that can be
/// killed and started again like a manager.
final class TestNode: Sendable {
    let id: NodeID
    let address: String
    let paths: NodePaths
    let watchdog: FakeWatchdog
    let proxy: FakeProxy
    private let group: any EventLoopGroup
    private let running = Mutex<Running?>(nil)

    struct Running {
        var agent: NodeAgent
        var task: Task<Void, Never>
    }

    fileprivate init(
        id: NodeID, address: String, prefix: String, authority: CertificateAuthority, group: any EventLoopGroup
    ) async throws {
        (self.id, self.address, self.group) = (id, address, group)
        paths = NodePaths(prefix: prefix)
        for directory in [paths.binaries, paths.pki, paths.logs, paths.run] { try Self.makeDirectories(directory) }
        guard symlink("/usr/bin/redis-server", paths.program("redis-server")) == 0 else { throw Violation("no link") }
        let identity = try TestCluster.identity(authority, name: "node\(id)", address: address)
        try TestCluster.write(authority.certificatePEM, paths.authorityCertificate)
        try TestCluster.write(identity.certificateChainPEM, paths.nodeCertificate)
        try TestCluster.write(identity.privateKeyPEM, paths.nodeKey)
        watchdog = try await FakeWatchdog(socketPath: paths.watchdogSocket, logs: paths.logs, group: group)
        proxy = try await FakeProxy(socketPath: paths.proxySocket, group: group)
        startAgent()
    }

    var agent: NodeAgent { running.withLock { $0!.agent } }

    /// What a manager does when it starts.
    func startAgent() {
        var logger = Logger(label: "node\(id)")
        logger.logLevel = getenv("TARN_TEST_LOG") == nil ? .critical : .debug
        let watchdog = WatchdogClient(socketPath: paths.watchdogSocket, group: group, logger: logger)
        let proxy = ProxyLink(socketPath: paths.proxySocket, group: group, logger: logger)
        let agent = NodeAgent(
            node: id, address: address, prefix: paths.prefix, watchdog: watchdog, proxy: proxy, group: group,
            logger: logger)
        let task = Task {
            await withDiscardingTaskGroup { group in
                group.addTask { await watchdog.run() }
                group.addTask { await proxy.run() }
                group.addTask { await agent.run() }
            }
        }
        running.withLock { $0 = Running(agent: agent, task: task) }
    }

    func stopAgent() async {
        let task = running.withLock { $0?.task }
        task?.cancel()
        await task?.value
    }

    fileprivate func close() async {
        await stopAgent()
        await watchdog.close()
        await proxy.close()
    }

    func pid(_ shard: Int) -> Int32? { watchdog.pid("shard-\(shard)") }

    /// The process id, once the shard runs as another process than `former`.
    func pid(_ shard: Int, after former: Int32) async throws -> Int32 {
        try await eventually("shard \(shard) to run again") {
            self.pid(shard).flatMap { $0 == former ? nil : $0 }
        }
    }

    /// As `manager` unless told otherwise.
    func connect(_ shard: Int, user: String = "manager", password: String? = nil) async throws -> ShardConnection {
        let descriptor = try LocalSocket.connect(path: paths.shardSocket(ShardID(shard)))
        let connection = try await ShardConnection.adopt(descriptor: descriptor, group: group)
        try await connection.authenticate(user: user, password: password ?? user)
        return connection
    }

    func ask(_ shard: Int, _ arguments: String...) async throws -> ShardReply {
        let connection = try await connect(shard)
        defer { connection.close() }
        return try await connection.send(arguments)
    }

    private static func makeDirectories(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            guard mkdir(made, 0o700) == 0 || errno == EEXIST else { throw Violation("can't make \(made)") }
        }
    }
}

/// Some nodes, and the configuration that a leader would write.
final class TestCluster: Sendable {
    let nodes: [TestNode]
    let authority: CertificateAuthority
    let directory: TestDirectory
    private let databases = Mutex<[DatabaseID: DatabaseConfiguration]>([:])

    private static let networks = Atomic(0)

    private init(_ count: Int) async throws {
        directory = try TestDirectory()
        authority = try CertificateAuthority.make(clusterName: "agent.test")
        let number = Self.networks.add(1, ordering: .relaxed).newValue
        let network = "127.\(10 + Int(getpid()) % 20).\(number % 250)"
        var nodes: [TestNode] = []
        for id in 1...count {
            nodes.append(
                try await TestNode(
                    id: NodeID(id), address: "\(network).\(id)", prefix: "\(directory.path)/\(id)",
                    authority: authority, group: MultiThreadedEventLoopGroup.singleton))
        }
        self.nodes = nodes
    }

    static func with(_ count: Int, _ body: (TestCluster) async throws -> Void) async throws {
        let cluster = try await TestCluster(count)
        let result: Result<Void, any Error>
        do { result = .success(try await body(cluster)) } catch { result = .failure(error) }
        for node in cluster.nodes { await node.close() }
        if getenv("TARN_TEST_LOG") != nil { system("cat \(cluster.directory.path)/*/var/log/tarn/*.log") }
        try result.get()
    }

    subscript(_ node: Int) -> TestNode { nodes[node - 1] }

    /// Shards at `places`, a primary for each, with a replica on the next node where `isReplicated`. Shard ids and
    /// ports follow from the database's id.
    func database(
        _ id: Int, epoch: Int = 1, on places: [Int] = [1], isReplicated: Bool = false,
        persistence: Persistence = .none, status: DatabaseConfiguration.Status = .pending
    ) -> DatabaseConfiguration {
        var shards: [ShardConfiguration] = []
        for (index, slots) in SlotRange.even(parts: places.count).enumerated() {
            func add(_ role: ShardConfiguration.Role, _ place: Int) {
                let number = id * 10 + shards.count + 1
                shards.append(
                    ShardConfiguration(
                        id: ShardID(number), role: role, node: NodeID(place), slots: slots,
                        port: UInt16(20000 + number)))
            }
            add(.primary, places[index])
            if isReplicated { add(.replica, places[index] % nodes.count + 1) }
        }
        return DatabaseConfiguration(
            id: DatabaseID(id), epoch: Epoch(epoch),
            policy: DatabasePolicy(
                name: "db\(id)", memoryLimit: .megabytes(64), shardCount: places.count, isReplicated: isReplicated,
                persistence: persistence),
            status: status, shards: shards,
            endpoint: EndpointConfiguration(port: UInt16(12000 + id), nodes: nodes.map(\.id)),
            secrets: ShardSecrets(manager: "manager", proxy: "proxy", replica: "replica"),
            createdAt: WallTime(milliseconds: 0), changedAt: WallTime(milliseconds: 0))
    }

    /// Commits: every node sees it.
    func commit(_ changed: DatabaseConfiguration...) async {
        databases.withLock { databases in for database in changed { databases[database.id] = database } }
        await publish()
    }

    func forget(_ id: Int) async {
        databases.withLock { $0[DatabaseID(id)] = nil }
        await publish()
    }

    func publish(down: Set<Int> = []) async {
        for node in nodes { await publish(to: node, down: down) }
    }

    func publish(to node: TestNode, down: Set<Int> = []) async {
        let records = nodes.map { node in
            var record = NodeRecord(
                id: node.id, address: node.address, hostname: "h", architecture: "x86_64", cores: 2,
                totalMemory: .gigabytes(4), softwareVersion: "0", operatingSystem: "test",
                joinedAt: WallTime(milliseconds: 0))
            if down.contains(node.id.rawValue) { record.status = .down }
            return record
        }
        await node.agent.adopt(
            databases: databases.withLock { $0 }, nodes: Dictionary(uniqueKeysWithValues: records.map { ($0.id, $0) }))
    }

    /// Commits and waits until every node has applied it, as the leader does.
    func apply(_ database: DatabaseConfiguration) async throws {
        await commit(database)
        try await settle(database)
    }

    func settle(_ database: DatabaseConfiguration, within limit: Duration = .seconds(15)) async throws {
        for node in nodes {
            let progress = await node.agent.progress(of: database.id, epoch: database.epoch, within: limit)
            guard case .applied = progress else { throw Violation("database \(database.id): \(progress)") }
        }
    }

    static func identity(
        _ authority: CertificateAuthority, name: String, address: String
    ) throws -> TLSIdentity {
        let key = try Certificates.makeKey()
        let request = try Certificates.makeRequest(commonName: name, privateKeyPEM: key)
        let certificate = try authority.sign(
            requestPEM: request, commonName: name, dnsNames: ["\(name).agent.test"], addresses: [address], days: 2)
        return TLSIdentity(certificateChainPEM: certificate + authority.certificatePEM, privateKeyPEM: key)
    }

    static func write(_ text: String, _ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw Violation("can't write \(path)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Violation("short write") }
    }
}

extension DatabaseConfiguration {
    /// The next epoch, with changes.
    func next(_ change: (inout DatabaseConfiguration) throws -> Void) rethrows -> DatabaseConfiguration {
        var next = self
        next.epoch = epoch.next
        try change(&next)
        return next
    }

    /// A planned change from the first shard to the second one is in this phase; nil: it has ended.
    func changing(_ phase: ShardTransition.Phase?) -> DatabaseConfiguration {
        next { database in
            database.transitions =
                phase.map { phase in
                    [
                        ShardTransition(
                            slots: .all, from: database.shards[0].id, to: database.shards[1].id, isPlanned: true,
                            phase: phase, since: WallTime(milliseconds: 0))
                    ]
                } ?? []
        }
    }

    /// Primary and replica of an unsharded database in each other's place.
    var swapped: DatabaseConfiguration {
        next { database in
            for index in database.shards.indices {
                database.shards[index].role = database.shards[index].role == .primary ? .replica : .primary
            }
        }
    }
}
