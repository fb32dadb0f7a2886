package import ClusterModel
package import Primitives

/// Another machine for a node, or another address.
extension Planner {
    /// The record of a lost node with another machine in it.
    ///
    /// The number stays: shards, endpoints and watchers name it, so the machine's part in all of them is its
    /// predecessor's without a change to any database, and what it has to do is what a node does that has lost its
    /// disk. The key changes, and by that the predecessor is told from it should it come back. It starts as a node that
    /// is down, and comes up like one: when its proxy routes as it should.
    /// - Throws: `node_not_found` (404), `node_alive` (409).
    static func replacement(
        of id: NodeID, by candidate: NodeCandidate, in state: ClusterState, now: WallTime
    ) throws(PlanError) -> NodeRecord {
        guard let old = state.nodes[id] else {
            throw PlanError("node_not_found", status: 404, "There is no node \(id) to replace.")
        }
        // Of two nodes neither can outvote the other; there it has to do that the node doesn't answer.
        guard old.status == .down || !state.group(of: id).canOutvote else {
            throw PlanError(
                "node_alive", status: 409,
                "Node \(id) at \(old.address) is not held to be lost. Switch it off, wait until 'tarn node list' shows "
                    + "it as down, and try again.")
        }
        var new = candidate.record(id: id, storeRole: .client, joinedAt: now)
        new.status = .down
        new.statusSince = old.status == .down ? old.statusSince : now
        new.acceptsShards = old.acceptsShards
        new.maximumShards = old.maximumShards
        new.maximumEndpoints = old.maximumEndpoints
        if new.rackID.isEmpty { new.rackID = old.rackID }
        // What the store knows as this node's member died with its predecessor.
        if old.storeRole != .client { new.storeRole = .broken }
        return new
    }

    /// The joiner has the place already and did not hear the answer.
    static func alreadyReplaced(
        _ id: NodeID, by candidate: NodeCandidate, in state: ClusterState
    ) throws(PlanError) -> NodeRecord? {
        guard let node = state.nodes[id], !candidate.publicKeyDigest.isEmpty,
            node.publicKeyDigest == candidate.publicKeyDigest, node.address == candidate.address
        else { return nil }
        return node
    }

    /// A node has another address. Databases that it serves or keeps shards of get a new epoch, so that proxies and
    /// replicas go there. Without changes when it has that address already.
    /// - Throws: `node_not_found` (404), `address_in_use` (409).
    package static func moveNode(
        _ id: NodeID, to address: String, in state: ClusterState, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        guard var node = state.nodes[id] else {
            throw PlanError("node_not_found", status: 404, "There is no node \(id) in this cluster any more.")
        }
        guard node.address != address else { return Plan(changes: [], node: node) }
        if let other = state.sortedNodes.first(where: { $0.address == address }) {
            throw PlanError("address_in_use", status: 409, "Node \(other.id) has the address \(address).")
        }
        let epoch = head.raiseEpoch()
        node.address = address
        var changes: [StateChange] = [.head(head), .node(node)]
        for var database in state.databases.values.sorted(by: { $0.id < $1.id })
        where database.endpoint.nodes.contains(id) || database.shards.contains(where: { $0.node == id }) {
            database.epoch = epoch
            database.changedAt = now
            changes.append(.database(database))
        }
        return Plan(changes: changes, node: node)
    }
}
