import ClusterModel

/// One machine: its clocks, its power, its processes.
final class SimulatedNode {
    let id: NodeID
    let rack: String
    /// Keeps a member of the store.
    var isVoter: Bool
    unowned let simulation: Simulation
    var clock: NodeClock
    let manager: SimulatedManager
    let proxy: SimulatedProxy
    let member: SimulatedProcess
    /// In order.
    var shards: [ShardID] = []
    private(set) var isPowered = false
    private(set) var isPaused = false
    /// Added to every write of the store's member.
    var diskDelay = Span.zero
    var isWatchStalled = false
    /// Its calls of the store come to nothing, though it reaches the members: a client that hangs.
    var isStoreAway = false

    init(_ id: NodeID, rack: String, isVoter: Bool, clock: NodeClock, _ simulation: Simulation) {
        self.id = id
        self.rack = rack
        self.isVoter = isVoter
        self.clock = clock
        self.simulation = simulation
        manager = SimulatedManager(id, simulation)
        proxy = SimulatedProxy(id, simulation)
        member = SimulatedProcess(node: id, name: "etcd")
    }

    private var processes: [SimulatedProcess] {
        [member, manager.process, proxy.process] + shards.compactMap { simulation.shards[$0]?.process }
    }

    func powerOn() {
        guard !isPowered else { return }
        isPowered = true
        clock.boots(at: simulation.now)
        simulation.tell(id, "starts")
        startMember()
        simulation.after(simulation.random.milliseconds(100...800), for: nil) { [unowned self] in startProxy() }
        simulation.after(simulation.random.milliseconds(100...800), for: nil) { [unowned self] in startManager() }
    }

    func powerOff() {
        guard isPowered else { return }
        isPowered = false
        isPaused = false
        simulation.tell(id, "loses its power")
        for process in processes { process.end() }
        for shard in shards { simulation.shards[shard]?.loseUnsynced() }
        simulation.network.forget(id)
        simulation.memberVersion += 1
    }

    /// Of all its processes; the boot-time clock runs on.
    func pause() {
        guard isPowered, !isPaused else { return }
        isPaused = true
        simulation.tell(id, "is paused")
        for process in processes { process.stop() }
        simulation.memberVersion += 1
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        simulation.tell(id, "goes on")
        for process in processes {
            let life = process.life
            simulation.after(simulation.random.milliseconds(0...30), for: nil) { [unowned self] in
                guard process.life == life, !isPaused else { return }
                process.goOn()
                simulation.memberVersion += 1
                simulation.checkWriters()
            }
        }
    }

    // What the watchdog starts again; not while the machine is paused.

    func startMember() {
        start("etcd") { [unowned self] in
            member.start()
            simulation.memberVersion += 1
        }
    }

    func startProxy() { start("proxy") { [unowned self] in proxy.process.start() } }

    func startManager() {
        start("manager") { [unowned self] in
            if !manager.process.isAlive { manager.start() }
        }
    }

    private func start(_ name: String, _ body: @escaping () -> Void) {
        guard isPowered else { return }
        guard !isPaused else {
            return simulation.after(.milliseconds(300), for: nil) { [unowned self] in start(name, body) }
        }
        body()
    }
}
