package import ClusterModel
package import Primitives

/// What a recovery starts from.
package struct RecoveryBasis: Sendable, Equatable {
    /// Of the new store.
    package var store: StoreIdentity
    /// The node that keeps the new store alone at first.
    package var node: NodeID
    /// Nodes whose managers answered, this one included.
    package var answering: Set<NodeID>
    /// The highest epoch that any of them knows.
    package var highestEpoch: Epoch
    package var snapshotNode: NodeID
    package var snapshotTakenAt: WallTime

    package init(
        store: StoreIdentity, node: NodeID, answering: Set<NodeID>, highestEpoch: Epoch, snapshotNode: NodeID,
        snapshotTakenAt: WallTime
    ) {
        self.store = store
        self.node = node
        self.answering = answering
        self.highestEpoch = highestEpoch
        self.snapshotNode = snapshotNode
        self.snapshotTakenAt = snapshotTakenAt
    }
}

extension Planner {
    /// More epochs than the lost store can have given out after its last state reached a node that answers.
    package static let recoveryEpochs = 1000
    /// Numbers that are passed over: the lost store may have given them out, and a node that comes back later has
    /// directories of them.
    package static let recoveryNumbers = 10
    package static let recoveryShardNumbers = 1000

    /// The configuration that a new store begins with, made from a copy of the lost one's.
    ///
    /// Placements, roles and routes stay as they are, so what runs goes on running; epochs rise, so that every node
    /// takes it for news. Nodes that don't answer are down, and nobody waits for their consent any more: their
    /// primaries are replaced by the usual failover.
    package static func recover(
        _ state: ClusterState, from basis: RecoveryBasis, now: WallTime
    ) throws(PlanError) -> ClusterState {
        var head = try head(of: state)
        guard state.nodes[basis.node] != nil else {
            throw PlanError(
                "node_unknown", status: 409, "The copy knows no node \(basis.node): run this on a node that it knows.")
        }
        let revision = state.revision
        head.epoch = Epoch(max(head.epoch.rawValue, basis.highestEpoch.rawValue) + recoveryEpochs)
        head.nextNode = NodeID(head.nextNode.rawValue + recoveryNumbers)
        head.nextDatabase = DatabaseID(head.nextDatabase.rawValue + recoveryNumbers)
        head.nextShard = ShardID(head.nextShard.rawValue + recoveryShardNumbers)
        head.nextUser = UserID(head.nextUser.rawValue + recoveryNumbers)
        var changes: [StateChange] = [.head(head)]
        for var node in state.sortedNodes {
            node.storeRole = node.id == basis.node ? .voter : .client
            if !basis.answering.contains(node.id), node.status != .down {
                node.status = .down
                node.statusSince = now
            }
            changes.append(.node(node))
        }
        for var database in state.databases.values.sorted(by: { $0.id < $1.id }) {
            database.epoch = head.epoch
            database.changedAt = now
            changes.append(.database(database))
        }
        let lost = state.sortedNodes.map(\.id).filter { !basis.answering.contains($0) }
        changes.append(
            .recovery(
                RecoveryRecord(
                    store: basis.store, recoveredAt: now, node: basis.node, snapshotNode: basis.snapshotNode,
                    snapshotRevision: revision, snapshotTakenAt: basis.snapshotTakenAt, lost: lost,
                    findings: recoveryFindings(state, answering: basis.answering))))
        var next = state
        for change in changes { next.apply(change, key: change.key.path, revision: revision) }
        return next
    }

    /// What a recovery from this copy would find and lose, for the person who decides.
    package static func recoveryFindings(_ state: ClusterState, answering: Set<NodeID>) -> [String] {
        var findings: [String] = []
        for node in state.sortedNodes where !answering.contains(node.id) {
            findings.append(
                "Node \(node.id) (\(node.address)) does not answer and is taken for lost; it may come back later.")
        }
        for database in state.databases.values.sorted(by: { $0.id < $1.id })
        where database.status != .deletePending {
            findings += recoveryFindings(database, answering: answering)
        }
        for action in state.actions.values.sorted(by: { $0.createdAt < $1.createdAt })
        where action.status == .pending || action.status == .active {
            findings.append("Action \(action.id) (\(action.kind.rawValue)) was under way; it is taken up again.")
        }
        return findings
    }

    private static func recoveryFindings(
        _ database: DatabaseConfiguration, answering: Set<NodeID>
    ) -> [String] {
        let name = "Database \(database.id) (\(database.policy.name))"
        var gone: [ShardID] = []
        var promoted: [ShardID] = []
        for primary in database.primaries where !answering.contains(primary.node) {
            let hasCopy = database.shards.contains {
                $0.role == .replica && $0.slots == primary.slots && answering.contains($0.node)
            }
            if hasCopy { promoted.append(primary.id) } else { gone.append(primary.id) }
        }
        var findings: [String] = []
        if !gone.isEmpty {
            findings.append(
                "\(name): no copy of shards \(list(gone)) is on a node that answers; their data is back when their "
                    + "node is, or lost with it.")
        }
        if !promoted.isEmpty {
            findings.append(
                "\(name): primaries \(list(promoted)) are on lost nodes; their replicas take over, without the writes "
                    + "that had not reached them.")
        }
        return findings
    }

    private static func list(_ shards: [ShardID]) -> String { shards.map(\.description).joined(separator: ", ") }
}
