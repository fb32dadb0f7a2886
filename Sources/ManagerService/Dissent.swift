import ClusterModel

/// Those of the nodes that don't say yes, all asked at the same time; who doesn't answer says no.
func dissenters(
    among nodes: some Sequence<NodeID>, _ agrees: @escaping @Sendable (NodeID) async -> Bool
) async -> Set<NodeID> {
    await withTaskGroup(of: NodeID?.self) { group in
        for node in nodes { group.addTask { await agrees(node) ? nil : node } }
        return await group.reduce(into: []) { if let node = $1 { $0.insert(node) } }
    }
}
