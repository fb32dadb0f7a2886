import ClusterModel
import ManagerCore
import Primitives

/// The manager of one node: what it remembers while it lives, and its timers. What it decides with is the product's
/// own.
final class SimulatedManager {
    static let profile = DetectionProfile.high

    let node: NodeID
    let process: SimulatedProcess
    /// It owns all of its parts and ends after them; the check that it is still there would cost a tenth of a run.
    unowned(unsafe) let simulation: Simulation

    /// Its copy of the store; nil until it has read it once.
    private(set) var snapshot: SimulatedStore.Snapshot?

    // Peers.
    var watch: PeerWatch
    var lease = ServingLease()
    var joins = JoinWatch()
    /// Watchers that took note of the last heartbeat, whatever they said.
    var reached: Set<NodeID> = []
    /// When each replied last.
    var replied: [NodeID: BootTime] = [:]
    /// The fence by which our proxy routes, as far as we know for sure.
    var appliedFence = Epoch.zero

    // The proxy, as far as it has told us on the connection that stands.
    var link: ProxyConnection?
    var toldLease: BootTime?
    /// Revision of the copy that the proxy has been told all of.
    var toldRevision: Int64 = -1

    // Shards.
    var policies: [ShardID: ShardRestarts] = [:]
    var commanded: Set<ShardID> = []
    var hungSince: [ShardID: BootTime] = [:]
    var gates: [DatabaseID: PromotionGate] = [:]
    var failingOver: Set<ShardID> = []
    var endingTransitions: Set<ShardID> = []
    var failingOverDatabases: Set<DatabaseID> = []

    // The store.
    var edits: [Edit] = []
    var isEditing = false
    var isReading = false
    var isReadmitting = false

    // Leading.
    var term: (revision: Int64, until: BootTime)?
    var isCampaigning = false
    var isRenewing = false
    var askedActions: Set<ActionID> = []
    var sightings = Sightings()
    var replicaWatch = ReplicaWatch()
    var lookedAtReplicas: BootTime?
    var askedLeases: Set<DatabaseID> = []
    var askedJoins: Set<NodeID> = []
    /// Revision of the copy in which endpoints were found, or put, where they belong.
    var boundRevision: Int64 = -1

    init(_ node: NodeID, _ simulation: Simulation) {
        self.node = node
        self.simulation = simulation
        process = SimulatedProcess(node: node, name: "manager")
        watch = PeerWatch(own: node)
    }

    var clock: NodeClock { simulation.node(node).clock }
    var boot: BootTime { clock.boot(at: simulation.now) }
    var wall: WallTime { clock.wall(at: simulation.now) }
    var state: ClusterState? { snapshot?.state }

    /// Begins a new life that knows nothing of the one before.
    func start() {
        process.start()
        snapshot = nil
        watch = PeerWatch(own: node)
        lease = ServingLease()
        joins = JoinWatch()
        reached = []
        replied = [:]
        appliedFence = .zero
        link = nil
        toldLease = nil
        toldRevision = -1
        policies = [:]
        commanded = []
        hungSince = [:]
        gates = [:]
        failingOver = []
        endingTransitions = []
        failingOverDatabases = []
        edits = []
        isEditing = false
        isReading = false
        isReadmitting = false
        term = nil
        isCampaigning = false
        isRenewing = false
        askedActions = []
        sightings = Sightings()
        replicaWatch = ReplicaWatch()
        lookedAtReplicas = nil
        askedLeases = []
        askedJoins = []
        boundRevision = -1
        simulation.tell(process, "starts")
        read()
        beat()
        tick()
    }

    // MARK: Timers

    private func beat() {
        sendHeartbeats()
        simulation.after(clock.span(Self.profile.heartbeat), for: process) { [unowned self] in beat() }
    }

    private func tick() {
        pass()
        simulation.after(clock.span(100), for: process) { [unowned self] in tick() }
    }

    func pass() {
        guard let snapshot else { return read() }
        let state = snapshot.state
        if simulation.store.newest.revision > state.revision, simulation.random.isOne(in: 10) { read() }
        talkToProxy(snapshot)
        tendShards(snapshot)
        failOverLost(snapshot)
        if snapshot.hasLostNodes { readmit(state) }
        lead(snapshot)
    }

    // MARK: The copy

    func read() {
        guard !isReading, !simulation.node(node).isWatchStalled else { return }
        isReading = true
        simulation.store.read(from: process) { [unowned self] snapshot in
            isReading = false
            if let snapshot { saw(snapshot) }
        }
    }

    /// Takes over a newer copy and acts on it.
    func saw(_ new: SimulatedStore.Snapshot) {
        guard new.revision > snapshot?.revision ?? -1 else { return }
        simulation.invariants.check(new, replaces: state, at: node)
        snapshot = new
        if new.state.nodes[node]?.status == .down { lease.revoke() }
        renewLease()
        talkToProxy(new)
        tendShards(new)
        failOverLost(new)
    }

    // MARK: Questions to others

    /// Asks another node's manager; nil when there is no answer in time.
    func ask<Answer>(
        _ other: NodeID, within milliseconds: Int64 = 1000, _ question: @escaping (SimulatedManager) -> Answer?,
        _ then: @escaping (Answer?) -> Void
    ) {
        guard other != node else { return then(question(self)) }
        var isAnswered = false
        let once: (Answer?) -> Void = { answer in
            guard !isAnswered else { return }
            isAnswered = true
            then(answer)
        }
        simulation.after(clock.span(milliseconds), for: process) { once(nil) }
        let peer = simulation.node(other).manager
        let life = process.life
        simulation.network.sendDatagram(from: node, to: peer.process) { [unowned self] in
            let answer = question(peer)
            // Its connection died with the process that asked.
            guard process.life == life else { return }
            simulation.network.sendDatagram(from: other, to: process) { once(answer) }
        }
    }
}
