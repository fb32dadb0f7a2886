import ClusterModel
import Primitives

/// Something that is not as the rules want it, though nothing may be broken yet.
package struct Violation: Hashable, Sendable {
    package enum Code: String, Sendable {
        case nodeDown = "node_down"
        case replicaBesidePrimary = "replica_beside_primary"
        case rackViolated = "rack_violated"
        case replicaMissing = "replica_missing"
        case primaryDown = "primary_down"
        case tooFewVoters = "too_few_store_voters"
        case overcommitted = "memory_overcommitted"
        case slotsUncovered = "slots_uncovered"
    }

    package var code: Code
    /// What is wrong and what to do.
    package var text: String
}

/// Looks for violations in what the cluster has agreed on; what runs is for its nodes to say.
package enum ClusterCheck {
    /// In order: nodes, store, databases.
    package static func violations(in state: ClusterState) -> [Violation] {
        nodes(in: state) + store(in: state)
            + state.databases.values.sorted { $0.id < $1.id }.filter(\.hasData).flatMap { check($0, in: state) }
    }

    private static func nodes(in state: ClusterState) -> [Violation] {
        state.sortedNodes.flatMap { node -> [Violation] in
            var found: [Violation] = []
            if node.status == .down {
                found.append(
                    Violation(
                        code: .nodeDown,
                        text: "Node \(node.id) (\(node.address)) is down since \(node.statusSince). Bring it back, or "
                            + "remove it."))
            }
            let promised = state.usage[node.id].promisedMemory
            let capacity = Placement.capacity(of: node)
            if promised > capacity {
                found.append(
                    Violation(
                        code: .overcommitted,
                        text:
                            "Node \(node.id) has promised \(promised) to shards and may promise \(capacity). Move some "
                            + "away."))
            }
            return found
        }
    }

    private static func store(in state: ClusterState) -> [Violation] {
        let staying = state.sortedNodes.filter { !$0.isLeaving }
        let wanted = VoterPlanner.voterCount(nodes: staying.count)
        let voters = staying.filter { $0.storeRole == .voter }
        let alive = voters.filter { $0.status != .down }
        guard alive.count < wanted else { return [] }
        return [
            Violation(
                code: .tooFewVoters,
                text:
                    "The cluster's store has \(alive.count) of \(wanted) voters that are up; it stops when fewer than "
                    + "\(voters.count / 2 + 1) are. Bring back or replace the nodes that are down.")
        ]
    }

    private static func check(_ database: DatabaseConfiguration, in state: ClusterState) -> [Violation] {
        let name = "database \(database.id) (\(database.policy.name))"
        var found: [Violation] = []
        let covered = database.primaries.map(\.slots.count).reduce(0, +)
        if covered != HashSlot.count {
            found.append(
                Violation(
                    code: .slotsUncovered,
                    text: "Primaries of \(name) have \(covered) of \(HashSlot.count) slots."))
        }
        for primary in database.primaries {
            let replicas = database.copies(of: primary.slots).filter { $0.role == .replica && !$0.isCopying }
            found += besides(primary, replicas, name, in: state)
            let alive = replicas.filter { state.nodes[$0.node].map { $0.status != .down } ?? false }
            if state.nodes[primary.node].map({ $0.status == .down }) ?? true {
                found.append(
                    Violation(
                        code: .primaryDown,
                        text: "Shard \(primary.id) of \(name) is on node \(primary.node), which is down: slots "
                            + "\(primary.slots) are out of service."))
            } else if database.policy.isReplicated, alive.isEmpty {
                let reason = replicas.isEmpty ? "has no replica" : "has its replica on a node that is down"
                found.append(
                    Violation(
                        code: .replicaMissing,
                        text:
                            "Shard \(primary.id) of \(name) \(reason): the loss of node \(primary.node) would lose "
                            + "data. "
                            + "It is made anew when a node can take it."))
            }
        }
        return found
    }

    private static func besides(
        _ primary: ShardConfiguration, _ replicas: [ShardConfiguration], _ name: String, in state: ClusterState
    ) -> [Violation] {
        replicas.compactMap { replica in
            if replica.node == primary.node {
                return Violation(
                    code: .replicaBesidePrimary,
                    text: "Shards \(primary.id) and \(replica.id) of \(name), copies of one another, are both on node "
                        + "\(replica.node). Move one away: tarn shard migrate \(replica.id) --to NODE.")
            }
            guard let one = state.nodes[primary.node], let other = state.nodes[replica.node], !one.rackID.isEmpty,
                one.failureDomain == other.failureDomain
            else { return nil }
            return Violation(
                code: .rackViolated,
                text: "Shards \(primary.id) and \(replica.id) of \(name), copies of one another, are both in rack "
                    + "\(one.rackID). Move one away: tarn shard migrate \(replica.id) --to NODE.")
        }
    }
}
