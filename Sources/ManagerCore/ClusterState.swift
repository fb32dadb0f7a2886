package import ClusterModel

/// Everything in the store, decoded, as of one revision. A value: each reader has its own snapshot.
package struct ClusterState: Sendable, Equatable {
    package private(set) var cluster: ClusterRecord?
    package private(set) var head: ClusterHead?
    /// Revision at which `head` was last written, 0 when it never was: the condition under which plans commit.
    package private(set) var headRevision: Int64 = 0
    package private(set) var authority: AuthorityRecord?
    package private(set) var leader: NodeID?
    package private(set) var nodes: [NodeID: NodeRecord] = [:]
    package private(set) var databases: [DatabaseID: DatabaseConfiguration] = [:]
    package private(set) var actions: [ActionID: ActionRecord] = [:]
    package private(set) var users: [UserID: UserRecord] = [:]
    package private(set) var tokens: [String: JoinTokenRecord] = [:]
    /// By node: who holds it for lost.
    package private(set) var suspicions: [NodeID: Set<NodeID>] = [:]
    /// How the store was made anew, if it ever was.
    package private(set) var recovery: RecoveryRecord?
    /// Store key to the revision that last wrote it, for conditions on single records.
    package private(set) var revisions: [String: Int64] = [:]
    /// The newest revision that went in.
    package private(set) var revision: Int64 = 0
    package private(set) var usage = UsageIndex()
    private(set) var groups = GroupIndex()
    /// From this node's disk, since the store can't be read: good to go on with, but what it doesn't know may exist.
    package var isProvisional = false

    package init() {}

    /// Takes in one record. Changes of one transaction are applied one after the other before anyone reads.
    /// - Parameter key: The key as the store spelt it; what `revisions` files it under.
    package mutating func apply(_ change: StateChange, key: String, revision: Int64) {
        revisions[key] = revision
        self.revision = max(self.revision, revision)
        switch change {
        case .cluster(let record): cluster = record
        case .head(let record):
            head = record
            headRevision = revision
        case .authority(let record): authority = record
        case .leader(let node): leader = node
        case .node(let record): set(record.id, record)
        case .database(let configuration): set(configuration.id, configuration)
        case .action(let record): set(record.id, record)
        case .user(let record): users[record.id] = record
        case .token(let record): tokens[record.id] = record
        case .suspicion(let node, let voter): suspicions[node, default: []].insert(voter)
        case .recovery(let record):
            recovery = record
            groups = GroupIndex()
        case .removed(let removed):
            revisions[key] = nil
            remove(removed)
        }
    }

    /// Moves `revision` on without a record: a snapshot's own revision, or keys that this release doesn't know.
    package mutating func advance(to revision: Int64) {
        self.revision = max(self.revision, revision)
    }

    private mutating func remove(_ key: StoreKey) {
        switch key {
        case .cluster: cluster = nil
        case .head:
            head = nil
            headRevision = 0
        case .authority: authority = nil
        case .leader: leader = nil
        case .node(let id): set(id, nil)
        case .database(let id): set(id, nil)
        case .action(let id): set(id, nil)
        case .user(let id): users[id] = nil
        case .token(let id): tokens[id] = nil
        case .recovery:
            recovery = nil
            groups = GroupIndex()
        case .suspicion(let node, let voter):
            suspicions[node]?.remove(voter)
            if suspicions[node]?.isEmpty == true { suspicions[node] = nil }
        }
    }

    private mutating func set(_ id: NodeID, _ node: NodeRecord?) {
        nodes[id] = node
        groups = GroupIndex()
    }

    private mutating func set(_ id: DatabaseID, _ configuration: DatabaseConfiguration?) {
        if let old = databases[id] { usage.remove(old) }
        databases[id] = configuration
        if let configuration { usage.add(configuration) }
    }

    private mutating func set(_ id: ActionID, _ action: ActionRecord?) {
        if let old = actions[id] { usage.remove(old) }
        actions[id] = action
        if let action { usage.add(action) }
    }
}

extension ClusterState {
    /// All changes of a plan as if they had been committed at `revision`. For simulations and tests, and for a
    /// leader that plans several steps ahead of its watch.
    package mutating func apply(_ plan: Plan, revision: Int64) {
        for change in plan.changes { apply(change, key: change.key.path, revision: revision) }
    }

    /// Every record that outlives its writer, in a fixed order: all but the leader's claim and votes.
    package var lastingRecords: [StateChange] {
        var records: [StateChange] = []
        if let cluster { records.append(.cluster(cluster)) }
        if let head { records.append(.head(head)) }
        if let authority { records.append(.authority(authority)) }
        if let recovery { records.append(.recovery(recovery)) }
        records += sortedNodes.map { .node($0) }
        records += databases.values.sorted { $0.id < $1.id }.map { .database($0) }
        records += actions.values.sorted { $0.id.description < $1.id.description }.map { .action($0) }
        records += users.values.sorted { $0.id < $1.id }.map { .user($0) }
        records += tokens.values.sorted { $0.id < $1.id }.map { .token($0) }
        return records
    }

    /// Nodes in order of their ids.
    package var sortedNodes: [NodeRecord] { nodes.values.sorted { $0.id < $1.id } }

    package func user(email: String) -> UserRecord? {
        users.values.first { $0.email.lowercased() == email.lowercased() }
    }

    package func shard(_ id: ShardID) -> (database: DatabaseConfiguration, shard: ShardConfiguration)? {
        for database in databases.values {
            if let shard = database.shards.first(where: { $0.id == id }) { return (database, shard) }
        }
        return nil
    }

    /// Actions of one database that still run, oldest first.
    package func unfinishedActions(of database: DatabaseID) -> [ActionRecord] {
        (usage.unfinished[database] ?? []).compactMap { actions[$0] }
            .sorted { ($0.createdAt, $0.id.description) < ($1.createdAt, $1.id.description) }
    }
}
