import ClusterStore
import Synchronization

/// A store that can hang, refuse and end its watches on demand, around one that can't.
final class StallingStore: ClusterStore {
    struct Faults: Sendable {
        /// Renewals get no answer, as from a member that was stopped; not even cancelling helps.
        var stallsRenewals = false
        var refusesRenewals = false
        /// Commits that are refused from now on.
        var failingCommits = 0
        var grants = 0
        var watches = 0
        /// A watch ends at once, without an error.
        var endsWatches = false
        /// Watches bring nothing from now on, as from a member that was cut off.
        var mutesWatches = false
    }

    let faults = Mutex(Faults())
    private let base: InMemoryStore

    init(_ base: InMemoryStore) {
        self.base = base
    }

    func renew(_ lease: StoreLease) async throws(StoreError) {
        let now = faults.withLock { $0 }
        if now.stallsRenewals { await Task.detached { try? await Task.sleep(for: .seconds(20)) }.value }
        if now.refusesRenewals { throw StoreError(.unavailable, "refused by the test") }
        try await base.renew(lease)
    }

    func commit(
        _ writes: [StoreWrite], if conditions: [StoreCondition]
    ) async throws(StoreError) -> StoreTransactionResult {
        let fails = faults.withLock { faults in
            guard faults.failingCommits > 0 else { return false }
            faults.failingCommits -= 1
            return true
        }
        if fails { throw StoreError(.unavailable, "refused by the test") }
        return try await base.commit(writes, if: conditions)
    }

    func watch(prefix: String, from revision: Int64) -> AsyncThrowingStream<StoreChange, any Error> {
        let ends = faults.withLock { faults in
            faults.watches += 1
            return faults.endsWatches
        }
        return ends ? AsyncThrowingStream { $0.finish() } : heard(base.watch(prefix: prefix, from: revision))
    }

    private func heard(
        _ changes: AsyncThrowingStream<StoreChange, any Error>
    ) -> AsyncThrowingStream<StoreChange, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: StoreChange.self)
        let task = Task {
            do {
                for try await change in changes where !faults.withLock(\.mutesWatches) { continuation.yield(change) }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }

    func grantLease(seconds: Int) async throws(StoreError) -> StoreLease {
        faults.withLock { $0.grants += 1 }
        return try await base.grantLease(seconds: seconds)
    }

    func snapshot(prefix: String) async throws(StoreError) -> StoreSnapshot { try await base.snapshot(prefix: prefix) }

    /// Who can't renew a lease can't give it back either.
    func revoke(_ lease: StoreLease) async throws(StoreError) {
        let isAway = faults.withLock { $0.stallsRenewals || $0.refusesRenewals }
        if isAway { throw StoreError(.unavailable, "refused by the test") }
        try await base.revoke(lease)
    }

    func members() async throws(StoreError) -> [StoreMember] { try await base.members() }
    func addLearner(peerURL: String) async throws(StoreError) -> StoreMember {
        try await base.addLearner(peerURL: peerURL)
    }
    func promote(member id: UInt64) async throws(StoreError) { try await base.promote(member: id) }
    func remove(member id: UInt64) async throws(StoreError) { try await base.remove(member: id) }
    func update(member id: UInt64, peerURL: String) async throws(StoreError) {
        try await base.update(member: id, peerURL: peerURL)
    }
}
