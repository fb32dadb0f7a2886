package import ClusterModel
package import Primitives

/// When a leader first saw what it has to bring to an end within a time, by its own boot-time clock.
///
/// Records carry the wall clock of whoever wrote them, for people to read. Two leaders' wall clocks may be an hour
/// apart, and one may be set while its leader works: measured by them, an action could fail at once, and requests could
/// be held for an hour. A new leader counts from when it took over; that is the most that it knows for sure.
package struct Sightings: Sendable {
    private struct Change: Hashable {
        var from: ShardID
        var to: ShardID
        /// Tells a change that was rolled back from the next one.
        var since: WallTime
    }

    private var actions: [ActionID: BootTime] = [:]
    private var changes: [Change: BootTime] = [:]

    package init() {}

    /// Milliseconds that this leader has known of the action.
    package mutating func age(of action: ActionID, at now: BootTime) -> Int64 {
        let since = actions[action] ?? now
        actions[action] = since
        return now - since
    }

    /// Milliseconds that this leader has known of the change of primaries that the action wants; 0 when none is under
    /// way.
    package mutating func age(
        ofChangeBy action: ActionRecord, of database: DatabaseConfiguration?, at now: BootTime
    ) -> Int64 {
        guard let transition = database?.transitions.first(where: { $0.to == action.shard }) else { return 0 }
        let change = Change(from: transition.from, to: transition.to, since: transition.since)
        let since = changes[change] ?? now
        changes[change] = since
        return now - since
    }

    /// Forgets what is over.
    package mutating func forget(exceptIn state: ClusterState) {
        actions = actions.filter { state.actions[$0.key].map { !$0.status.isFinal } ?? false }
        guard !changes.isEmpty else { return }
        let alive = state.databases.values.flatMap(\.transitions).map {
            Change(from: $0.from, to: $0.to, since: $0.since)
        }
        changes = changes.filter { alive.contains($0.key) }
    }
}
