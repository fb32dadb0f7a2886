import ClusterModel

/// One redis-server: a log of writes that is its data set and its replication stream at once, and a role. It knows
/// nothing of the cluster and obeys whoever tells it something.
final class SimulatedShard {
    enum Role: Equatable {
        case primary
        case replica(of: ShardID)
    }

    enum Reply {
        case written
        /// It is a replica, or loads its data: nothing was written.
        case refused
        /// Written, and no replica has confirmed it in time.
        case noReplicas
        /// Written, and it has become a replica while the writer waited.
        case unblocked
    }

    /// A replica that is attached to this shard.
    struct Attachment {
        let shard: SimulatedShard
        /// The replica's connection: what comes for an earlier one is void.
        let generation: Int
        let pipe: SimulatedNetwork.Pipe
        var isStreaming = false
        var acknowledged = 0
        /// The replica has not gone over to another shard.
        var isOpen: Bool { shard.generation == generation }
    }

    private struct Waiter {
        let offset: Int
        let answer: (Reply) -> Void
    }

    static let waitSpan = Span.milliseconds(1000)

    let id: ShardID
    let database: DatabaseID
    let process: SimulatedProcess
    unowned(unsafe) let simulation: Simulation
    let persists: Bool
    /// Revision of the copy by which it was started: an older copy doesn't know it.
    let knownAt: Int64

    var role = Role.primary
    private(set) var log: [Int] = []
    private var writtenAt: [Moment] = []
    /// What is on disk while it doesn't run.
    private(set) var disk: [Int] = []
    /// Replication id: two shards with the same one and offsets agree up to the smaller offset.
    private(set) var history = 0
    /// The one before, and how far it agrees with ours.
    private(set) var earlier: (history: Int, upTo: Int)?
    private(set) var isLoading = false
    /// Has had all that its primary had, at one time since its start.
    private(set) var hasSynced = false

    var attachments: [Attachment] = []
    /// A replica's connection to its primary.
    var generation = 0
    var isLinkUp = false
    var isSynchronizing = false
    var linkPeer: (shard: SimulatedShard, life: Int, since: Moment)?
    private var waiters: [Waiter] = []

    init(
        _ id: ShardID, of database: DatabaseID, on node: NodeID, persists: Bool, knownAt: Int64,
        _ simulation: Simulation
    ) {
        self.knownAt = knownAt
        self.id = id
        self.database = database
        self.persists = persists
        self.simulation = simulation
        process = SimulatedProcess(node: node, name: "shard \(id)")
        process.onEnd = { [unowned self] in ended() }
    }

    var offset: Int { log.count }

    // MARK: Life

    func start(as role: Role) {
        guard !process.isAlive else { return }
        process.start()
        log = persists ? disk : []
        writtenAt = Array(repeating: simulation.now, count: log.count)
        history = simulation.nextNumber()
        earlier = nil
        hasSynced = false
        isLoading = true
        simulation.after(simulation.random.milliseconds(5...150), for: process) { [unowned self] in
            isLoading = false
            simulation.tell(process, "is up as \(description(role)) with \(log.count) writes")
            if case .replica(let primary) = role { follow(primary) } else { becomesPrimary() }
        }
        self.role = role
    }

    private func becomesPrimary() {
        role = .primary
        simulation.checkWriters()
    }

    private func ended() {
        disk = log
        generation += 1
        isLinkUp = false
        isSynchronizing = false
        attachments = []
        waiters = []
        simulation.shardEnded(self)
    }

    /// The run is over.
    func letGo() {
        attachments = []
        linkPeer = nil
    }

    /// The machine lost its power: what the last second brought had not reached the disk.
    func loseUnsynced() {
        let limit = simulation.now + Span(microseconds: -1_000_000)
        let kept = writtenAt.firstIndex { $0 > limit } ?? log.count
        disk = Array(disk.prefix(kept))
    }

    // MARK: Commands

    func promote() {
        guard case .replica = role, !isLoading else { return }
        generation += 1
        isLinkUp = false
        isSynchronizing = false
        earlier = (history, log.count)
        history = simulation.nextNumber()
        simulation.tell(process, "promoted with \(log.count) writes")
        becomesPrimary()
    }

    /// REPLICAOF.
    func follow(_ primary: ShardID) {
        guard !isLoading else { return }
        role = .replica(of: primary)
        generation += 1
        isLinkUp = false
        isSynchronizing = false
        attachments = []
        let unblocked = waiters
        waiters = []
        for waiter in unblocked { waiter.answer(.unblocked) }
        simulation.tell(process, "follows shard \(primary)")
        connect(generation)
    }

    /// - Parameter needsReplica: WAIT 1 follows the write.
    func write(_ number: Int, needsReplica: Bool, _ answer: @escaping (Reply) -> Void) {
        guard role == .primary, !isLoading else { return answer(.refused) }
        log.append(number)
        writtenAt.append(simulation.now)
        let end = log.count
        for index in attachments.indices where attachments[index].isStreaming { stream(index, from: end - 1) }
        guard needsReplica else { return answer(.written) }
        var isAnswered = false
        let once: (Reply) -> Void = { reply in
            guard !isAnswered else { return }
            isAnswered = true
            answer(reply)
        }
        waiters.append(Waiter(offset: end, answer: once))
        simulation.after(Self.waitSpan, for: process) { [unowned self] in
            guard !isAnswered else { return }
            waiters.removeAll { $0.offset == end }
            once(.noReplicas)
        }
    }

    func acknowledged(_ offset: Int) {
        let confirmed = waiters.prefix { $0.offset <= offset }
        waiters.removeFirst(confirmed.count)
        for waiter in confirmed { waiter.answer(.written) }
    }

    // MARK: Data that comes from a primary

    func load(_ copy: [Int], history: Int) {
        // Who got its data from here is to begin anew.
        attachments = []
        log = copy
        writtenAt = Array(repeating: simulation.now, count: copy.count)
        self.history = history
        earlier = nil
        caughtUp()
    }

    func continueFrom(_ start: Int, _ writes: [Int], history: Int) {
        guard start <= log.count else { return }
        let new = writes.dropFirst(log.count - start)
        log += new
        writtenAt += Array(repeating: simulation.now, count: new.count)
        self.history = history
        let first = log.count - new.count
        for index in attachments.indices where attachments[index].isStreaming { stream(index, from: first) }
    }

    func caughtUp() {
        isLinkUp = true
        isSynchronizing = false
        hasSynced = true
    }

    private func description(_ role: Role) -> String {
        switch role {
        case .primary: "primary"
        case .replica(let primary): "replica of shard \(primary)"
        }
    }
}
