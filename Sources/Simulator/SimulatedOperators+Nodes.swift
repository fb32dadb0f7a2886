import ClusterModel
import ManagerCore
import Primitives

/// People move shards, take nodes out of service and back, remove them, and think better of it.
extension SimulatedOperators {
    func migrate() {
        guard let database = pick({ $0.status == .active }), let shard = simulation.random.pick(database.shards),
            let target = simulation.random.pick(simulation.store.newest.state.sortedNodes)
        else { return }
        let isCancelled = simulation.random.isOne(in: 4)
        edit("moves shard \(shard.id) of database \(database.id) to node \(target.id)") { [unowned self] state in
            try Planner.migrate(shard.id, to: target.id, in: state, fresh: simulation.fresh(), now: Self.wall)
        } _: { [unowned self] in
            if isCancelled { cancelLater { $0.kind == .migrateShard && $0.parent == nil } }
        }
    }

    /// A node that is in maintenance comes back; another one goes, or it is asked for again.
    func maintain() {
        let nodes = simulation.store.newest.state.sortedNodes
        let away = nodes.filter { $0.maintenance != nil }
        if let node = simulation.random.pick(away), !simulation.random.isOne(in: 4) { return restore(node.id) }
        guard let node = simulation.random.pick(nodes) else { return }
        let isCancelled = simulation.random.isOne(in: 6)
        drain(node.id) { [unowned self] in
            if isCancelled { cancelLater { $0.kind == .maintenanceOn && $0.node == node.id } }
        }
    }

    func drain(_ node: NodeID, _ done: @escaping () -> Void = {}) {
        edit(
            "drains node \(node)",
            { [unowned self] state in
                try Planner.beginMaintenance(of: node, in: state, fresh: simulation.fresh(), now: Self.wall)
            }, done)
    }

    func restore(_ node: NodeID) {
        edit("takes node \(node) out of maintenance") { [unowned self] state in
            try Planner.endMaintenance(of: node, in: state, fresh: simulation.fresh(), now: Self.wall)
        }
    }

    /// A node that is down is removed only when its machine is off, as the documentation asks for: what its proxy still
    /// does nobody could know.
    func remove() {
        let state = simulation.store.newest.state
        guard state.nodes.count > (simulation.random.isOne(in: 4) ? 2 : 3),
            let node = simulation.random.pick(state.sortedNodes), !leaving.contains(node.id),
            node.status != .down || !simulation.node(node.id).isPowered
        else { return }
        let isForced = simulation.settings.kind == .chaos && node.status == .down
        let isCancelled = simulation.random.isOne(in: 2)
        leaving.insert(node.id)
        // Its clients are sent elsewhere first.
        simulation.after(.seconds(1), for: nil) { [unowned self] in
            edit("removes node \(node.id)") { [unowned self] state in
                guard !simulation.node(node.id).isPowered || state.nodes[node.id]?.status != .down else { return nil }
                return try Planner.removeNode(
                    node.id, isForced: isForced, in: state, fresh: simulation.fresh(), now: Self.wall)
            } _: { [unowned self] in
                if isCancelled { cancelLater { $0.kind == .removeNode && $0.node == node.id } }
            }
        }
        simulation.after(.seconds(12), for: nil) { [unowned self] in leaving.remove(node.id) }
    }

    private func cancelLater(_ isMeant: @escaping (ActionRecord) -> Bool) {
        simulation.after(simulation.random.milliseconds(20...4000), for: nil) { [unowned self] in
            let running = simulation.store.newest.state.actions.values.filter { !$0.status.isFinal && isMeant($0) }
            guard let action = running.min(by: { $0.id.description < $1.id.description }) else { return }
            edit("cancels action \(action.id), \(action.kind.rawValue)") { state in
                try Planner.cancel(action.id, in: state, now: Self.wall)
            }
        }
    }

    /// When all is whole: nodes in maintenance come back, or are drained once more, as failovers may have brought
    /// primaries onto them.
    /// - Returns: Whether something was asked for.
    func tidyUp() -> Bool {
        let away = simulation.store.newest.state.sortedNodes.filter { $0.maintenance != nil }
        for node in away {
            guard simulation.random.isOne(in: 2) else {
                restore(node.id)
                continue
            }
            drain(node.id) { [unowned self] in drainedAgain.insert(node.id) }
        }
        return !away.isEmpty
    }

    /// A node can't be emptied while all that could take its shards are in maintenance: they come back.
    func makeRoom() {
        let state = simulation.store.newest.state
        guard
            state.actions.values.contains(where: { !$0.status.isFinal && $0.node != nil && $0.kind != .maintenanceOff })
        else { return }
        for node in state.sortedNodes where node.maintenance != nil && !node.isLeaving { restore(node.id) }
    }
}
