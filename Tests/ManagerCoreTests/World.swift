import ClusterModel
import ManagerCore
import Primitives

/// A cluster that lives in a test: every plan is committed as the store would do it.
struct World {
    static let start = WallTime(milliseconds: 1_700_000_000_000)

    private(set) var state = ClusterState()
    private(set) var now = World.start
    private var actions = 0

    /// - Parameter racks: One for each node, or none at all.
    init(nodes: Int, memory: ByteCount = .gigabytes(4), racks: [String] = []) {
        commit(
            Planner.bootstrap(
                cluster: ClusterRecord(name: "cluster.local", createdAt: now, authorityDigest: "ca"),
                authority: AuthorityRecord(certificatePEM: "certificate", privateKeyPEM: "key"),
                node: Self.candidate(1, memory: memory, rack: racks.first ?? ""),
                admin: UserRecord(
                    id: UserID(1), email: "you@example.com", name: "You", role: "admin", passwordHash: "hash",
                    createdAt: now, passwordChangedAt: now),
                now: now))
        guard nodes > 1 else { return }
        for number in 2...nodes {
            join(Self.candidate(number, memory: memory, rack: racks.isEmpty ? "" : racks[number - 1]))
        }
    }

    static func candidate(_ number: Int, memory: ByteCount = .gigabytes(4), rack: String = "") -> NodeCandidate {
        NodeCandidate(
            address: "127.0.0.\(10 + number)", hostname: "host\(number)", architecture: "x86_64", cores: 2,
            totalMemory: memory, softwareVersion: "0.1.0", operatingSystem: "Debian 12", rackID: rack,
            publicKeyDigest: "key\(number)")
    }

    /// Admits a node past the rules for tokens, which have tests of their own.
    mutating func join(_ candidate: NodeCandidate) {
        if state.tokens["open"] == nil {
            commit(
                try! Planner.createToken(
                    id: "open", secretDigest: "", lifetimeSeconds: nil, uses: nil, createdBy: "test", in: state,
                    now: now))
        }
        commit(try! Planner.admitNode(candidate, tokenID: "open", in: state, now: now))
    }

    mutating func commit(_ plan: Plan) {
        state.apply(plan, revision: state.revision + 1)
    }

    mutating func pass(seconds: Int64) {
        now = now.adding(seconds: seconds)
    }

    mutating func fresh() -> Fresh {
        actions += 1
        return Fresh(
            action: ActionID("action-\(actions)"),
            secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"))
    }

    @discardableResult
    mutating func create(_ policy: DatabasePolicy, id: DatabaseID? = nil) throws(PlanError) -> DatabaseConfiguration {
        let plan = try Planner.createDatabase(policy, id: id, in: state, fresh: fresh(), now: now)
        commit(plan)
        return state.databases[plan.database!.id]!
    }

    /// Creates and sees it through.
    @discardableResult
    mutating func createActive(_ policy: DatabasePolicy) throws(PlanError) -> DatabaseConfiguration {
        let database = try create(policy)
        finishAll()
        return state.databases[database.id]!
    }

    @discardableResult
    mutating func update(
        _ id: DatabaseID, _ change: (inout DatabasePolicy) -> Void
    ) throws(PlanError) -> DatabaseConfiguration {
        var policy = state.databases[id]!.policy
        change(&policy)
        commit(try Planner.updateDatabase(id, to: policy, in: state, fresh: fresh(), now: now))
        return state.databases[id]!
    }

    mutating func delete(_ id: DatabaseID) throws(PlanError) {
        commit(try Planner.deleteDatabase(id, in: state, fresh: fresh(), now: now))
    }

    mutating func finishAll(_ outcome: ActionOutcome = .completed) {
        for action in state.actions.values.sorted(by: { $0.id.description < $1.id.description }) {
            if let plan = Planner.finish(action, outcome: outcome, in: state, now: now) { commit(plan) }
        }
    }
}

extension DatabasePolicy {
    static func named(
        _ name: String, _ memory: ByteCount = .megabytes(100), shards: Int = 1, replicated: Bool = false,
        placement: ShardsPlacement = .dense
    ) -> DatabasePolicy {
        DatabasePolicy(
            name: name, memoryLimit: memory, shardCount: shards, isReplicated: replicated, placement: placement)
    }
}

/// What a plan was refused with; nil when it wasn't.
func refusal(_ body: () throws -> Void) -> PlanError? {
    do {
        try body()
        return nil
    } catch {
        return error as? PlanError
    }
}
