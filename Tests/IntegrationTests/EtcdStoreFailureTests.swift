import ClusterStore
import EtcdStore
import Glibc
import Synchronization
import TestSupport
import Testing

/// ``EtcdStore`` while members die, stop, come and go.
@Suite(.serialized)
struct EtcdStoreFailureTests {
    /// Adds one to a counter by compare and set, on and on. With a real conflict impossible (nobody else writes), a
    /// conflict would be a commit of our own not recognised, and a value skipped one that was made twice.
    private struct Counter {
        let store: EtcdStore
        let key: String
        var revision: Int64 = 0
        var value = 0
        var longest = Duration.zero

        mutating func increment() async throws {
            let clock = ContinuousClock()
            let start = clock.now
            let write = StoreWrite.put(key: key, value: Array(String(value + 1).utf8))
            switch try await store.commit([write], if: [.modifiedRevision(key: key, equals: revision)]) {
            case .committed(let now):
                revision = now
                value += 1
                longest = max(longest, clock.now - start)
            case .conflict: throw Violation("conflict at \(value) without anybody else writing")
            }
        }
    }

    private final class Flag: Sendable {
        let isSet = Atomic(false)
    }

    @Test func killedLeaderLosesAndDoublesNothing() async throws {
        try await TestEtcd.withMembers(3) { etcd in
            let stop = Flag()
            let writers = (0..<4).map { number in
                Task {
                    var counter = Counter(store: etcd.store(preferring: number % 3 + 1), key: "/count/\(number)")
                    while !stop.isSet.load(ordering: .relaxed) { try await counter.increment() }
                    return counter
                }
            }
            for _ in 1...3 {
                let leader = try await etcd.leader()
                try await Self.progress(etcd, writers.count)
                etcd.member(leader).process.signal(SIGKILL)
                etcd.member(leader).process.kill()
                try await Self.progress(etcd, writers.count)
                try etcd.start(leader, knowing: [1, 2, 3], state: .new)
                try await etcd.waitUntilServing(leader)
            }
            stop.isSet.store(true, ordering: .relaxed)
            for (number, writer) in writers.enumerated() {
                let counter = try await writer.value
                let history = WatchRecorder(etcd.store().watch(prefix: counter.key, from: 1))
                let seen = try await history.changes(counter.value).flatMap(\.events).map(Self.number)
                history.cancel()
                #expect(seen == Array(1...counter.value))
                print("writer \(number): \(counter.value) commits, longest \(counter.longest)")
                #expect(counter.longest < .seconds(5))
            }
        }
    }

    private static func number(_ event: StoreEvent) -> Int? {
        guard case .put(let entry) = event else { return nil }
        return Int(String(decoding: entry.value, as: UTF8.self))
    }

    /// Waits until every counter has moved on.
    private static func progress(_ etcd: TestEtcd, _ count: Int) async throws {
        let store = etcd.store()
        let before = try await store.snapshot(prefix: "/count/").revision
        _ = try await eventually("\(count) counters to move") {
            let entries = try await store.snapshot(prefix: "/count/").entries
            return entries.count(where: { $0.modifiedRevision > before }) == count ? true : nil
        }
    }

    @Test func stoppedMemberHangsNeitherCallsNorWatches() async throws {
        try await TestEtcd.withMembers(3) { etcd in
            let leader = try await etcd.leader()
            let stopped = leader % 3 + 1
            let store = etcd.store(preferring: stopped)
            let first = try await store.snapshot(prefix: "/w/").revision + 1
            let watch = WatchRecorder(store.watch(prefix: "/w/", from: first))
            _ = try await store.commit([.put(key: "/w/a", value: [1])], if: [])
            _ = try await watch.changes(1)

            etcd.member(stopped).process.signal(SIGSTOP)
            defer { etcd.member(stopped).process.signal(SIGCONT) }
            let clock = ContinuousClock()
            let start = clock.now
            let result = try await store.commit(
                [.put(key: "/w/b", value: [2])], if: [.modifiedRevision(key: "/w/b", equals: 0)])
            print("commit past a stopped member: \(clock.now - start)")
            guard case .committed(let revision) = result else { throw Violation("conflict") }
            let error = try await watch.end(within: .seconds(10))
            print("watch at a stopped member ended after \(clock.now - start)")
            #expect((error as? StoreError)?.code == .unavailable)
            // The caller goes on where it stood and misses nothing.
            let next = WatchRecorder(store.watch(prefix: "/w/", from: watch.changes.last!.revision + 1))
            #expect(try await next.changes(1).map(\.revision) == [revision])
            next.cancel()
        }
    }

