package import ClusterModel
import Primitives

/// What is set for the cluster as a whole, and for a node.
extension Planner {
    /// - Throws: `bad_request` (400).
    package static func changePolicy(
        detection: DetectionProfile?, rebuildsReplicas: Bool?, replicaGraceSeconds: Int64?, in state: ClusterState
    ) throws(PlanError) -> Plan {
        let head = try head(of: state)
        guard var cluster = state.cluster else { throw PlanError("no_cluster", status: 503, "There is no cluster.") }
        if let seconds = replicaGraceSeconds {
            guard (0...604_800).contains(seconds) else {
                throw PlanError(
                    "bad_request", status: 400,
                    "slave_ha_grace_period is \(seconds); it must lie in 0...604800 seconds (a week).")
            }
            cluster.replicaHA.graceSeconds = seconds
        }
        if let detection { cluster.detection = detection }
        if let rebuildsReplicas { cluster.replicaHA.isEnabled = rebuildsReplicas }
        guard cluster != state.cluster else { return Plan(changes: []) }
        return Plan(changes: [.head(head), .cluster(cluster)])
    }

    /// A rack that changes moves nothing: `tarn verify` tells what is now where it shouldn't be.
    /// - Throws: `node_not_found` (404), `bad_request` (400), `busy` (409) while it is in maintenance or leaves.
    package static func changeNode(
        _ id: NodeID, rackID: String?, acceptsShards: Bool?, maximumShards: Int?, maximumEndpoints: Int?,
        in state: ClusterState
    ) throws(PlanError) -> Plan {
        let head = try head(of: state)
        var node = try node(id, in: state)
        if let rackID { node.rackID = try NodeCandidate.checkRack(rackID) }
        if let acceptsShards, acceptsShards != node.acceptsShards {
            guard node.maintenance == nil, !node.isLeaving else {
                throw PlanError(
                    "busy", status: 409,
                    "Node \(id) \(node.isLeaving ? "is being removed" : "is in maintenance") and takes no shards; "
                        + "end that first.")
            }
            node.acceptsShards = acceptsShards
        }
        if let maximumShards { node.maximumShards = try positive(maximumShards, "max_redis_servers") }
        if let maximumEndpoints { node.maximumEndpoints = try positive(maximumEndpoints, "max_listeners") }
        guard node != state.nodes[id] else { return Plan(changes: [], node: node) }
        return Plan(changes: [.head(head), .node(node)], node: node)
    }

    private static func positive(_ number: Int, _ name: String) throws(PlanError) -> Int {
        guard (0...10_000).contains(number) else {
            throw PlanError("bad_request", status: 400, "\(name) is \(number); it must lie in 0...10000.")
        }
        return number
    }
}
