import ClusterModel
import ManagerCore
import Primitives
import ProxyControl

/// A manager's connection to the proxy of its node, and what the proxy has confirmed on it.
final class ProxyConnection {
    let proxy: SimulatedProxy
    let life: Int
    private let pipe: SimulatedNetwork.Pipe
    private unowned let simulation: Simulation
    private let events: SimulatedNetwork.Pipe
    /// Has been told everything once.
    private(set) var isReady = false
    private(set) var told: [DatabaseID: DatabaseRoutes] = [:]
    private(set) var applied: [DatabaseID: Epoch] = [:]
    private(set) var removing: Set<DatabaseID> = []

    init(_ manager: SimulatedManager, _ proxy: SimulatedProxy) {
        self.proxy = proxy
        life = proxy.process.life
        simulation = manager.simulation
        pipe = simulation.network.open(from: manager.node, to: proxy.process)
        events = simulation.network.open(from: manager.node, to: manager.process)
    }

    func tell(_ command: @escaping (SimulatedProxy) -> Void) {
        simulation.network.send(over: pipe) { [proxy] in command(proxy) }
    }

    /// The proxy has taken in all that it was told before.
    func whenHeard(_ then: @escaping () -> Void) {
        let events = events
        tell { [simulation] _ in simulation.network.send(over: events) { then() } }
    }

    func begin(_ wanted: [DatabaseRoutes], _ changed: @escaping () -> Void) {
        isReady = true
        let names = Set(wanted.map(\.database))
        for routes in wanted { told[routes.database] = routes }
        let events = events
        tell { [weak self, unowned simulation] proxy in
            proxy.confirm = { [weak self, unowned simulation] database, epoch in
                simulation.network.send(over: events) { [weak self] in
                    self?.confirmed(database, epoch)
                    changed()
                }
            }
            proxy.keepOnly(names)
            for routes in wanted { proxy.update(routes) }
        }
    }

    func set(_ routes: DatabaseRoutes) {
        guard told[routes.database] != routes else { return }
        told[routes.database] = routes
        removing.remove(routes.database)
        tell { $0.update(routes) }
    }

    func remove(_ database: DatabaseID, _ epoch: Epoch) {
        guard let last = told.removeValue(forKey: database) else { return }
        removing.insert(database)
        tell { $0.remove(database, max(epoch, last.epoch)) }
    }

    private func confirmed(_ database: DatabaseID, _ epoch: Epoch) {
        if removing.contains(database), told[database] == nil {
            removing.remove(database)
            applied[database] = nil
        } else {
            applied[database] = max(applied[database] ?? .zero, epoch)
        }
    }

    /// The proxy routes by the epoch, or doesn't serve the database.
    func routes(_ database: DatabaseID, by epoch: Epoch, isServed: Bool) -> Bool {
        guard isReady else { return false }
        return isServed ? applied[database].map { $0 >= epoch } ?? false : told[database] == nil && removing.isEmpty
    }

    /// The proxy routes by all of this state.
    func routesBy(_ state: ClusterState, node: NodeID) -> Bool {
        isReady && removing.isEmpty
            && state.databases.values.allSatisfy {
                routes($0.id, by: $0.epoch, isServed: $0.isServed(by: node))
            } && told.keys.allSatisfy { state.databases[$0] != nil }
    }

    /// The proxy routes by every failover of this state.
    func routesByFences(_ state: ClusterState, node: NodeID) -> Bool {
        isReady && removing.isEmpty
            && state.databases.values.allSatisfy {
                routes($0.id, by: $0.fence, isServed: $0.isServed(by: node))
            } && told.keys.allSatisfy { state.databases[$0] != nil }
    }
}

extension DatabaseConfiguration {
    /// Nodes hold something for it; a failed creation is taken back whole.
    var isWanted: Bool { status != .deletePending && status != .creationFailed }

    func isServed(by node: NodeID) -> Bool { isWanted && endpoint.nodes.contains(node) }
}
