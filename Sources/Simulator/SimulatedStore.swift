import ClusterModel
import ManagerCore
import Primitives

/// The configuration store as its users see it: one linearizable map with revisions, transactions, one lease (the
/// leader's) and watches. Reachable from a node when one of its members is and that one belongs to a majority.
///
/// The ways in which a store is unpleasant are there: a commit may have happened though its answer never comes, it may
/// happen after its caller has given up, and a watch may lag by seconds.
final class SimulatedStore {
    /// Everything at one revision; shared by all who are that far.
    final class Snapshot {
        let state: ClusterState
        /// In order of their numbers.
        let databases: [DatabaseConfiguration]
        // What every pass of every manager asks for.
        /// Actions that have not ended, in order.
        private(set) lazy var unfinished = state.actions.values.filter { !$0.status.isFinal }
            .sorted { $0.id.description < $1.id.description }
        private(set) lazy var newcomers = state.sortedNodes.filter { $0.status == .provisioning }.map(\.id)
        private(set) lazy var hasLostNodes = !state.lostNodes.isEmpty
        private(set) lazy var members = Set(state.nodes.keys)
        private(set) lazy var nodes = state.sortedNodes
        private var groups: [NodeID: WatchGroup] = [:]
        private lazy var shards = databases.filter(\.isWanted).flatMap { database in
            database.shards.map { (shard: $0, database: database) }
        }
        private lazy var places = Dictionary(
            shards.map { ($0.shard.id, $0.shard.node) }, uniquingKeysWith: { first, _ in first })
        private var shardsByNode: [NodeID: [(shard: ShardConfiguration, database: DatabaseConfiguration)]] = [:]

        init(_ state: ClusterState) {
            self.state = state
            databases = state.databases.values.sorted { $0.id < $1.id }
        }

        var revision: Int64 { state.revision }

        func group(of node: NodeID) -> WatchGroup {
            if let known = groups[node] { return known }
            let group = state.group(of: node)
            groups[node] = group
            return group
        }

        /// Those that are wanted there.
        func shards(on node: NodeID) -> [(shard: ShardConfiguration, database: DatabaseConfiguration)] {
            if let known = shardsByNode[node] { return known }
            let found = shards.filter { $0.shard.node == node }
            shardsByNode[node] = found
            return found
        }

        func isWanted(_ shard: ShardID, on node: NodeID) -> Bool { places[shard] == node }
    }

    enum Answer {
        case committed(Snapshot)
        case conflict
        /// It may have happened, may still happen, or not.
        case unavailable
    }

    struct Condition {
        var key: StoreKey
        var revision: Int64
    }

    static let leaderSpan = Span.seconds(2)

    private unowned(unsafe) let simulation: Simulation
    private(set) var newest = Snapshot(ClusterState())
    private var leaderUntil: Moment?
    /// What reachability was computed from.
    private var knownVersion = -1
    private var knownLeader: NodeID?
    /// An election is under way until then.
    private var electedAt = Moment.start

    init(_ simulation: Simulation) {
        self.simulation = simulation
    }

    // MARK: Members

    /// The member that the others follow; nil while there is none.
    private func leader() -> NodeID? {
        let version = simulation.network.version &+ simulation.memberVersion
        if version != knownVersion {
            knownVersion = version
            let leader = elect()
            if leader != knownLeader {
                // An election takes one to two of its timeouts, 0.5 s each.
                electedAt = simulation.now + simulation.random.milliseconds(500...1500)
                knownLeader = leader
            }
        }
        return simulation.now < electedAt ? nil : knownLeader
    }

    private func elect() -> NodeID? {
        let members = simulation.nodes.filter(\.isVoter)
        func supports(_ leader: SimulatedNode) -> Bool {
            guard leader.member.runs else { return false }
            let votes = members.count {
                $0.member.runs && simulation.network.isOpenBothWays($0.id, leader.id)
            }
            return votes > members.count / 2
        }
        // One that leads and can go on does.
        if let knownLeader, let node = members.first(where: { $0.id == knownLeader }), supports(node) {
            return knownLeader
        }
        return members.first(where: supports)?.id
    }

    func isReachable(from node: NodeID) -> Bool {
        guard !simulation.node(node).isStoreAway, let leader = leader() else { return false }
        return simulation.nodes.contains {
            $0.isVoter && $0.member.runs && simulation.network.isOpenBothWays($0.id, node)
                && simulation.network.isOpenBothWays($0.id, leader)
        }
    }