    /// Where a node's watch was begun before its own member served, another node's loss would blind it.
    @Test func watchMovesToTheOwnMember() async throws {
        try await TestEtcd.withMembers(3) { etcd in
            let store = etcd.store([1])
            let first = try await store.snapshot(prefix: "/w/").revision + 1
            let watch = WatchRecorder(store.watch(prefix: "/w/", from: first))
            _ = try await store.commit([.put(key: "/w/a", value: [1])], if: [])
            _ = try await watch.changes(1)
            store.setEndpoints([1, 2, 3].map(etcd.endpoint), preferring: etcd.endpoint(2))
            #expect(try await watch.end(within: .seconds(10)) == nil)
            let next = WatchRecorder(store.watch(prefix: "/w/", from: first + 1))
            defer { next.cancel() }
            etcd.member(1).process.signal(SIGSTOP)
            defer { etcd.member(1).process.signal(SIGCONT) }
            _ = try await store.commit([.put(key: "/w/b", value: [2])], if: [])
            #expect(try await next.changes(1).count == 1)
        }
    }

    /// A commit sent into a member that can't take it, and a repetition that finds it done: the store knows its own.
    @Test func ownCommitIsRecognised() async throws {
        try await TestEtcd.withMembers(3) { etcd in
            let leader = try await etcd.leader()
            // The leader takes requests, but no follower answers it until they go on.
            let followers = [1, 2, 3].filter { $0 != leader }
            for follower in followers { etcd.member(follower).process.signal(SIGSTOP) }
            let store = etcd.store([leader])
            let commit = Task {
                try await store.commit(
                    [.put(key: "/once", value: [1])], if: [.modifiedRevision(key: "/once", equals: 0)])
            }
            // Longer than two attempts, shorter than the leader waits before it steps down.
            try await Task.sleep(for: .milliseconds(420))
            for follower in followers { etcd.member(follower).process.signal(SIGCONT) }
            let result = try await commit.value
            let entry = try #require(try await store.snapshot(prefix: "/once").entries.first)
            #expect(result == .committed(revision: entry.modifiedRevision))
        }
    }

    @Test func learnerIsAddedPromotedAndRemoved() async throws {
        try await TestEtcd.withMembers(3) { etcd in
            let store = etcd.store()
            for number in 0..<50 { _ = try await store.commit([.put(key: "/d/\(number)", value: [7])], if: []) }
            let url = EtcdServer.peerURL(address: etcd.address(4))
            let learner = try await Self.whenReady { try await store.addLearner(peerURL: url) }
            #expect(learner.isLearner)
            #expect(try await store.addLearner(peerURL: url) == learner)
            await #expect(throws: StoreError.self) { try await store.promote(member: learner.id) }
            try etcd.start(4, knowing: [1, 2, 3, 4], state: .existing)
            try await Self.whenReady { try await store.promote(member: learner.id) }
            try await store.promote(member: learner.id)
            let promoted = try #require(try await store.members().first { $0.id == learner.id })
            #expect(promoted == StoreMember(id: learner.id, name: "node4", peerURLs: [url], isLearner: false))
            try await etcd.waitUntilServing(4)
            #expect(try await etcd.store([4]).snapshot(prefix: "/d/").entries.count == 50)
            try await store.remove(member: learner.id)
            try await store.remove(member: learner.id)
            #expect(try await store.members().count == 3)
        }
    }

    /// Repeats what the store isn't ready for, as its callers do.
    private static func whenReady<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        try await eventually(within: .seconds(20), "the store to be ready") {
            do {
                return try await body()
            } catch let error as StoreError where error.code == .notReady {
                return nil
            }
        }
    }
}
