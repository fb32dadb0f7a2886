import ClusterModel

/// One process of a node as the kernel sees it: alive or not, running or stopped (SIGSTOP, or its whole machine
/// paused).
///
/// Every event for a process is meant for one of its lives: what comes for an earlier one is nobody's any more. Events
/// for one that is stopped wait, as bytes do in socket buffers and as timers do, and are handled at once when it goes
/// on.
final class SimulatedProcess {
    let node: NodeID
    let name: String
    private(set) var life = 0
    private(set) var isAlive = false
    private(set) var isStopped = false
    /// Set where something has to be cleared or told when the process ends.
    var onEnd: () -> Void = {}
    private var backlog: [EventQueue.Event] = []

    init(node: NodeID, name: String) {
        self.node = node
        self.name = name
    }

    var runs: Bool { isAlive && !isStopped }

    func start() {
        guard !isAlive else { return }
        life += 1
        isAlive = true
        isStopped = false
    }

    func end() {
        guard isAlive else { return }
        life += 1
        isAlive = false
        isStopped = false
        backlog = []
        onEnd()
    }

    func stop() {
        if isAlive { isStopped = true }
    }

    func goOn() {
        guard isStopped else { return }
        isStopped = false
        let waiting = backlog
        backlog = []
        for event in waiting { handle(event) }
    }

    func handle(_ event: EventQueue.Event) {
        guard isAlive, event.life == life else { return }
        if isStopped { backlog.append(event) } else { event.body() }
    }
}
