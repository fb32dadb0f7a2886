import ClusterModel
import ManagerCore
import Primitives

/// One run of one cluster: everything that is in it, and the time.
package final class Simulation {
    let settings: SimulationSettings
    var random: SeededRandom
    private(set) var now = Moment.start
    private var queue = EventQueue()
    private(set) var eventCount = 0
    private var numbers = 0
    private var mustCheckWriters = false
    private var isTidy = false
    /// How often it was whole, and then not any more.
    private var restless = 0
    private(set) var violation: String?

    let story: Story
    private(set) var network: SimulatedNetwork!
    private(set) var store: SimulatedStore!
    private(set) var invariants: Invariants!
    private(set) var faults: FaultSchedule!
    private(set) var operators: SimulatedOperators!
    private(set) var clients: SimulatedClients!
    private(set) var nodes: [SimulatedNode] = []
    private(set) var shards: [ShardID: SimulatedShard] = [:]
    /// Raised when a member of the store comes or goes.
    var memberVersion = 0

    package init(_ settings: SimulationSettings) {
        self.settings = settings
        random = SeededRandom(seed: settings.seed)
        story = Story(isKept: settings.keepsStory)
        network = SimulatedNetwork(self)
        store = SimulatedStore(self)
        invariants = Invariants(self)
        faults = FaultSchedule(self)
        operators = SimulatedOperators(self)
        clients = SimulatedClients(self)
    }

    // MARK: Time

    func at(_ time: Moment, for process: SimulatedProcess?, _ body: @escaping () -> Void) {
        queue.add(at: max(time, now), for: process, body)
    }

    func after(_ span: Span, for process: SimulatedProcess?, _ body: @escaping () -> Void) {
        queue.add(at: now + span, for: process, body)
    }

    /// Runs until the time comes or something is violated.
    private func run(until end: Moment) {
        while violation == nil, let time = queue.nextTime, time <= end, let event = queue.takeFirst() {
            now = time
            eventCount += 1
            if let process = event.process { process.handle(event) } else { event.body() }
            if mustCheckWriters {
                mustCheckWriters = false
                invariants.checkWriters()
            }
        }
        now = max(now, end)
    }

    package func run() -> Outcome {
        let racks = random.isOne(in: 3)
        for number in 1...settings.nodes {
            // S is a quarter above L; two clocks that differ by less can't bring a lease past the loss.
            let drift = Int64(random.below(UInt64(40_001))) - 20_000
            let clock = NodeClock(drift: drift, bootOffset: Int64(random.below(UInt64(1_000_000_000))))
            nodes.append(
                SimulatedNode(
                    NodeID(number), rack: racks ? "r\(number % 3)" : "",
                    isVoter: number <= (settings.nodes < 5 ? 3 : 5),
                    clock: clock, self))
        }
        operators.bootstrap()
        for node in nodes { node.powerOn() }
        let faultsEnd = Moment.start + settings.span
        operators.begin(until: faultsEnd)
        clients.begin()
        faults.begin(until: faultsEnd)
        run(until: faultsEnd)
        if violation == nil {
            tell("all", "the faults are over")
            faults.healAll()
            converge()
        }
        let outcome = Outcome(
            settings: settings, violation: violation, time: now, events: eventCount, writes: clients.counts,
            failovers: invariants.failovers, story: story.lines)
        letGo()
        return outcome
    }

    /// Shards that follow each other and what was never sent hold one another: thousands of runs would fill the memory.
    private func letGo() {
        for shard in Array(shards.values) + removed { shard.letGo() }
        network.letGo()
    }

    /// After the last fault the cluster has two minutes to be whole again: hangs are found, leases granted, shards
    /// started after ten seconds of waiting, copied, and actions followed to their ends.
    private func converge() {
        let limit = now + .seconds(120)
        var roomAt = now + .seconds(20)
        while violation == nil {
            run(until: now + .milliseconds(500))
            guard violation == nil else { return }
            guard let missing = invariants.unrest() else { break }
            if now > roomAt {
                roomAt = now + .seconds(20)
                operators.makeRoom()
            }
            if now > limit { return violate("not whole again after two minutes: \(missing)") }
        }
        guard violation == nil else { return }
        if !isTidy, operators.tidyUp() {
            isTidy = true
            run(until: now + .seconds(1))
            return converge()
        }
        clients.end()
        run(until: now + .seconds(6))
        // What somebody had asked for may have reached the store only now.
        if violation == nil, invariants.unrest() != nil { return convergeAgain() }
        if violation == nil { invariants.checkNodes() }
        if violation == nil { invariants.checkKept() }
    }

    private func convergeAgain() {
        restless += 1
        guard restless < 5 else { return violate("whole, and then not: five times") }
        converge()
    }

    // MARK: What parts tell

    func tell(_ place: String, _ text: @autoclosure () -> String) { story.add(now, place, text()) }
    func tell(_ node: NodeID, _ text: @autoclosure () -> String) { story.add(now, "node \(node)", text()) }
    func tell(_ process: SimulatedProcess, _ text: @autoclosure () -> String) {
        story.add(now, "\(process.node) \(process.name)", text())
    }

    func violate(_ text: String) {
        guard violation == nil else { return }
        violation = text
        tell("VIOLATION", text)
        if story.isKept { for line in invariants.describe() { tell("state", line) } }
    }

    func checkWriters() { mustCheckWriters = true }

    func committed(_ snapshot: SimulatedStore.Snapshot) {
        for node in nodes where !node.isWatchStalled {
            after(random.milliseconds(1...8), for: node.manager.process) { [unowned self, unowned node] in
                if store.isReachable(from: node.id), !node.isWatchStalled { node.manager.saw(snapshot) }
            }
        }
    }

    func shardEnded(_ shard: SimulatedShard) {
        let node = node(shard.process.node)
        guard node.isPowered else { return }
        tell(shard.process, "has ended")
        let life = shard.process.life - 1
        for other in nodes { closeConnections(of: shard, life, at: other) }
        after(random.milliseconds(1...4), for: node.manager.process) { [unowned node] in
            node.manager.shardEnded(shard.id)
        }
    }

    private func closeConnections(of shard: SimulatedShard, _ life: Int, at other: SimulatedNode) {
        guard network.isOpen(shard.process.node, other.id) else {
            return after(.seconds(1), for: nil) { [unowned self] in closeConnections(of: shard, life, at: other) }
        }
        after(network.delay(shard.process.node, other.id), for: other.proxy.process) { [unowned other] in
            other.proxy.lost(shard, life: life)
        }
    }

    // MARK: Things

    func node(_ id: NodeID) -> SimulatedNode { nodes[id.rawValue - 1] }

    func nextNumber() -> Int {
        numbers += 1
        return numbers
    }

    func fresh() -> Fresh {
        Fresh(
            action: ActionID("a\(nextNumber())"), secrets: ShardSecrets(manager: "m", proxy: "p", replica: "r"))
    }

    func isDurable(_ database: DatabaseID) -> Bool { operators.durable.contains(database) }

    func shard(
        _ id: ShardID, of database: DatabaseID, on node: NodeID, persists: Bool, knownAt: Int64
    ) -> SimulatedShard {
        if let shard = shards[id] { return shard }
        let shard = SimulatedShard(id, of: database, on: node, persists: persists, knownAt: knownAt, self)
        shards[id] = shard
        self.node(node).shards.append(id)
        self.node(node).shards.sort()
        return shard
    }

    func removeShard(_ id: ShardID) {
        guard let shard = shards[id] else { return }
        shard.process.end()
        shards[id] = nil
        removed.append(shard)
        node(shard.process.node).shards.removeAll { $0 == id }
    }

    /// Kept until the end: events may speak of them.
    private var removed: [SimulatedShard] = []
}

/// How a run ended.
package struct Outcome: Sendable {
    package var settings: SimulationSettings
    package var violation: String?
    /// When it ended.
    package var time: Moment
    package var events: Int
    package var writes: WriteCounts
    package var failovers: Int
    package var story: [String]
}

package struct WriteCounts: Sendable, Equatable {
    package var acknowledged = 0
    package var failed = 0
    package var unknown = 0
}
