package import ClusterModel
package import Primitives

/// What is next for a drain, its end, or the removal of a node. Holds nothing between two calls: what is left to do is
/// counted anew from the cluster's state, and the parts that were begun name this action as their parent.
package enum NodeActionMachine {
    /// Parts at the same time, each of another database.
    package static let maximumParts = 4
    /// After so many failures of one database's parts the action fails, too.
    package static let maximumFailures = 3
    /// A replica this close behind is let take over; it catches up within the pause.
    package static let maximumLag: Int64 = 1 << 20
    /// Refusals of a place for a shard that waiting doesn't change.
    private static let lasting = ["replication_node_violation", "rack_awareness_violation", "insufficient_resources"]

    package enum Step: Sendable, Equatable {
        case wait(progress: Int, message: String)
        /// Commit it, then ask again.
        case commit(Plan)
        case fail(message: String)
        case complete
    }

    /// Shards whose copies ``next(_:in:copies:fresh:now:)`` wants to know before it lets replicas take over.
    package static func shardsToInspect(_ action: ActionRecord, in state: ClusterState) -> [ShardConfiguration] {
        work(of: action, in: state).flatMap { database, work -> [ShardConfiguration] in
            guard case .switchOver(let shard, let replica) = work else { return [] }
            return database.shards.filter { $0.id == shard || $0.id == replica }
        }
    }

    /// Databases that a node which is leaving has to say of that its proxy doesn't serve them any more: once it is gone
    /// nobody asks it, and what its proxy writes without a lease, or under the last one, nothing would stop. Nil while
    /// there is something else to do first.
    package static func farewells(_ action: ActionRecord, in state: ClusterState) -> [DatabaseConfiguration]? {
        guard action.kind == .removeNode, let id = action.node, let node = state.nodes[id], node.status != .down,
            node.storeRole == .client, work(of: action, in: state).isEmpty,
            !state.actions.values.contains(where: { $0.parent == action.id && !$0.status.isFinal }),
            !state.databases.values.contains(where: { $0.endpoint.nodes.contains(id) })
        else { return nil }
        return state.databases.values.sorted { $0.id < $1.id }
    }

    /// - Parameters:
    ///   - copies: Of ``shardsToInspect(_:in:)``.
    ///   - farewells: What the node says of ``farewells(_:in:)``; nil where it isn't asked.
    ///   - unsettled: Nodes that are not down and don't say of the one that leaves that they have settled it
    ///     (``JoinWatch``): they may hold a lease by a majority that counts it.
    package static func next(
        _ action: ActionRecord, in state: ClusterState, copies: [ShardID: ShardCopy],
        farewells: [DatabaseID: NodeProgress]?, unsettled: Set<NodeID>, fresh: Fresh, now: WallTime
    ) -> Step {
        guard let id = action.node, let node = state.nodes[id] else {
            return action.kind == .removeNode ? .complete : .fail(message: "the node is gone")
        }
        if node.status == .down, action.kind != .removeNode { return .fail(message: "node \(id) went down") }
        let parts = state.actions.values.filter { $0.parent == action.id }
        let running = parts.filter { !$0.status.isFinal }
        let left = work(of: action, in: state)
        var reasons: [String] = running.map { "\($0.kind.rawValue) of database \($0.database): \($0.message)" }.sorted()
        // What a drain had begun before it was overtaken goes on to its end, and is then put back.
        reasons += state.actions.values.filter { part in
            !part.status.isFinal && part.parent != action.id
                && part.parent.flatMap { state.actions[$0] }?.node == id
        }
        .map { "\($0.kind.rawValue) of database \($0.database) ends first" }.sorted()
        var stuck: [String] = []
        for (database, work) in left {
            if running.contains(where: { $0.database == database.id }) { continue }
            if let other = state.unfinishedActions(of: database.id).first {
                reasons.append("database \(database.id) is busy with \(other.kind.rawValue)")
                continue
            }
            let failures = parts.filter { $0.status == .failed && $0.database == database.id }
            if failures.count >= maximumFailures {
                if work.isOptional { continue }
                stuck.append("database \(database.id): \(failures.map(\.message).max() ?? "")")
                continue
            }
            guard running.count < maximumParts else { break }
            switch plan(work, of: database, parent: action, in: state, copies: copies, fresh: fresh, now: now) {
            case .success(let plan): return .commit(plan)
            case .failure(let reason) where lasting.contains(reason.code) && work.isOptional: continue
            // What can't come back stays where it is.
            case .failure(let reason) where action.kind == .maintenanceOff && lasting.contains(reason.code):
                stuck.append(reason.description)
            case .failure(let reason): reasons.append(reason.description)
            }
        }
        if let first = reasons.first {
            return .wait(progress: progress(action, node, left: left.count, in: state), message: first)
        }
        if let first = stuck.first {
            switch action.kind {
            case .maintenanceOff: return ended(action, node, stuck.count, in: state, now: now)
            case .removeNode:
                return Planner.removalFailed(action, first, in: state, now: now).map { .commit($0) }
                    ?? .fail(message: first)
            default: return .fail(message: first)
            }
        }
        if let reason = silence(action, node, farewells) { return .wait(progress: 97, message: reason) }
        if action.kind == .removeNode, let other = unsettled.min() {
            return .wait(progress: 98, message: "node \(other) has yet to do without the node's word")
        }
        return finish(action, node, in: state, now: now)
    }

    // MARK: What is left

    /// One thing to do for a shard.
    private enum Work {
        case switchOver(ShardID, to: ShardID)
        case move(ShardConfiguration)
        /// A replica whose primary takes no writes without it.
        case moveIfPossible(ShardConfiguration, to: NodeID)
        case moveBack(ShardConfiguration, to: NodeID)
        /// The only copy was on a node that is down, and is given up.
        case giveUp(ShardConfiguration)
        /// Somebody else sees to it.
        case leave(String)

        var isOptional: Bool {
            if case .moveIfPossible = self { true } else { false }
        }
    }

    private static func work(
        of action: ActionRecord, in state: ClusterState
    ) -> [(database: DatabaseConfiguration, work: Work)] {
        guard let id = action.node, let node = state.nodes[id] else { return [] }
        switch action.kind {
        case .maintenanceOn:
            let primaries = Planner.primaries(on: id, in: state)
            if primaries.isEmpty { return moves(ofReplicasOn: id, in: state) }
            return primaries.map { database, primary in
                guard let replica = Planner.successor(of: primary, of: database, in: state) else {
                    return (database, .move(primary))
                }
                return (database, .switchOver(primary.id, to: replica.id))
            }
        case .maintenanceOff:
            return replicasBack(to: node, in: state)
                + (node.maintenance?.moved ?? []).compactMap { moved in back(moved, to: node, in: state) }
        case .removeNode:
            return Planner.shards(on: id, in: state).map { database, shard in
                guard node.status == .down, shard.role == .primary else { return (database, .move(shard)) }
                guard database.replicas(of: shard, in: state).isEmpty else {
                    return (database, .leave("a replica of shard \(shard.id) is taking over"))
                }
                // It may have gone down since, and be back in a moment.
                guard action.isForced else { return (database, .leave(onlyCopy(shard, of: database, on: id))) }
                return (database, .giveUp(shard))
            }
        case .createDatabase, .updateDatabase, .deleteDatabase, .failover, .switchover, .migrateShard: return []
        }
    }

    private static func onlyCopy(
        _ shard: ShardConfiguration, of database: DatabaseConfiguration, on node: NodeID
    ) -> String {
        "node \(node) went down and has the only copy of shard \(shard.id) of database \(database.id) "
            + "(\(database.policy.name)): bring it back, cancel this, or ask for it again by force"
    }

    /// Of databases that take no writes without one, as far as there is room.
    private static func moves(
        ofReplicasOn node: NodeID, in state: ClusterState
    ) -> [(database: DatabaseConfiguration, work: Work)] {
        Planner.strictReplicas(on: node, in: state).compactMap { database, replica, target in
            target.map { (database, .moveIfPossible(replica, to: $0)) }
        }
    }

    private static func replicasBack(
        to node: NodeRecord, in state: ClusterState
    ) -> [(database: DatabaseConfiguration, work: Work)] {
        guard node.acceptsShards else { return [] }
        return (node.maintenance?.copies ?? []).compactMap { copy in
            Planner.standIn(for: copy, of: node.id, in: state).map { ($0.database, .moveBack($0.replica, to: node.id)) }
        }
    }

    /// Nil: it is back, or can't be.
    private static func back(
        _ moved: MaintenanceRecord.Moved, to node: NodeRecord, in state: ClusterState
    ) -> (database: DatabaseConfiguration, work: Work)? {
        guard let database = state.databases[moved.database], database.hasData,
            let primary = database.primaries.first(where: { $0.slots == moved.slots }), primary.node != node.id,
            state.nodes[primary.node]?.status != .down, !Planner.isHome(primary.node, of: moved, in: state)
        else { return nil }
        if let replica = database.replicas(of: primary, in: state).first(where: { $0.node == node.id }) {
            return (database, .switchOver(primary.id, to: replica.id))
        }
        return moved.hadReplica ? nil : (database, .moveBack(primary, to: node.id))
    }

    // MARK: Plans

    private static func plan(
        _ work: Work, of database: DatabaseConfiguration, parent: ActionRecord, in state: ClusterState,
        copies: [ShardID: ShardCopy], fresh: Fresh, now: WallTime
    ) -> Result<Plan, PlanError> {
        do throws(PlanError) {
            switch work {
            case .leave(let reason): return .failure(PlanError("waiting", reason))
            case .switchOver(let shard, let replica):
                if let reason = lag(of: replica, behind: shard, copies) {
                    return .failure(PlanError("replica_not_synced", reason))
                }
                return .success(
                    try Planner.switchOver(
                        shard, to: replica, parent: parent.id, in: state, fresh: fresh, now: now))
            case .move(let shard):
                guard let target = Planner.target(for: shard.slots, leaving: shard, of: database, in: state) else {
                    return .failure(PlanError("insufficient_resources", "no node can take shard \(shard.id)"))
                }
                return .success(
                    try Planner.migrate(
                        shard.id, to: target, parent: parent.id, in: state, fresh: fresh, now: now))
            case .moveIfPossible(let shard, let node), .moveBack(let shard, let node):
                return .success(
                    try Planner.migrate(shard.id, to: node, parent: parent.id, in: state, fresh: fresh, now: now))
            case .giveUp(let shard):
                return .success(try Planner.replaceLostPrimary(shard, of: database, in: state, now: now))
            }
        } catch {
            return .failure(error)
        }
    }

    /// Nil: close enough.
    package static func lag(of replica: ShardID, behind primary: ShardID, _ copies: [ShardID: ShardCopy]) -> String? {
        guard let from = copies[primary], from.isRunning else { return "shard \(primary) doesn't answer" }
        guard let to = copies[replica], to.isRunning else { return "replica \(replica) doesn't answer" }
        guard to.offset > 0 else { return "replica \(replica) is not in sync with its primary \(primary)" }
        let gap = from.offset - to.offset
        return gap > maximumLag ? "replica \(replica) is \(ByteCount(bytes: gap)) behind its primary \(primary)" : nil
    }

    // MARK: The end

    /// Why a node can't go yet though nothing is left on it; nil: it can.
    private static func silence(
        _ action: ActionRecord, _ node: NodeRecord, _ farewells: [DatabaseID: NodeProgress]?
    ) -> String? {
        guard action.kind == .removeNode else { return nil }
        if node.status == .down {
            return action.isNodeOff
                ? nil
                : "node \(node.id) went down: bring it back, or switch it off and ask for its removal again"
        }
        for (database, answer) in (farewells ?? [:]).sorted(by: { $0.key < $1.key }) {
            if case .applied = answer { continue }
            return "node \(node.id) has not confirmed that its proxy serves database \(database) no longer"
        }
        return nil
    }

    private static func finish(
        _ action: ActionRecord, _ node: NodeRecord, in state: ClusterState, now: WallTime
    ) -> Step {
        switch action.kind {
        case .maintenanceOff: return ended(action, node, 0, in: state, now: now)
        case .removeNode:
            if let served = state.databases.values.first(where: { $0.endpoint.nodes.contains(node.id) }) {
                return .wait(progress: 90, message: "the endpoint of database \(served.id) leaves the node")
            }
            guard node.storeRole == .client else {
                return .wait(progress: 95, message: "the cluster's store learns to do without the node")
            }
            return Planner.nodeRemoved(action, in: state, now: now).map { .commit($0) }
                ?? .fail(message: "there is no cluster")
        default:
            let left = Planner.strictReplicas(on: node.id, in: state).count
            return left == 0
                ? .complete : .commit(Planner.drained(action, leaving: left, in: state, now: now))
        }
    }

    private static func ended(
        _ action: ActionRecord, _ node: NodeRecord, _ stuck: Int, in state: ClusterState, now: WallTime
    ) -> Step {
        let moved = node.maintenance?.moved ?? []
        let isBack = moved.count { entry in
            state.databases[entry.database]?.primaries.contains { $0.slots == entry.slots && $0.node == node.id }
                ?? false
        }
        let message = moved.isEmpty ? "" : "\(isBack) of \(moved.count) primaries are back"
        return Planner.maintenanceEnded(action, message, in: state, now: now).map { .commit($0) }
            ?? .fail(message: "there is no cluster")
    }

    private static func progress(
        _ action: ActionRecord, _ node: NodeRecord, left: Int, in state: ClusterState
    ) -> Int {
        let all = max(left, node.maintenance?.moved.count ?? 0, 1)
        if action.kind == .removeNode { return left == 0 ? 85 : max(5, 80 - min(75, left * 5)) }
        return (all - left) * 95 / all
    }
}
