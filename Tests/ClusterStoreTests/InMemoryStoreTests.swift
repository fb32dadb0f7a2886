import ClusterStore
import Synchronization
import TestSupport
import Testing

struct InMemoryStoreTests {
    @Test(arguments: StoreContract.checks.map(\.name))
    func contract(_ name: String) async throws {
        let store = InMemoryStore()
        let contract = StoreContract(store: store, prefix: "/contract/") { store.compact(to: $0) }
        try await #require(StoreContract.checks.first { $0.name == name }).run(contract)
    }

    @Test func leasesFollowTheGivenTime() async throws {
        let time = Mutex(Duration.zero)
        let store = InMemoryStore(now: { time.withLock { $0 } })
        let lease = try await store.grantLease(seconds: 10)
        _ = try await store.commit([.put(key: "k", value: [1], lease: lease)], if: [])
        time.withLock { $0 = .seconds(9) }
        try await store.renew(lease)
        time.withLock { $0 = .seconds(18) }
        #expect(try await store.snapshot(prefix: "k").entries.count == 1)
        let watch = WatchRecorder(store.watch(prefix: "k", from: 3))
        time.withLock { $0 = .seconds(19) }
        store.expireLeases()
        #expect(try await watch.changes(1) == [StoreChange(events: [.delete(key: "k", revision: 3)], revision: 3)])
    }

    @Test func switchedOffItFailsAndEndsWatches() async throws {
        let store = InMemoryStore()
        let watch = WatchRecorder(store.watch(prefix: "", from: 1))
        store.setAvailable(false)
        #expect((try await watch.end() as? StoreError)?.code == .unavailable)
        await #expect(throws: StoreError.self) { try await store.snapshot(prefix: "") }
        store.setAvailable(true)
        #expect(try await store.commit([.put(key: "k", value: [])], if: []) == .committed(revision: 2))
    }

    @Test func membersComeAsLearners() async throws {
        let store = InMemoryStore()
        let learner = try await store.addLearner(peerURL: "memory://2")
        #expect(learner.isLearner)
        try await store.promote(member: learner.id)
        #expect(try await store.members().map(\.isLearner) == [false, false])
        try await store.remove(member: learner.id)
        #expect(try await store.members().count == 1)
    }

    /// A commit wakes a watcher while its task is being cancelled; this once locked both up for ever.
    @Test(.timeLimit(.minutes(1))) func watchersAreCancelledWhileOthersCommit() async throws {
        let store = InMemoryStore()
        let writer = Task {
            while !Task.isCancelled { _ = try await store.commit([.put(key: "k", value: [])], if: []) }
        }
        for _ in 0..<2000 {
            let watcher = Task { for try await _ in store.watch(prefix: "k", from: 1_000_000) {} }
            await Task.yield()
            watcher.cancel()
            _ = await watcher.result
        }
        writer.cancel()
        try await writer.value
    }
}
