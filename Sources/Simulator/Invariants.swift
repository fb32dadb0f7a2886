import ClusterModel
import ManagerCore
import Primitives

/// What must be true at every step, and what must be true in the end.
final class Invariants {
    unowned let simulation: Simulation
    private(set) var failovers = 0
    private var lastChecked: SimulatedStore.Snapshot?

    init(_ simulation: Simulation) {
        self.simulation = simulation
    }

    // MARK: At every step

    /// G6: of all shards of a run of slots that are primaries, proxies may pass on the replies of one at most.
    ///
    /// Whether a proxy can reach the shard doesn't count: a reply may be on its way.
    func checkWriters() {
        var found: [Found] = []
        for node in simulation.nodes where node.proxy.process.runs {
            for (_, routes) in node.proxy.routes where node.proxy.mayWrite(routes) {
                for route in routes.shards where !route.isHeld {
                    guard let shard = simulation.shards[route.shard], shard.process.runs, shard.role == .primary,
                        !shard.isLoading
                    else { continue }
                    found.append(
                        Found(database: routes.database, slots: route.slots, shard: route.shard, node: node.id))
                }
            }
        }
        for one in found {
            let other = found.first {
                $0.database == one.database && $0.slots == one.slots && $0.shard < one.shard
            }
            guard let other else { continue }
            simulation.violate(
                "two primaries of database \(one.database), slots \(one.slots): the proxy of node \(other.node) writes "
                    + "to shard \(other.shard), that of node \(one.node) to shard \(one.shard)")
        }
    }

    private struct Found {
        let database: DatabaseID
        let slots: SlotRange
        let shard: ShardID
        let node: NodeID
    }

    /// Copies of the configuration only ever get newer.
    func check(_ new: SimulatedStore.Snapshot, replaces old: ClusterState?, at node: NodeID) {
        if let head = new.state.head, let before = old?.head, head.epoch < before.epoch {
            simulation.violate("node \(node) goes back from epoch \(before.epoch) to \(head.epoch)")
        }
        guard new.revision > lastChecked?.revision ?? -1 else { return }
        checkRecords(new)
        lastChecked = new
    }

    private func checkRecords(_ snapshot: SimulatedStore.Snapshot) {
        let new = snapshot.state
        for database in snapshot.databases {
            let named = database.shards.map(\.node) + database.endpoint.nodes
            if let gone = named.first(where: { new.nodes[$0] == nil }) {
                simulation.violate("database \(database.id) names node \(gone), which was removed")
            }
            if let before = lastChecked?.state.databases[database.id] {
                if database.epoch < before.epoch { simulation.violate("database \(database.id) goes back an epoch") }
                if database.fence > before.fence { failovers += 1 }
                if database.shards != before.shards { checkConfirmed(in: database) }
            }
            for replica in database.shards where replica.role == .replica {
                guard let primary = database.primary(of: replica) else {
                    simulation.violate("replica \(replica.id) has no primary")
                    continue
                }
                // A shard that moves may do so within its rack.
                let isMoving = new.unfinishedActions(of: database.id).contains {
                    $0.shard == replica.id || $0.source == replica.id || $0.shard == primary.id
                }
                let racks = [new.nodes[primary.node]?.rackID, new.nodes[replica.node]?.rackID]
                let isSameRack = !isMoving && racks[0] == racks[1] && racks[0]?.isEmpty == false
                if primary.node == replica.node || isSameRack {
                    simulation.violate("replica \(replica.id) is beside its primary \(primary.id)")
                }
            }
        }
    }

    // MARK: In the end

    /// What keeps the cluster from being whole; nil: nothing.
    func unrest() -> String? {
        let state = simulation.store.newest.state
        for node in simulation.nodes where state.nodes[node.id] != nil {
            guard node.isPowered, !node.isPaused, node.manager.process.runs, node.proxy.process.runs else {
                return "node \(node.id) doesn't run"
            }
            guard node.manager.snapshot === simulation.store.newest else {
                return "the copy of node \(node.id) is behind"
            }
            guard state.nodes[node.id]?.status == .active else { return "node \(node.id) is not active" }
            guard node.manager.link?.routesBy(state, node: node.id) == true else {
                return "the proxy of node \(node.id) is behind"
            }
            guard !state.group(of: node.id).canOutvote || node.proxy.lease.map({ $0 > node.manager.boot }) == true
            else { return "node \(node.id) has no lease" }
        }
        for node in simulation.nodes where state.nodes[node.id] == nil && node.manager.process.runs {
            // One that hasn't joined yet has nothing either.
            guard node.shards.isEmpty, node.proxy.routes.isEmpty else {
                return "node \(node.id), which was removed, still serves something"
            }
        }
        guard simulation.nodes.contains(where: \.manager.leads) else { return "nobody leads" }
        if let suspected = state.suspicions.keys.sorted().first { return "a vote against node \(suspected) stands" }
        let unfinished = state.actions.values.filter { !$0.status.isFinal }
            .sorted { $0.id.description < $1.id.description }
        if let action = unfinished.first {
            return "action \(action.id) \(action.kind.rawValue) has not ended: \(action.message)"
        }
        if Planner.rebindEndpoints(in: state, now: SimulatedOperators.wall) != nil {
            return "an endpoint is not where its policy wants it"
        }
        return unrestOfDatabases()
    }

