import ClusterModel
import ManagerCore
import Primitives
import ProxyControl

/// Keeps the proxy of the node at the newest routes.
extension SimulatedManager {
    func talkToProxy(_ snapshot: SimulatedStore.Snapshot) {
        let state = snapshot.state
        let proxy = simulation.node(node).proxy
        guard proxy.process.isAlive else { return link = nil }
        guard let link, link.life == proxy.process.life else {
            let link = ProxyConnection(self, proxy)
            self.link = link
            toldLease = nil
            toldRevision = -1
            link.begin(wantedRoutes(snapshot)) { [unowned self] in proxyConfirmed() }
            return
        }
        guard toldRevision != snapshot.revision else { return }
        // What waits for its shards is looked at again.
        let isComplete = !snapshot.databases.contains { $0.isServed(by: node) && !isReady($0) }
        toldRevision = isComplete ? snapshot.revision : -1
        let wanted = wantedRoutes(snapshot)
        let names = Set(wanted.map(\.database))
        for id in link.told.keys.sorted() where !names.contains(id) {
            // Shards that were created while the database is still pending are waited for, not taken back.
            if state.databases[id].map({ !$0.isServed(by: node) }) ?? true {
                link.remove(id, state.databases[id]?.epoch ?? .zero)
            }
        }
        for routes in wanted { link.set(routes) }
        proxyConfirmed()
    }

    private func proxyConfirmed() {
        guard let state, let head = state.head, let link, head.fence > appliedFence,
            link.routesByFences(state, node: node)
        else { return }
        appliedFence = head.fence
    }

    private func wantedRoutes(_ snapshot: SimulatedStore.Snapshot) -> [DatabaseRoutes] {
        snapshot.databases.filter { $0.isServed(by: node) && isReady($0) }.map { routes(of: $0) }
    }

    /// For a new database routes never point at nothing. A shard that changes its role is not waited for: to hold its
    /// requests needs none, and it may itself wait for these routes.
    private func isReady(_ database: DatabaseConfiguration) -> Bool {
        guard database.status == .pending else { return true }
        let own = database.primaries.filter { $0.node == node && database.transition(of: $0.slots) == nil }
        return own.allSatisfy { isSettled($0, of: database) }
    }

    private func routes(of database: DatabaseConfiguration) -> DatabaseRoutes {
        let shards = database.primaries.sorted { $0.slots.first < $1.slots.first }.map { shard in
            ShardRoute(
                shard: shard.id, slots: shard.slots, address: .remote(host: "node\(shard.node)", port: shard.port),
                isHeld: database.transition(of: shard.slots) != nil)
        }
        return DatabaseRoutes(
            database: database.id, epoch: database.epoch, name: database.policy.name, listenHost: nil,
            port: database.endpoint.port, shards: shards, password: "", shardPassword: "", maximumConnections: 0,
            memoryLimitBytes: 0, needsLease: database.needsLease,
            fenced: database.shards.filter(\.isFenced).map(\.id))
    }
}
