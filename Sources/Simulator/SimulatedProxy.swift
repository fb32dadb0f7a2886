import ClusterModel
import Primitives
import ProxyControl

/// The proxy of one node by its contract: `ProxyCommand`, `DatabaseRoutes` and `ShardRoute` say what it does with held
/// slots, fenced shards and the serving lease.
final class SimulatedProxy {
    /// A connection to one shard and what was sent on it without an answer.
    final class Upstream {
        let shard: SimulatedShard
        let life: Int
        let requests: SimulatedNetwork.Pipe
        let replies: SimulatedNetwork.Pipe
        var isClosed = false
        var inFlight: [SimulatedWrite] = []

        init(_ shard: SimulatedShard, from proxy: SimulatedProxy) {
            self.shard = shard
            life = shard.process.life
            requests = proxy.simulation.network.open(from: proxy.node, to: shard.process)
            replies = proxy.simulation.network.open(from: shard.process.node, to: proxy.process)
        }
    }

    private static let holdSpan = Span.seconds(10)

    let node: NodeID
    let process: SimulatedProcess
    unowned(unsafe) let simulation: Simulation
    private(set) var routes: [DatabaseID: DatabaseRoutes] = [:]
    private(set) var lease: BootTime?
    private var upstreams: [ShardID: Upstream] = [:]
    private var held: [SimulatedWrite] = []
    /// Epochs to confirm when what was sent to held shards has been answered.
    private var draining: [(database: DatabaseID, epoch: Epoch)] = []
    /// Tells the manager; nil: none is connected.
    var confirm: ((DatabaseID, Epoch) -> Void)?

    init(_ node: NodeID, _ simulation: Simulation) {
        self.node = node
        self.simulation = simulation
        process = SimulatedProcess(node: node, name: "proxy")
        process.onEnd = { [unowned self] in ended() }
    }

    private func ended() {
        routes = [:]
        lease = nil
        confirm = nil
        draining = []
        let lost = held
        held = []
        for write in lost { write.end(.failed) }
        for shard in upstreams.keys.sorted() { close(shard, sentWrites: .unknown) }
    }

    private var boot: BootTime { simulation.node(node).clock.boot(at: simulation.now) }

    /// It would pass on a reply to a write of the database now.
    func mayWrite(_ routes: DatabaseRoutes) -> Bool {
        !routes.needsLease || (lease.map { boot < $0 } ?? false)
    }

    // MARK: What the manager tells

    func set(lease end: BootTime) {
        lease = end
        simulation.checkWriters()
    }

    func update(_ new: DatabaseRoutes) {
        if let old = routes[new.database], old.epoch > new.epoch {
            return simulation.tell(process, "refuses routes of \(new.epoch), has \(old.epoch)")
        }
        simulation.tell(process, Self.description(new))
        routes[new.database] = new
        draining.removeAll { $0.database == new.database }
        for shard in new.fenced { close(shard, sentWrites: .unknown) }
        draining.append((new.database, new.epoch))
        simulation.checkWriters()
        releaseHeld()
        confirmDrained()
    }

    func remove(_ database: DatabaseID, _ epoch: Epoch) {
        guard let old = routes[database], old.epoch <= epoch else { return }
        routes[database] = nil
        draining.removeAll { $0.database == database }
        for shard in upstreams.keys.sorted() where upstreams[shard]?.shard.database == database {
            close(shard, sentWrites: .unknown)
        }
        releaseHeld()
        simulation.tell(process, "serves database \(database) no longer")
        confirm?(database, epoch)
    }

    func keepOnly(_ databases: Set<DatabaseID>) {
        for id in routes.keys.sorted() where !databases.contains(id) {
            if let epoch = routes[id]?.epoch { remove(id, epoch) }
        }
    }

    private func confirmDrained() {
        let waiting = draining
        draining = []
        for (database, epoch) in waiting {
            let isBusy = routes[database]?.shards.contains { route in
                route.isHeld && upstreams[route.shard].map { !$0.inFlight.isEmpty } ?? false
            }
            if isBusy == true { draining.append((database, epoch)) } else { confirm?(database, epoch) }
        }
    }

    // MARK: Writes

    func receive(_ write: SimulatedWrite) {
        guard let routes = routes[write.database],
            let route = routes.shards.first(where: { $0.slots == write.slots })
        else { return write.end(.failed) }
        if route.isHeld {
            held.append(write)
            simulation.after(Self.holdSpan, for: process) { [unowned self] in
                guard let index = held.firstIndex(where: { $0 === write }) else { return }
                held.remove(at: index)
                write.end(.failed)
            }
            return
        }
        guard mayWrite(routes), let upstream = upstream(to: route.shard) else { return write.end(.failed) }
        send(write, on: upstream)
    }

    private func releaseHeld() {
        let waiting = held
        held = []
        for write in waiting { if write.outcome == nil { receive(write) } }
    }

    private func upstream(to id: ShardID) -> Upstream? {
        if let open = upstreams[id], open.shard.process.life == open.life { return open }
        close(id, sentWrites: .unknown)
        guard let shard = simulation.shards[id], shard.process.isAlive,
            simulation.network.isOpenBothWays(node, shard.process.node)
        else { return nil }
        let upstream = Upstream(shard, from: self)
        upstreams[id] = upstream
        return upstream
    }

    private func send(_ write: SimulatedWrite, on upstream: Upstream) {
        upstream.inFlight.append(write)
        write.shard = upstream.shard.id
        let isDurable = simulation.isDurable(write.database)
        let needsReplica = isDurable && simulation.settings.bug != .acknowledgementBeforeReplica
        simulation.network.send(over: upstream.requests) { [unowned self] in
            upstream.shard.write(write.number, needsReplica: needsReplica) { [unowned self] reply in
                simulation.network.send(over: upstream.replies) { [unowned self] in
                    received(reply, to: write, on: upstream)
                }
            }
        }
    }

    private func received(_ reply: SimulatedShard.Reply, to write: SimulatedWrite, on upstream: Upstream) {
        guard !upstream.isClosed else { return }
        upstream.inFlight.removeAll { $0 === write }
        switch reply {
        case .refused: write.end(.failed)
        case .noReplicas, .unblocked: write.end(.unknown)
        case .written:
            let isPassed = routes[write.database].map(mayWrite) ?? false
            write.end(isPassed ? .acknowledged : .unknown)
        }
        confirmDrained()
    }

    /// Its connection is gone: nobody will ever answer what was sent.
    func close(_ shard: ShardID, sentWrites outcome: SimulatedWrite.Outcome) {
        guard let upstream = upstreams.removeValue(forKey: shard) else { return }
        upstream.isClosed = true
        simulation.network.close(upstream.requests)
        simulation.network.close(upstream.replies)
        let lost = upstream.inFlight
        upstream.inFlight = []
        for write in lost { write.end(outcome) }
        confirmDrained()
    }

    /// A shard's process has ended and its machine says so.
    func lost(_ shard: SimulatedShard, life: Int) {
        guard let upstream = upstreams[shard.id], upstream.life == life else { return }
        close(shard.id, sentWrites: .unknown)
    }

    // MARK: Words

    private static func description(_ routes: DatabaseRoutes) -> String {
        let shards = routes.shards.map { "\($0.slots)→shard \($0.shard)\($0.isHeld ? " held" : "")" }
        let fenced = routes.fenced.isEmpty ? "" : ", fenced \(routes.fenced)"
        return "routes of database \(routes.database), epoch \(routes.epoch): "
            + shards.joined(separator: ", ") + fenced + (routes.needsLease ? "" : ", no lease needed")
    }
}
