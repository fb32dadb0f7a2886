package import ClusterModel
package import Primitives

/// Nodes are lost and come back. Any node may commit these.
extension Planner {
    /// Votes that a node is lost. Nil when the vote stands, or the node is down or gone; or is only being taken in, and
    /// has nothing that could be lost. Nor has one a vote that was removed and hasn't heard of it: it would stand for
    /// ever.
    ///
    /// Votes rewrite the head, so that of a withdrawal and the plan that counts the vote only one goes through.
    package static func suspect(_ node: NodeID, by voter: NodeID, in state: ClusterState) -> Plan? {
        guard let head = state.head, let record = state.nodes[node], record.status.canBeLost,
            state.nodes[voter] != nil, state.suspicions[node]?.contains(voter) != true
        else { return nil }
        return Plan(changes: [.head(head), .suspicion(node, by: voter)])
    }

    /// Takes back a vote that led to nothing, also one that may have been written and isn't seen yet. Nil when the node
    /// is down: then only it clears them.
    package static func withdraw(_ node: NodeID, by voter: NodeID, in state: ClusterState) -> Plan? {
        guard let head = state.head, let record = state.nodes[node], record.status != .down else { return nil }
        return Plan(changes: [.head(head), .removed(.suspicion(node, by: voter))])
    }

    /// Settles that a node is lost, when enough of its watchers say so. Nil when it isn't so (any more).
    package static func settleLoss(of node: NodeID, in state: ClusterState, now: WallTime) -> Plan? {
        guard state.group(of: node).isLost(votes: state.suspicions[node] ?? []) else { return nil }
        return setStatus(.down, of: node, in: state, now: now)
    }

    /// A node that was held to be lost is back, knows the configuration, and asks for heartbeats to be answered again.
    /// Nil when it isn't down.
    package static func readmit(_ node: NodeID, in state: ClusterState, now: WallTime) -> Plan? {
        guard let record = state.nodes[node], record.status == .down,
            var plan = setStatus(record.isLeaving ? .decommissioning : .active, of: node, in: state, now: now)
        else { return nil }
        for voter in (state.suspicions[node] ?? []).sorted() {
            plan.changes.append(.removed(.suspicion(node, by: voter)))
        }
        if var recovery = state.recovery, recovery.lost.contains(node) {
            recovery.lost.removeAll { $0 == node }
            plan.changes.append(.recovery(recovery))
        }
        return plan
    }

    /// Databases with a primary on a node that is down and a replica that isn't, in order.
    package static func databasesWithLostPrimaries(in state: ClusterState) -> [DatabaseID] {
        let down = state.lostNodes
        guard !down.isEmpty else { return [] }
        return state.databases.values.filter { database in
            database.primaries.contains { primary in
                down.contains(primary.node)
                    && database.shards.contains {
                        $0.role == .replica && !$0.isCopying && $0.slots == primary.slots && !down.contains($0.node)
                    }
            }
        }
        .map(\.id).sorted()
    }
}

extension NodeRecord.Status {
    /// One that is being taken in can be lost once it is: readmitting it would pass over that. It takes about a lease,
    /// whether the newcomer lives or not.
    var canBeLost: Bool { self != .down && self != .provisioning }

    /// Serves endpoints and takes shards. One that is being taken in does so from the first moment.
    var works: Bool { self == .active || self == .provisioning }
}
