package import ClusterModel
package import Primitives

/// What the agreed configuration puts on one node: promises, not measurements.
package struct NodeUsage: Sendable, Equatable {
    /// Sum of the memory limits of its shards; a shard without a limit counts as nothing.
    package var promisedMemory: ByteCount = .zero
    package var shardCount = 0
    package var primaryCount = 0
    package var endpointCount = 0
    package var shardPorts: Set<UInt16> = []

    package init() {}

    var isEmpty: Bool { shardCount == 0 && endpointCount == 0 }

    mutating func add(_ shard: ShardConfiguration, memory: ByteCount) {
        promisedMemory = promisedMemory + memory
        shardCount += 1
        primaryCount += shard.role == .primary ? 1 : 0
        shardPorts.insert(shard.port)
    }

    mutating func remove(_ shard: ShardConfiguration, memory: ByteCount) {
        promisedMemory = promisedMemory - memory
        shardCount -= 1
        primaryCount -= shard.role == .primary ? 1 : 0
        shardPorts.remove(shard.port)
    }
}

/// Sums over all databases, kept up to date record by record.
///
/// A plan for 1,000 nodes and 100,000 shards must not visit every shard; with this it visits every node. It follows
/// from the records alone, whatever their order, so two equal sets of records have equal indexes.
package struct UsageIndex: Sendable, Equatable {
    package private(set) var nodes: [NodeID: NodeUsage] = [:]
    package private(set) var endpointPorts: [UInt16: DatabaseID] = [:]
    package private(set) var names: [String: DatabaseID] = [:]
    /// Actions that are neither completed nor failed.
    package private(set) var unfinished: [DatabaseID: Set<ActionID>] = [:]

    package init() {}

    package subscript(node: NodeID) -> NodeUsage { nodes[node] ?? NodeUsage() }

    mutating func add(_ database: DatabaseConfiguration) {
        let memory = database.policy.memoryLimitPerShard
        for shard in database.shards { nodes[shard.node, default: NodeUsage()].add(shard, memory: memory) }
        for node in database.endpoint.nodes { nodes[node, default: NodeUsage()].endpointCount += 1 }
        endpointPorts[database.endpoint.port] = database.id
        names[database.policy.name] = database.id
    }

    mutating func remove(_ database: DatabaseConfiguration) {
        let memory = database.policy.memoryLimitPerShard
        for shard in database.shards { change(shard.node) { $0.remove(shard, memory: memory) } }
        for node in database.endpoint.nodes { change(node) { $0.endpointCount -= 1 } }
        // Only what still belongs to it: a record that took its name or port may have been applied before.
        if endpointPorts[database.endpoint.port] == database.id { endpointPorts[database.endpoint.port] = nil }
        if names[database.policy.name] == database.id { names[database.policy.name] = nil }
    }

    mutating func add(_ action: ActionRecord) {
        guard !action.status.isFinal else { return }
        unfinished[action.database, default: []].insert(action.id)
    }

    mutating func remove(_ action: ActionRecord) {
        unfinished[action.database]?.remove(action.id)
        if unfinished[action.database]?.isEmpty == true { unfinished[action.database] = nil }
    }

    /// Drops the node's entry when nothing is left, so that "never used" and "no longer used" are equal.
    private mutating func change(_ node: NodeID, _ body: (inout NodeUsage) -> Void) {
        guard var usage = nodes[node] else { return }
        body(&usage)
        nodes[node] = usage.isEmpty ? nil : usage
    }
}

extension ActionRecord.Status {
    package var isFinal: Bool { self == .completed || self == .failed }
}
