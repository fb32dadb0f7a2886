package import ClusterStore
package import Logging
package import ManagerCore

/// Keeps this node's copy of what the store says and tells whoever wants to know of every change.
///
/// One snapshot, then the watch from there; a broken watch goes on where it stopped, a compacted one starts over.
/// Readers get values, so nobody sees half a transaction.
package actor StateFollower {
    private let store: any ClusterStore
    private let logger: Logger
    private var state: ClusterState?
    private var subscribers: [Int: AsyncStream<ClusterState>.Continuation] = [:]
    private var nextSubscriber = 0
    private var revisionWaiters: [Int: RevisionWaiter] = [:]
    private var nextWaiter = 0
    private var needsSnapshot = true

    private struct RevisionWaiter {
        var revision: Int64
        var continuation: CheckedContinuation<Void, Never>
    }

    /// Between two watches: one that ends at once must not become a loop that burns a core.
    private static let pause = Duration.milliseconds(100)

    /// What this node knew before it was started, for as long as the store can't be read.
    private let seed: ClusterState?
    /// Raising it makes a node that starts without a store wait longer before it serves again; lowering it makes one
    /// that starts with a slow store begin with what it knew before.
    private static let seedPatience = Duration.seconds(3)

    package init(store: any ClusterStore, seed: ClusterState? = nil, logger: Logger) {
        self.store = store
        self.seed = seed
        self.logger = logger
    }

    /// Nil until the first snapshot has been taken.
    package var current: ClusterState? { state }

    /// Every state from now on, the current one first. A slow reader gets the newest one, not all.
    package func states() -> AsyncStream<ClusterState> {
        let (stream, continuation) = AsyncStream.makeStream(of: ClusterState.self, bufferingPolicy: .bufferingNewest(1))
        let number = nextSubscriber
        nextSubscriber += 1
        subscribers[number] = continuation
        continuation.onTermination = { [weak self] _ in
            Task { await self?.unsubscribe(number) }
        }
        if let state { continuation.yield(state) }
        return stream
    }

    private func unsubscribe(_ number: Int) {
        subscribers[number] = nil
    }

    /// Follows until cancelled.
    package func run() async {
        let sower = Task {
            try? await Task.sleep(for: Self.seedPatience)
            if !Task.isCancelled { self.sow() }
        }
        defer { sower.cancel() }
        while !Task.isCancelled {
            do {
                if needsSnapshot { try await takeSnapshot() }
                try await follow()
            } catch let error as StoreError where error.code == .compacted {
                logger.info("store watch fell behind, starting over from a snapshot")
                // The old copy stays until the new one is there: an old answer is better than none.
                needsSnapshot = true
            } catch {
                if Task.isCancelled { break }
                logger.warning("store watch broke, going on", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.pause)
        }
        for continuation in subscribers.values { continuation.finish() }
        for waiter in revisionWaiters.values { waiter.continuation.resume() }
        revisionWaiters = [:]
    }

    /// Returns when this copy has reached a revision, or the task is cancelled. The store's answer to a commit names
    /// the revision.
    package func wait(for revision: Int64) async {
        let number = nextWaiter
        nextWaiter += 1
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                // Cancelled before: the handler has run or will run, and finds nothing here.
                guard !Task.isCancelled, (state?.revision ?? 0) < revision else { return continuation.resume() }
                revisionWaiters[number] = RevisionWaiter(revision: revision, continuation: continuation)
            }
        } onCancel: {
            Task { await self.giveUp(number) }
        }
    }

    private func giveUp(_ number: Int) {
        revisionWaiters.removeValue(forKey: number)?.continuation.resume()
    }

    /// Takes a commit of our own into the copy before the watch brings it, so that the next plan builds on it. When the
    /// watch or a reading was first it may have brought newer writes as well, which stay.
    package func adopt(_ changes: [(key: String, change: StateChange)], revision: Int64) {
        guard var next = state, revision >= watchStart, revision > caughtUpTo else { return }
        for (key, change) in changes {
            next.apply(change, key: key, revision: revision)
            if case .removed = change { removedByUs[key] = revision }
        }
        publish(next)
    }

    /// Keys that we removed ahead of the watch: an older write that it still brings must not revive them.
    private var removedByUs: [String: Int64] = [:]

    private func sow() {
        guard state == nil, var seed else { return }
        logger.warning("the cluster store can't be read, going on with what was known before")
        seed.isProvisional = true
        publish(seed)
    }

    private func takeSnapshot() async throws {
        let next = try await readStore()
        // A commit of our own came in meanwhile: the copy may not step behind it.
        guard next.revision >= state?.revision ?? 0 else { return try await takeSnapshot() }
        needsSnapshot = false
        watchStart = next.revision + 1
        removedByUs = [:]
        publish(next)
    }

    private func readStore() async throws -> ClusterState {
        let snapshot = try await store.snapshot(prefix: StoreKey.prefix)
        var next = ClusterState()
        for entry in snapshot.entries {
            guard let change = try StateCoding.decode(entry) else { continue }
            next.apply(change, key: entry.key, revision: entry.modifiedRevision)
        }
        next.advance(to: snapshot.revision)
        return next
    }

    /// Reads the store at once, for who can't wait until the watch, which may hang at a member that is away, brings
    /// what is there.
    package func catchUp() async throws {
        let next = try await readStore()
        guard let state, next.revision > state.revision else { return }
        caughtUpTo = next.revision
        removedByUs = [:]
        publish(next)
    }

    /// What the watch brings up to here is known: an older write of a key that is gone by now must not revive it.
    private var caughtUpTo: Int64 = 0

    private func follow() async throws {
        for try await change in store.watch(prefix: StoreKey.prefix, from: watchStart) {
            watchStart = change.revision + 1
            guard change.revision > caughtUpTo else { continue }
            guard var next = state else { return }
            for event in change.events { try apply(event, to: &next) }
            next.advance(to: change.revision)
            publish(next)
        }
    }

    /// Where the watch goes on; own commits run ahead of it, so it isn't simply the state's revision.
    private var watchStart: Int64 = 1

    private func apply(_ event: StoreEvent, to next: inout ClusterState) throws {
        switch event {
        case .put(let entry):
            guard (next.revisions[entry.key] ?? 0) < entry.modifiedRevision,
                (removedByUs[entry.key] ?? 0) < entry.modifiedRevision,
                let change = try StateCoding.decode(entry)
            else { return }
            next.apply(change, key: entry.key, revision: entry.modifiedRevision)
        case .delete(let path, let revision):
            guard (next.revisions[path] ?? 0) < revision, let key = StoreKey(path: path) else { return }
            next.apply(.removed(key), key: path, revision: revision)
            if removedByUs[path] == revision { removedByUs[path] = nil }
        }
    }

    private func publish(_ next: ClusterState) {
        state = next
        for continuation in subscribers.values { continuation.yield(next) }
        for (number, waiter) in revisionWaiters where waiter.revision <= next.revision {
            revisionWaiters[number] = nil
            waiter.continuation.resume()
        }
    }
}
