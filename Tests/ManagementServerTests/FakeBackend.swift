import ClusterModel
import ClusterStore
import HTTPTransport
import ManagementAPI
import ManagementServer
import ManagerCore
import ManagerService
import Primitives
import Synchronization

/// The manager's deciding parts, real, without machines under them.
final class FakeBackend: ManagementBackend {
    struct World: Sendable {
        var now = ServerFixture.start
        var actions = 0
        var bootstraps: [BootstrapRequest] = []
        var forwarded: [HTTPClientRequest] = []
        /// What the leader answers; nil: this node leads.
        var leader: HTTPClientResponse?
        var commands: [[String]] = []
    }

    let world = Mutex(World())
    private let isMember: Bool
    private let store: InMemoryStore
    private let member: ClusterMember

    init(store: InMemoryStore, isMember: Bool) {
        self.store = store
        self.isMember = isMember
        member = ClusterMember(
            node: NodeID(1), store: store, fresh: { Self.part() }, now: { ServerFixture.start },
            bootTime: { BootTime(milliseconds: 50_000) }, logger: ServerFixture.quiet)
    }

    /// What the leader begins by itself gets identifiers of its own.
    private static func part() -> Fresh {
        Fresh(
            action: ActionID("part-\(Int.random(in: 0..<Int.max))"),
            secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"))
    }

    func run() async {
        guard isMember else { return }
        await member.run(
            probe: { _, _, epoch, _ in .applied(epoch) }, copies: { _ in [:] }, counts: { _, _ in true },
            onState: { _ in })
    }

    func untilReady() async {
        guard isMember else { return }
        for await state in await member.follower.states() where state.leader != nil { break }
        while await member.leadership.current == nil { await Task.yield() }
    }

    /// As a second machine joins.
    func join(_ record: NodeRecord) async throws {
        _ = try await edit { state throws(PlanError) in
            guard let head = state.head else { return nil }
            return Plan(changes: [.head(head), .node(record)])
        }
    }

    /// Returns when the state is so.
    func until(_ condition: (ClusterState) -> Bool) async {
        for await state in await member.follower.states() where condition(state) { return }
    }

    func state() async -> ClusterState? { isMember ? await member.follower.current : nil }
    func ownNode() async -> NodeID? { isMember ? NodeID(1) : nil }
    func recoverCluster(_ request: BootstrapRequest) async throws(PlanError) -> RecoveryPlanObject {
        world.withLock { $0.bootstraps.append(request) }
        return RecoveryPlanObject(
            cluster: "cluster.local", node: NodeID(1), nodes: [], snapshotNode: NodeID(1), snapshotRevision: 7,
            snapshotTime: ServerFixture.start.description, snapshotAgeSeconds: 3, databases: 0, findings: [],
            hasBegun: request.recovery?.confirm != nil)
    }

    func storeReport() async -> StoreReportObject? { nil }
    func snapshotText() async -> [UInt8]? { nil }
    func hear(_ news: StoreNewsObject) async {}

    func moveNode(_ move: MoveObject) async throws(PlanError) -> JoinAnswerObject { throw .init("no", "not here") }

    func bootstrapSecret() async -> String { "open sesame" }

    func bootstrapStatus() async -> BootstrapObject {
        BootstrapObject(
            status: .init(state: isMember ? "completed" : "idle"),
            localNode: LocalNodeObject(
                uid: nil, addresses: [], architecture: "x86_64", cores: 2, totalMemoryBytes: 8 << 30, uptimeSeconds: 1,
                softwareVersion: "0.1.0", operatingSystem: "Debian 12", hostname: "host"))
    }

    func createCluster(_ request: BootstrapRequest) async throws(PlanError) {
        world.withLock { $0.bootstraps.append(request) }
    }

    func joinCluster(_ request: BootstrapRequest) async throws(PlanError) {
        world.withLock { $0.bootstraps.append(request) }
    }

    func edit(
        _ decide: @escaping @Sendable (ClusterState) throws(PlanError) -> Plan?
    ) async throws(PlanError) -> (plan: Plan?, revision: Int64) {
        do {
            return try await member.editor.edit(decide)
        } catch {
            if case .refused(let refusal) = error { throw refusal }
            throw PlanError(code: "no_leader", status: 503, message: "\(error)")
        }
    }

    func fresh() -> Fresh {
        let number = world.withLock { world in
            world.actions += 1
            return world.actions
        }
        return Fresh(
            action: ActionID("action-\(number)"), secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"))
    }

    func now() -> WallTime { world.withLock(\.now) }

    func forwardToLeader(_ request: HTTPClientRequest) async throws(PlanError) -> HTTPClientResponse? {
        world.withLock { world in
            world.forwarded.append(request)
            return world.leader
        }
    }

    func wait(for revision: Int64) async {}

    func progress(of database: DatabaseID, epoch: Epoch, within: Duration) async -> ProgressObject {
        ProgressObject(state: .applied, epoch: epoch, message: "")
    }

    func localShardReports(of only: Set<ShardID>?) async -> [ShardReportObject] { [] }

    func shardReports() async -> [ShardID: ShardReportObject] {
        let shards = await state()?.databases.values.flatMap { database in
            database.shards.map { shard in
                ShardReportObject(
                    shard: shard.id, database: database.id, role: shard.role, state: "ok", pid: 1,
                    usedMemory: .zero, keys: 0, isLinkUp: true, replicationOffset: 1)
            }
        }
        return Dictionary((shards ?? []).map { ($0.shard, $0) }) { first, _ in first }
    }

    func localNodeReport() async -> NodeReportObject {
        NodeReportObject(freeMemory: .gigabytes(4), uptimeSeconds: 1, softwareVersion: "0.1.0")
    }

    func nodeReports() async -> [NodeID: NodeReportObject] { [NodeID(1): await localNodeReport()] }

    func admit(_ request: JoinRequestObject, exporter: [UInt8]) async throws(PlanError) -> JoinAnswerObject {
        throw PlanError(code: "token_unknown", status: 401, message: "no token")
    }

    func admitAsLeader(_ admission: AdmissionObject) async throws(PlanError) -> NodeRecord {
        throw PlanError(code: "token_unknown", status: 403, message: "no token")
    }

    func heartbeat(_ message: HeartbeatObject) async -> FenceObject? { FenceObject(hasApplied: true, fence: .zero) }
    func counts(newcomer: NodeID) async -> Bool { true }
    func fence(of database: DatabaseID, epoch: Epoch) async -> FenceObject {
        FenceObject(hasApplied: true, fence: epoch)
    }

    func changeSettingsAsLeader(_ change: SettingsChangeObject) async throws(PlanError) -> Epoch {
        let time = now()
        let (plan, _) = try await edit { state throws(PlanError) in
            try Planner.changeSettings(change.settings, of: change.database, in: state, now: time)
        }
        return plan?.database?.epoch ?? .zero
    }

    func tokenKey() async -> [UInt8] { Array("a key".utf8) }
    func reachesLeader() async -> Bool { await member.leadership.current != nil }

    func run(_ command: [String], on database: DatabaseConfiguration) async throws(PlanError) -> JSONValue {
        world.withLock { $0.commands.append(command) }
        return .string("PONG")
    }
}
