package import ClusterModel
package import ClusterStore
package import ManagerCore

/// Why a change was not made.
package enum EditError: Error, Sendable {
    /// The plan itself refuses; the text is for the person who asked.
    case refused(PlanError)
    /// Another node leads (or none does for the moment): ask there.
    case notLeader
    case store(StoreError)
}

/// Makes plans on the newest state and commits them, one at a time. Most are the leader's to make; what can't wait for
/// one (votes, failover, the end of a transition) any node commits, on the same condition on the head.
package actor ClusterEditor {
    /// A plan that loses the race against another write is made again on the new state; beyond this many rounds
    /// something else is wrong.
    private static let maximumRounds = 20

    private let store: any ClusterStore
    private let follower: StateFollower
    private let leadership: Leadership
    /// One edit at a time, in order of arrival: an actor alone would interleave them at every `await`.
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package init(store: any ClusterStore, follower: StateFollower, leadership: Leadership) {
        self.store = store
        self.follower = follower
        self.leadership = leadership
    }

    package enum Author: Sendable {
        /// Only while this node leads.
        case leader
        case anyNode
    }

    /// Plans and commits.
    ///
    /// - Parameter decide: Pure; called again with a newer state when the commit met a conflict. Nil: nothing to do.
    /// - Returns: The plan that is now in force and the store revision that it made.
    @discardableResult
    package func edit(
        as author: Author = .leader, _ decide: @Sendable (ClusterState) throws(PlanError) -> Plan?
    ) async throws(EditError) -> (plan: Plan?, revision: Int64) {
        await enter()
        defer { leave() }
        for _ in 0..<Self.maximumRounds {
            let term = author == .leader ? await leadership.current : nil
            guard term != nil || author == .anyNode, let state = await follower.current else { throw .notLeader }
            let plan: Plan?
            do { plan = try decide(state) } catch { throw .refused(error) }
            guard let plan, !plan.changes.isEmpty else { return (plan, state.revision) }
            if let revision = try await commit(plan, on: state, term: term) { return (plan, revision) }
        }
        throw .store(StoreError(.unavailable, "the cluster configuration kept changing; try again"))
    }

    /// The newest state known here.
    package var state: ClusterState? {
        get async { await follower.current }
    }

    private func enter() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }

    /// Nil: something was changed in between.
    private func commit(_ plan: Plan, on state: ClusterState, term: LeaderTerm?) async throws(EditError) -> Int64? {
        do {
            var conditions: [StoreCondition] = [
                .modifiedRevision(key: StoreKey.head.path, equals: state.headRevision),
                // Of another store than the one that this state is from: revisions begin anew with each.
                .modifiedRevision(
                    key: StoreKey.recovery.path, equals: state.revisions[StoreKey.recovery.path] ?? 0),
            ]
            if let term {
                conditions.append(.modifiedRevision(key: StoreKey.leader.path, equals: term.keyRevision))
            }
            let result = try await store.commit(try plan.changes.map(StateCoding.encode), if: conditions)
            switch result {
            case .committed(let revision):
                await follower.adopt(plan.changes.map { ($0.key.path, $0) }, revision: revision)
                return revision
            case .conflict:
                try await resynchronise(term)
                return nil
            }
        } catch let error as EditError {
            throw error
        } catch let error as StoreError {
            throw .store(error)
        } catch {
            throw .store(StoreError(.protocolViolation, "\(error)"))
        }
    }

    /// How long the watch may take to bring what the store has already. It is this slow only when it hangs; the votes
    /// that a lost node is outvoted with must not wait for it.
    private static let watchPatience = Duration.milliseconds(200)

    /// Brings our copy up to what the store was just now.
    private func resynchronise(_ term: LeaderTerm?) async throws {
        if let term {
            let leader = try await store.snapshot(prefix: StoreKey.leader.path)
            guard leader.entries.first?.modifiedRevision == term.keyRevision else { throw EditError.notLeader }
        }
        let head = try await store.snapshot(prefix: StoreKey.head.path)
        let revision = head.entries.first?.modifiedRevision ?? 0
        let follower = follower
        let reached: Void? = await bounded(until: .now + Self.watchPatience) { await follower.wait(for: revision) }
        if reached == nil { try await follower.catchUp() }
    }
}