    private func unrestOfDatabases() -> String? {
        for database in simulation.store.newest.databases {
            guard database.status != .creationFailed else { continue }
            guard database.status == .active else { return "database \(database.id) is \(database.status.rawValue)" }
            guard database.transitions.isEmpty else { return "a transition of database \(database.id) has not ended" }
            for shard in database.shards {
                guard !shard.isCopying else { return "shard \(shard.id) is a copy of nobody's migration" }
                guard simulation.node(shard.node).manager.isSettled(shard, of: database) else {
                    return "shard \(shard.id) on node \(shard.node) is not as it should be"
                }
            }
        }
        return nil
    }

    /// A node that was drained, and again when all was whole, has no primaries, and no replica that a primary takes no
    /// writes without, unless it was said that this stays; one that was not, or came back, is like any other.
    func checkNodes() {
        let state = simulation.store.newest.state
        for node in state.sortedNodes {
            let drain = state.actions.values.filter { $0.node == node.id && $0.kind == .maintenanceOn }
                .max { ($0.epoch, $0.createdAt) < ($1.epoch, $1.createdAt) }
            if node.maintenance != nil, let drain, drain.status == .completed,
                simulation.operators.drainedAgain.contains(node.id)
            {
                for database in simulation.store.newest.databases where database.status == .active {
                    let isStrict = database.policy.durability == .replica && !drain.message.contains("stay")
                    for shard in database.shards where shard.node == node.id && (shard.role == .primary || isStrict) {
                        return simulation.violate("node \(node.id) was drained and has \(shard.role) \(shard.id)")
                    }
                }
            }
            if node.isLeaving || (node.maintenance == nil && !node.acceptsShards) {
                return simulation.violate("node \(node.id) takes no shards, and nothing is under way that says why")
            }
        }
    }

    /// G1: what was acknowledged is there. Promised for `replica` databases while one machine at a time fails, and for
    /// all databases while none does.
    func checkKept() {
        let isCalm = simulation.settings.kind == .calm
        guard simulation.settings.kind != .chaos else { return }
        for database in simulation.store.newest.databases where isCalm || simulation.isDurable(database.id) {
            for primary in database.primaries {
                let kept = Set(simulation.shards[primary.id]?.log ?? [])
                let acknowledged = simulation.clients.acknowledged[database.id] ?? []
                for write in acknowledged where write.slots == primary.slots && !kept.contains(write.number) {
                    return simulation.violate(
                        "write \(write.number) to database \(database.id), slots \(primary.slots), was acknowledged at "
                            + "\(write.at) by shard \(write.shard) and is not in shard \(primary.id)")
                }
            }
        }
        if isCalm, simulation.clients.counts.failed + simulation.clients.counts.unknown > 0 {
            simulation.violate("clients saw errors though nothing went wrong: \(simulation.clients.firstError)")
        }
    }

    // MARK: For the story

    /// The state, for a person who wants to know how it came to this.
    func describe() -> [String] {
        let state = simulation.store.newest.state
        var lines = [
            "store: revision \(state.revision), epoch \(state.head?.epoch ?? .zero), "
                + "fence \(state.head?.fence ?? .zero), leader \(state.leader.map { "node \($0)" } ?? "none")"
        ]
        for database in simulation.store.newest.databases {
            lines.append(
                "database \(database.id): \(database.status.rawValue), epoch \(database.epoch), fence \(database.fence)"
                    + (simulation.isDurable(database.id) ? ", durability replica" : ""))
            for shard in database.shards {
                lines.append(
                    "  shard \(shard.id) \(shard.role) on node \(shard.node), slots \(shard.slots)"
                        + (shard.isFenced ? ", fenced" : ""))
            }
            for transition in database.transitions {
                lines.append(
                    "  transition \(transition.from) → \(transition.to), "
                        + "\(transition.isPlanned ? "planned" : "failover"), \(transition.phase)")
            }
        }
        return lines + simulation.nodes.flatMap { describe($0, state) }
    }

    private func describe(_ node: SimulatedNode, _ state: ClusterState) -> [String] {
        let boot = node.clock.boot(at: simulation.now)
        let manager = node.manager
        let word = !node.isPowered ? "off" : node.isPaused ? "paused" : "on"
        let votes = (state.suspicions[node.id] ?? []).sorted().map(\.description).joined(separator: " ")
        var lines = [
            "node \(node.id): \(word), \(state.nodes[node.id]?.status.rawValue ?? "?"), manager "
                + "\(manager.process.runs ? "at revision \(manager.snapshot?.revision ?? 0)" : "away"), applied fence "
                + "\(manager.appliedFence)" + (votes.isEmpty ? "" : ", votes of \(votes)")
        ]
        let lease = node.proxy.lease.map { $0 == .never ? "lease for ever" : "lease for \($0 - boot) ms" } ?? "no lease"
        lines.append("  proxy: \(node.proxy.process.runs ? lease : "away")")
        for (id, routes) in node.proxy.routes.sorted(by: { $0.key < $1.key }) {
            let shards = routes.shards.map { "\($0.shard)\($0.isHeld ? " held" : "")" }.joined(separator: ", ")
            lines.append("  routes of database \(id), epoch \(routes.epoch): \(shards)")
        }
        for id in node.shards {
            guard let shard = simulation.shards[id] else { continue }
            let state =
                shard.process.runs ? "\(shard.role)" : shard.process.isAlive ? "stopped, \(shard.role)" : "ended"
            lines.append("  shard \(id): \(state), \(shard.log.count) writes, link \(shard.isLinkUp ? "up" : "down")")
        }
        return lines
    }
}
