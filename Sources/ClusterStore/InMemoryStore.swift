import Synchronization

/// The ``ClusterStore`` for tests and simulations: one process, nothing on disk, the same contract as `EtcdStore`.
///
/// Time is the caller's. With ``init()`` leases run on the machine's monotonic clock; a simulation gives its own
/// `now` and calls ``expireLeases()`` whenever it has moved it.
package final class InMemoryStore: ClusterStore {
    private struct Watcher {
        var prefix: String
        var continuation: AsyncThrowingStream<StoreChange, any Error>.Continuation
    }

    private struct Guarded {
        var state = InMemoryState()
        var watchers: [Int: Watcher] = [:]
        var lastWatcher = 0
        var isAvailable = true
    }

    private let guarded = Mutex(Guarded())
    private let now: @Sendable () -> Duration
    private let sleep: (@Sendable (Duration) async throws -> Void)?

    /// Leases expire by themselves, on the machine's clock.
    package convenience init() {
        let clock = ContinuousClock()
        let start = clock.now
        self.init(now: { clock.now - start }, sleep: { try await clock.sleep(for: $0) })
    }

    /// - Parameters:
    ///   - now: A monotonic time; its zero doesn't matter.
    ///   - sleep: Waits in the same time. Nil: nobody waits, the owner calls ``expireLeases()``.
    package init(
        now: @escaping @Sendable () -> Duration, sleep: (@Sendable (Duration) async throws -> Void)? = nil
    ) {
        self.now = now
        self.sleep = sleep
    }

    /// While false every call fails with `unavailable` and all watches have ended, as in a store without a majority.
    package func setAvailable(_ isAvailable: Bool) {
        let ended = guarded.withLock { guarded -> [Watcher] in
            guarded.isAvailable = isAvailable
            guard !isAvailable else { return [] }
            defer { guarded.watchers = [:] }
            return Array(guarded.watchers.values)
        }
        for watcher in ended { watcher.continuation.finish(throwing: Self.unavailable) }
    }

    /// Forgets what happened before a revision; the present values stay.
    package func compact(to revision: Int64) {
        guarded.withLock { $0.state.compact(to: revision) }
    }

    /// Ends the leases whose time has come. Every call does so first; this is for the time between calls.
    package func expireLeases() {
        guarded.withLock { expire(&$0) }
    }

    private static var unavailable: StoreError { StoreError(.unavailable, "the in-memory store is switched off") }

    /// Every call goes through here: one step under the lock, expired leases first.
    private func step<Result: Sendable>(
        _ body: (inout Guarded) throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try guarded.withLock { guarded throws(StoreError) in
            guard guarded.isAvailable else { throw Self.unavailable }
            expire(&guarded)
            return try body(&guarded)
        }
    }

    private func expire(_ guarded: inout Guarded) {
        for change in guarded.state.revokeExpired(now: now()) { publish(change, &guarded) }
    }

    /// Under the lock, so that watchers see changes in the order of their revisions. Those that no longer listen are
    /// found here, not by `onTermination`: that is called under a lock of the task that is being cancelled, which a
    /// `yield` to this task takes too, so taking ours there could deadlock.
    private func publish(_ change: StoreChange?, _ guarded: inout Guarded) {
        guard let change else { return }
        for (number, watcher) in guarded.watchers {
            guard let part = change.restricted(to: watcher.prefix) else { continue }
            if case .terminated = watcher.continuation.yield(part) { guarded.watchers[number] = nil }
        }
    }
}

extension InMemoryStore {
    package func snapshot(prefix: String) async throws(StoreError) -> StoreSnapshot {
        try step { $0.state.snapshot(prefix: prefix) }
    }

    package func commit(
        _ writes: [StoreWrite], if conditions: [StoreCondition]
    ) async throws(StoreError) -> StoreTransactionResult {
        try step { guarded throws(StoreError) in
            guard conditions.allSatisfy(guarded.state.holds) else { return .conflict }
            publish(try guarded.state.apply(writes), &guarded)
            return .committed(revision: guarded.state.revision)
        }
    }

    package func watch(prefix: String, from revision: Int64) -> AsyncThrowingStream<StoreChange, any Error> {
        let (stream, continuation) = AsyncThrowingStream.makeStream(of: StoreChange.self)
        do {
            try step { guarded throws(StoreError) in
                guard revision >= guarded.state.compactedRevision else {
                    throw StoreError(.compacted, "revision \(revision) was compacted away: take a new snapshot")
                }
                for change in guarded.state.history where change.revision >= revision {
                    if let part = change.restricted(to: prefix) { continuation.yield(part) }
                }
                guarded.lastWatcher += 1
                guarded.watchers[guarded.lastWatcher] = Watcher(prefix: prefix, continuation: continuation)
            }
        } catch {
            continuation.finish(throwing: error)
        }
        return stream
    }

    package func grantLease(seconds: Int) async throws(StoreError) -> StoreLease {
        let span = Duration.seconds(max(1, seconds))
        let lease = try step { $0.state.grant(span: span, now: now()) }
        guard let sleep else { return lease }
        // From expiry to expiry until the lease is gone; doesn't keep the store alive meanwhile.
        Task { [weak self] in
            while let rest = self?.rest(of: lease) {
                try await sleep(rest)
                self?.expireLeases()
            }
        }
        return lease
    }

    private func rest(of lease: StoreLease) -> Duration? {
        guarded.withLock { $0.state.expiry(of: lease) }.map { $0 - now() }
    }

    package func renew(_ lease: StoreLease) async throws(StoreError) {
        try step { guarded throws(StoreError) in try guarded.state.renew(lease, now: now()) }
    }

    package func revoke(_ lease: StoreLease) async throws(StoreError) {
        try step { publish($0.state.revoke(lease), &$0) }
    }
}

extension InMemoryStore {
    package func members() async throws(StoreError) -> [StoreMember] {
        try step { $0.state.members }
    }

    package func addLearner(peerURL: String) async throws(StoreError) -> StoreMember {
        try step { $0.state.addLearner(peerURL: peerURL) }
    }

    package func promote(member id: UInt64) async throws(StoreError) {
        try step { guarded throws(StoreError) in try guarded.state.promote(member: id) }
    }

    package func remove(member id: UInt64) async throws(StoreError) {
        try step { $0.state.remove(member: id) }
    }

    package func update(member id: UInt64, peerURL: String) async throws(StoreError) {
        try step { $0.state.update(member: id, peerURL: peerURL) }
    }
}

extension StoreChange {
    /// The part of the change that a watch of this prefix sees; nil when there is none.
    fileprivate func restricted(to prefix: String) -> StoreChange? {
        let seen = events.filter { $0.key.utf8.starts(with: prefix.utf8) }
        return seen.isEmpty ? nil : StoreChange(events: seen, revision: revision)
    }
}

extension StoreEvent {
    package var key: String {
        switch self {
        case .put(let entry): entry.key
        case .delete(let key, _): key
        }
    }
}
