import ClusterModel

/// What goes wrong, when, and for how long; all from the seed.
final class FaultSchedule {
    private unowned let simulation: Simulation
    /// What ends the faults that are in force, by number.
    private var cures: [Int: () -> Void] = [:]
    private var last = 0
    private var end = Moment.start
    /// The store may lose answers and be late.
    private(set) var isUnsteady = false

    init(_ simulation: Simulation) {
        self.simulation = simulation
    }

    func begin(until end: Moment) {
        self.end = end
        guard simulation.settings.kind != .calm else { return }
        isUnsteady = true
        simulation.after(.seconds(6), for: nil) { [unowned self] in next() }
    }

    func healAll() {
        isUnsteady = false
        for number in cures.keys.sorted() { cure(number) }
        for node in simulation.nodes {
            node.diskDelay = .zero
            node.isWatchStalled = false
            node.isStoreAway = false
            node.resume()
            node.powerOn()
            node.startMember()
            node.startProxy()
            node.startManager()
            for other in simulation.nodes where other.id != node.id {
                simulation.network[node.id, other.id] = SimulatedNetwork.Link()
            }
            for shard in node.shards { simulation.shards[shard]?.process.goOn() }
        }
    }

    private func next() {
        guard simulation.now < end else { return }
        guard simulation.settings.kind == .single else {
            if let node = simulation.random.pick(simulation.nodes) { strike(node) }
            return simulation.after(simulation.random.milliseconds(300...9000), for: nil) { [unowned self] in next() }
        }
        guard cures.isEmpty, simulation.invariants.unrest() == nil else {
            return simulation.after(.milliseconds(500), for: nil) { [unowned self] in next() }
        }
        // One machine, perhaps with more than one complaint.
        if let node = simulation.random.pick(simulation.nodes) {
            for _ in 0..<(1 + simulation.random.below(3)) { strike(node) }
        }
        simulation.after(simulation.random.milliseconds(500...4000), for: nil) { [unowned self] in next() }
    }

    // MARK: Kinds

    private func strike(_ node: SimulatedNode) {
        switch simulation.random.below(16) {
        case 0: crash(node.manager.process, of: node) { node.startManager() }
        case 1: stop(node.manager.process)
        case 2: crash(node.proxy.process, of: node) { node.startProxy() }
        case 3: stop(node.proxy.process)
        case 4: if let shard = shard(of: node) { shard.process.end() }
        case 5: if let shard = shard(of: node) { stop(shard.process) }
        case 6: pause(node)
        case 7: powerOff(node)
        case 8: cut(node, isWhole: true)
        case 9: cut(node, isWhole: false)
        case 10: disturb(node)
        case 11: crash(node.member, of: node) { node.startMember() }
        case 12, 13: stallWatch(node)
        case 14: crash(node.manager.process, of: node, isLong: true) { node.startManager() }
        default: slowOrJump(node)
        }
    }

    private func last(_ range: ClosedRange<Int64> = 300...15_000, _ cure: @escaping () -> Void) {
        last += 1
        let number = last
        cures[number] = cure
        simulation.after(simulation.random.milliseconds(range), for: nil) { [unowned self] in self.cure(number) }
    }

    private func cure(_ number: Int) { cures.removeValue(forKey: number)?() }

    private func shard(of node: SimulatedNode) -> SimulatedShard? {
        simulation.random.pick(node.shards.compactMap { simulation.shards[$0] }.filter { $0.process.runs })
    }

    private func crash(
        _ process: SimulatedProcess, of node: SimulatedNode, isLong: Bool = false, _ restart: @escaping () -> Void
    ) {
        guard process.isAlive else { return }
        simulation.tell(process, "is killed")
        process.end()
        simulation.memberVersion += 1
        // The watchdog starts it again soon; sometimes it has reasons not to.
        last(!isLong && simulation.random.isOne(in: 2) ? 100...800 : isLong ? 4000...15_000 : 1000...9000) { restart() }
    }

    private func stop(_ process: SimulatedProcess) {
        guard process.runs else { return }
        simulation.tell(process, "is stopped")
        process.stop()
        let life = process.life
        last(200...9000) { [unowned self] in
            guard process.life == life, !simulation.node(process.node).isPaused else { return }
            simulation.tell(process, "goes on")
            process.goOn()
            simulation.checkWriters()
        }
    }

    private func pause(_ node: SimulatedNode) {
        guard node.isPowered, !node.isPaused else { return }
        node.pause()
        last(200...30_000) { node.resume() }
    }

    private func powerOff(_ node: SimulatedNode) {
        guard node.isPowered else { return }
        node.powerOff()
        last(1000...20_000) { node.powerOn() }
    }

    /// From all others or from some, in both directions or in one.
    private func cut(_ node: SimulatedNode, isWhole: Bool) {
        let others = simulation.nodes.filter { $0.id != node.id && (isWhole || simulation.random.isOne(in: 2)) }
        let way = simulation.random.below(4)
        var pairs: [(NodeID, NodeID)] = []
        if way != 1 { pairs += others.map { (node.id, $0.id) } }
        if way != 2 { pairs += others.map { ($0.id, node.id) } }
        guard !pairs.isEmpty else { return }
        let names = others.map(\.id.description).joined(separator: " ")
        simulation.tell(
            node.id, "is cut off from \(names)" + (way == 1 ? ", hears nothing" : way == 2 ? ", is not heard" : ""))
        for pair in pairs { simulation.network[pair.0, pair.1].isCut = true }
        last { [unowned self] in
            simulation.tell(node.id, "has its links to \(names) again")
            for pair in pairs { simulation.network[pair.0, pair.1].isCut = false }
            simulation.checkWriters()
        }
    }

    private func disturb(_ node: SimulatedNode) {
        let loss = UInt64(simulation.random.below(600))
        let delay = Span.milliseconds(Int64(simulation.random.below(400)))
        simulation.tell(node.id, "loses \(loss) of 1000 messages, delays others by \(delay.microseconds / 1000) ms")
        set(node, loss, delay)
        last { [unowned self] in set(node, 0, .zero) }
    }

    private func set(_ node: SimulatedNode, _ loss: UInt64, _ delay: Span) {
        for other in simulation.nodes where other.id != node.id {
            for pair in [(node.id, other.id), (other.id, node.id)] {
                simulation.network[pair.0, pair.1].loss = loss
                simulation.network[pair.0, pair.1].delay = delay
            }
        }
    }

    private func stallWatch(_ node: SimulatedNode) {
        let isWhole = !simulation.random.isOne(in: 3)
        simulation.tell(node.id, isWhole ? "gets no answer from the store" : "gets no news from the store")
        if isWhole { node.isStoreAway = true } else { node.isWatchStalled = true }
        last(1000...15_000) { [unowned self] in
            simulation.tell(node.id, "has the store again")
            node.isWatchStalled = false
            node.isStoreAway = false
        }
    }

    private func slowOrJump(_ node: SimulatedNode) {
        if simulation.random.isOne(in: 2) {
            simulation.tell(node.id, "has a slow disk")
            node.diskDelay = simulation.random.milliseconds(50...1500)
            last { node.diskDelay = .zero }
        } else {
            let jump = Int64(simulation.random.below(7_200_000)) - 3_600_000
            simulation.tell(node.id, "its wall clock jumps by \(jump / 1000) s")
            node.clock.wallError += jump
        }
    }
}
