import ClusterModel

/// Who reaches whom, how fast, how surely; for each direction of each pair of nodes.
///
/// Two kinds of traffic. A datagram stands for one short request or answer of a pooled HTTP connection: it comes, late
/// or early, or it doesn't. A ``Pipe`` is one direction of a TCP connection: what it carries comes in order, however
/// late, until the connection is closed. What was sent into a cut link is sent again by the kernel when the link heals:
/// an old write may arrive long after everybody has forgotten it.
final class SimulatedNetwork {
    struct Link {
        var isCut = false
        /// Parts of a thousand.
        var loss: UInt64 = 0
        /// Added to every delay.
        var delay = Span.zero
    }

    private unowned(unsafe) let simulation: Simulation
    /// Raised with every change, for those who remember what follows from the links.
    private(set) var version = 0
    private var links = Array(repeating: Link(), count: 64)
    private var stalled: [Pipe] = []

    init(_ simulation: Simulation) {
        self.simulation = simulation
    }

    private func key(_ from: NodeID, _ to: NodeID) -> Int { from.rawValue << 3 | to.rawValue }

    subscript(from: NodeID, to: NodeID) -> Link {
        get { links[key(from, to)] }
        set {
            let wasCut = self[from, to].isCut
            links[key(from, to)] = newValue
            version += 1
            if wasCut && !newValue.isCut { flush(from, to) }
        }
    }

    func isOpen(_ from: NodeID, _ to: NodeID) -> Bool { from == to || !self[from, to].isCut }
    func isOpenBothWays(_ one: NodeID, _ other: NodeID) -> Bool { isOpen(one, other) && isOpen(other, one) }

    /// 50 to 250 µs between two machines, with one in a hundred ten times slower; a tenth of that within one.
    func delay(_ from: NodeID, _ to: NodeID) -> Span {
        let base = Int64(simulation.random.below(200)) + 50
        if from == to { return Span(microseconds: base / 10 + 1) }
        let slow = simulation.random.below(100) == 0 ? base * 10 : base
        return Span(microseconds: slow) + self[from, to].delay
    }

    private func isLost(_ from: NodeID, _ to: NodeID) -> Bool {
        guard from != to else { return false }
        let loss = self[from, to].loss
        return loss > 0 && simulation.random.below(1000) < loss
    }

    /// One message that may be lost.
    func sendDatagram(from: NodeID, to process: SimulatedProcess, _ body: @escaping () -> Void) {
        guard isOpen(from, process.node), process.isAlive, !isLost(from, process.node) else { return }
        simulation.after(delay(from, process.node), for: process, body)
    }

    // MARK: Pipes

    final class Pipe {
        let from: NodeID
        let process: SimulatedProcess
        let life: Int
        fileprivate var lastArrival = Moment.start
        fileprivate var parked: [() -> Void] = []
        fileprivate(set) var isClosed = false

        fileprivate init(from: NodeID, to process: SimulatedProcess) {
            self.from = from
            self.process = process
            life = process.life
        }
    }

    func open(from: NodeID, to process: SimulatedProcess) -> Pipe { Pipe(from: from, to: process) }

    /// Closed by its sender; what was sent before still comes, however late: the kernel has it.
    func close(_ pipe: Pipe) { pipe.isClosed = true }

    /// The machine lost its power, and with it what its kernel had still to send.
    func forget(_ node: NodeID) {
        for pipe in stalled where pipe.from == node { pipe.parked = [] }
        stalled.removeAll { $0.from == node }
    }

    /// The run is over.
    func letGo() {
        for pipe in stalled { pipe.parked = [] }
    }

    func send(over pipe: Pipe, _ body: @escaping () -> Void) {
        guard !pipe.isClosed, pipe.process.life == pipe.life else { return }
        guard pipe.parked.isEmpty, isOpen(pipe.from, pipe.process.node) else {
            if pipe.parked.isEmpty { stalled.append(pipe) }
            pipe.parked.append(body)
            return
        }
        transmit(pipe, body)
    }

    private func transmit(_ pipe: Pipe, _ body: @escaping () -> Void) {
        var span = delay(pipe.from, pipe.process.node)
        var timeout: Int64 = 200
        while isLost(pipe.from, pipe.process.node), timeout < 5000 {
            span = span + .milliseconds(timeout)
            timeout *= 2
        }
        pipe.lastArrival = max(pipe.lastArrival, simulation.now + span)
        simulation.at(pipe.lastArrival, for: pipe.process, body)
    }

    /// The kernel tries again when its timer says so, up to some seconds after the link is back.
    private func flush(_ from: NodeID, _ to: NodeID) {
        let ready = stalled.filter { $0.from == from && $0.process.node == to }
        stalled.removeAll { $0.from == from && $0.process.node == to }
        for pipe in ready {
            let bodies = pipe.parked
            pipe.parked = []
            guard pipe.process.life == pipe.life else { continue }
            pipe.lastArrival = simulation.now + .milliseconds(Int64(simulation.random.below(2000)))
            for body in bodies { transmit(pipe, body) }
        }
    }
}
