import ClusterModel
import ClusterStore
import Logging
import ManagementAPI
import ManagerCore
import ManagerService
import Primitives
import Synchronization

/// A cluster of managers over one in-memory store, with nodes that answer what the test tells them to.
struct ClusterFixture {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    static let start = WallTime(milliseconds: 1_800_000_000_000)

    let store = InMemoryStore()
    let seed: ClusterSeed

    init() async throws {
        seed = try ClusterSeed(
            clusterName: "cluster.local", adminEmail: "you@example.com", adminPassword: "a long password",
            candidate: Self.candidate(address: "127.0.9.1"), now: Self.start)
        try await seed.commit(to: store)
    }

    static func candidate(address: String) -> NodeCandidateObject {
        NodeCandidateObject(
            address: address, hostname: "host", architecture: "x86_64", cores: 2, totalMemory: .gigabytes(8),
            softwareVersion: "0.1.0", operatingSystem: "Debian 12", publicKeyDigest: "key of \(address)")
    }

    func member(_ node: Int, clock: FakeClock = FakeClock()) -> ClusterMember {
        ClusterMember(
            node: NodeID(node), store: store, fresh: { Self.fresh("part-\(Int.random(in: 0..<Int.max))") },
            now: { clock.wall }, bootTime: { clock.boot }, logger: Self.quiet)
    }

    /// A node that others may put shards on; its answers are the test's.
    func addNode(_ number: Int, status: NodeRecord.Status = .active) async throws {
        let candidate = NodeCandidate(
            address: "127.0.9.\(number)", hostname: "host", architecture: "x86_64", cores: 2,
            totalMemory: .gigabytes(8), softwareVersion: "0.1.0", operatingSystem: "Debian 12",
            publicKeyDigest: "key of \(number)")
        var record = candidate.record(id: NodeID(number), storeRole: .client, joinedAt: Self.start)
        record.status = status
        _ = try await store.commit([try StateCoding.encode(.node(record))], if: [])
    }

    static let policy = DatabasePolicy(name: "one", memoryLimit: .megabytes(100))

    static func fresh(_ action: String) -> Fresh {
        Fresh(action: ActionID(action), secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"))
    }

    /// Runs a member until `body` returns.
    func running<Result: Sendable>(
        _ member: ClusterMember, nodes: FakeNodes, copies: @escaping CopyProbe = { _ in [:] },
        counts: @escaping NewcomerProbe = { _, _ in true }, _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task { await member.run(probe: nodes.probe, copies: copies, counts: counts, onState: { _ in }) }
        do {
            let result = try await body()
            task.cancel()
            await task.value
            return result
        } catch {
            task.cancel()
            await task.value
            throw error
        }
    }
}

/// Both clocks of a node, in a test's hand.
final class FakeClock: Sendable {
    private let times = Mutex((wall: ClusterFixture.start, boot: BootTime(milliseconds: 50_000)))

    var wall: WallTime { times.withLock(\.wall) }
    var boot: BootTime { times.withLock(\.boot) }

    /// Somebody sets the wall clock.
    func set(wall seconds: Int64) {
        times.withLock { $0.wall = $0.wall.adding(seconds: seconds) }
    }

    func pass(seconds: Int64) {
        times.withLock { $0 = ($0.wall.adding(seconds: seconds), $0.boot + seconds * 1000) }
    }
}

/// Nodes that say what they were told to say.
final class FakeNodes: Sendable {
    private let answer: Mutex<@Sendable (Epoch) -> NodeProgress>

    init(_ answer: @escaping @Sendable (Epoch) -> NodeProgress) {
        self.answer = Mutex(answer)
    }

    func say(_ next: @escaping @Sendable (Epoch) -> NodeProgress) {
        answer.withLock { $0 = next }
    }

    var probe: ProgressProbe {
        { [self] _, _, epoch, _ in answer.withLock { $0 }(epoch) }
    }
}

struct TimedOut: Error, CustomStringConvertible {
    var description: String
}

/// Waits until a state fulfils a condition; says what it saw last when none does.
func state(
    of member: ClusterMember, within limit: Duration = .seconds(10),
    where condition: @escaping @Sendable (ClusterState) -> Bool
) async throws -> ClusterState {
    try await withThrowingTaskGroup(of: ClusterState.self) { group in
        group.addTask {
            for await state in await member.follower.states() where condition(state) { return state }
            throw TimedOut(description: "the states ended")
        }
        group.addTask {
            try await Task.sleep(for: limit)
            let last = await member.follower.current
            throw TimedOut(
                description: "last state: leader \(String(describing: last?.leader)), "
                    + "databases \(last?.databases ?? [:]), actions \(last?.actions ?? [:])")
        }
        defer { group.cancelAll() }
        return try await group.next()!
    }
}