    private func commitSpan() -> Span {
        let slowest = simulation.nodes.filter(\.isVoter).map(\.diskDelay).sorted()
        // A majority must have written it: the disk in the middle decides.
        let disk = slowest.isEmpty ? Span.zero : slowest[slowest.count / 2]
        return simulation.random.milliseconds(1...6) + disk
    }

    /// A node that leaves gives up its membership; another takes it over, or the store makes do with fewer. Whoever
    /// asks for it must reach the store.
    func handOver(from leaving: NodeID, to staying: [NodeID], asked node: NodeID) -> Bool {
        guard isReachable(from: node), leader() != nil else { return false }
        simulation.node(leaving).isVoter = false
        let wanted = VoterPlanner.voterCount(nodes: staying.count)
        var voters = staying.filter { simulation.node($0).isVoter }
        for id in staying where voters.count < wanted && !simulation.node(id).isVoter {
            simulation.node(id).isVoter = true
            voters.append(id)
        }
        while voters.count > wanted {
            let surplus = voters.lastIndex { !simulation.node($0).member.runs } ?? voters.count - 1
            simulation.node(voters.remove(at: surplus)).isVoter = false
        }
        simulation.memberVersion += 1
        return true
    }

    // MARK: Calls

    func commit(
        _ changes: [StateChange], if conditions: [Condition], from process: SimulatedProcess,
        _ answer: @escaping (Answer) -> Void
    ) {
        let giveUp = simulation.random.milliseconds(1500...3000)
        guard isReachable(from: process.node) else {
            return simulation.after(giveUp, for: process) { answer(.unavailable) }
        }
        let isLate = simulation.faults.isUnsteady && simulation.random.isOne(in: 60)
        let span = commitSpan() + (isLate ? simulation.random.milliseconds(500...6000) : .zero)
        if isLate { simulation.after(giveUp, for: process) { answer(.unavailable) } }
        simulation.after(span, for: nil) { [unowned self] in
            guard leader() != nil else {
                if !isLate { simulation.after(giveUp, for: process) { answer(.unavailable) } }
                return
            }
            let result = apply(changes, conditions)
            guard !isLate else { return }
            let isLost = simulation.faults.isUnsteady && simulation.random.isOne(in: 60)
            guard isReachable(from: process.node), !isLost else {
                return simulation.after(giveUp, for: process) { answer(.unavailable) }
            }
            simulation.after(simulation.network.delay(process.node, process.node), for: process) { answer(result) }
        }
    }

    /// The newest, linearizable; nil when the store can't be asked.
    func read(from process: SimulatedProcess, _ answer: @escaping (Snapshot?) -> Void) {
        guard isReachable(from: process.node) else {
            return simulation.after(.milliseconds(1000), for: process) { answer(nil) }
        }
        simulation.after(simulation.random.milliseconds(1...4), for: nil) { [unowned self] in
            let snapshot = newest
            simulation.after(simulation.random.milliseconds(1...4), for: process) { answer(snapshot) }
        }
    }

    /// Renews the leader's lease; false: too late, or the store can't be asked.
    func renewLeader(_ revision: Int64, from process: SimulatedProcess, _ answer: @escaping (Bool) -> Void) {
        simulation.after(simulation.random.milliseconds(1...6), for: nil) { [unowned self] in
            let holds = newest.state.revisions[StoreKey.leader.path] == revision && leaderUntil != nil
            guard holds, isReachable(from: process.node) else {
                return simulation.after(.milliseconds(500), for: process) { answer(false) }
            }
            extendLeader()
            simulation.after(simulation.random.milliseconds(1...3), for: process) { answer(true) }
        }
    }

    private func extendLeader() {
        let end = simulation.now + Self.leaderSpan
        leaderUntil = end
        simulation.at(end, for: nil) { [unowned self] in
            // Without a majority no lease ends; the next leader gives all of them their whole span again.
            guard leaderUntil == end else { return }
            guard leader() != nil else { return extendLeader() }
            leaderUntil = nil
            write([.removed(.leader)])
        }
    }

    // MARK: Content

    private func apply(_ changes: [StateChange], _ conditions: [Condition]) -> Answer {
        for condition in conditions
        where (newest.state.revisions[condition.key.path] ?? 0) != condition.revision { return .conflict }
        if changes.contains(where: { if case .leader = $0 { true } else { false } }) { extendLeader() }
        return .committed(write(changes))
    }

    @discardableResult
    func write(_ changes: [StateChange]) -> Snapshot {
        var state = newest.state
        let revision = state.revision + 1
        for change in changes { state.apply(change, key: change.key.path, revision: revision) }
        state.advance(to: revision)
        newest = Snapshot(state)
        simulation.committed(newest)
        return newest
    }
}
