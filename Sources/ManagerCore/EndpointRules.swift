import ClusterModel

/// Ports and nodes of endpoints.
enum EndpointRules {
    static let ports: ClosedRange<UInt16> = 10000...19999
    /// Zabbix agents listen there.
    static let refusedPort: UInt16 = 10050

    /// The port asked for, or a free one.
    ///
    /// The search starts at a place that follows from the database's number. Numbers only grow, so a port that has
    /// just become free is the last to be given out again, and clients of a deleted database don't meet a stranger.
    static func port(requested: UInt16, for id: DatabaseID, in state: ClusterState) throws(PlanError) -> UInt16 {
        guard requested == 0 else {
            try checkRequested(requested, in: state)
            return requested
        }
        let taken = state.usage.endpointPorts
        guard let port = ports.firstFree(from: id.rawValue - 1, where: { $0 != refusedPort && taken[$0] == nil })
        else {
            throw PlanError(
                "insufficient_resources",
                "All \(ports.count - 1) endpoint ports (10000-19999) are taken. Delete a database.")
        }
        return port
    }

    private static func checkRequested(_ port: UInt16, in state: ClusterState) throws(PlanError) {
        guard ports.contains(port), port != refusedPort else {
            throw PlanError(
                "port_unavailable", "Port \(port) can't be an endpoint: use 10000-19999 except 10050, or 0 for any.")
        }
        if let taken = state.usage.endpointPorts[port] {
            throw PlanError(
                "port_unavailable", "Port \(port) belongs to database \(taken). Choose another, or 0 for any.")
        }
    }

    /// Nodes whose proxies serve the endpoint, in order of their ids.
    static func nodes(for policy: ProxyPolicy, shards: [ShardConfiguration], in state: ClusterState) -> [NodeID] {
        let primaries = shards.filter { $0.role == .primary }
        switch policy {
        // One that is down serves again when it is back; taking it out would close its clients' connections.
        case .allNodes: return state.nodes.values.filter(\.servesEndpoints).map(\.id).sorted()
        case .allMasterShards: return Set(primaries.map(\.node)).sorted()
        case .single: return primaries.min { $0.slots.first < $1.slots.first }.map { [$0.node] } ?? []
        }
    }

    static func refuseFull(
        _ nodes: [NodeID], beyond bound: [NodeID], in state: ClusterState
    ) throws(PlanError) {
        for id in Set(nodes).subtracting(bound).sorted() {
            guard let node = state.nodes[id] else { continue }
            guard state.usage[id].endpointCount < node.maximumEndpoints else {
                throw PlanError(
                    "insufficient_resources",
                    "Node \(id) serves \(node.maximumEndpoints) endpoints already, which is its limit. "
                        + "Use the proxy policy `single`, or delete a database.")
            }
        }
    }
}

/// Gives out the mutual-TLS ports of shards while a plan is made.
struct ShardPorts {
    static let range: ClosedRange<UInt16> = 20000...29999
    private let usage: UsageIndex
    private var given: [NodeID: Set<UInt16>] = [:]

    init(state: ClusterState) {
        usage = state.usage
    }

    /// A port that no other shard of the node has; like endpoint ports, freed ones come back last.
    mutating func take(for shard: ShardID, on node: NodeID) throws(PlanError) -> UInt16 {
        let taken = usage[node].shardPorts
        let here = given[node] ?? []
        guard
            let port = Self.range.firstFree(
                from: shard.rawValue - 1, where: { !taken.contains($0) && !here.contains($0) })
        else {
            throw PlanError("insufficient_resources", "Node \(node) has no free shard port (20000-29999).")
        }
        given[node, default: []].insert(port)
        return port
    }
}

extension ClosedRange<UInt16> {
    /// The first port that is free, looking round the range from the one at `offset` (modulo its length).
    fileprivate func firstFree(from offset: Int, where isFree: (UInt16) -> Bool) -> UInt16? {
        for step in 0..<count {
            let port = lowerBound + UInt16((offset + step) % count)
            if isFree(port) { return port }
        }
        return nil
    }
}

extension NodeRecord {
    fileprivate var servesEndpoints: Bool { !isLeaving && (status.works || status == .down) }
}
