import ClusterStore
import EtcdStore
import TestSupport
import Testing

/// ``EtcdStore`` against real etcd: the contract.
@Suite(.serialized)
struct EtcdStoreTests {
    @Test func contractOnOneMember() async throws {
        try await TestEtcd.withMembers(1) { try await Self.runContract(on: $0.store()) }
    }

    @Test func contractOnThreeMembers() async throws {
        try await TestEtcd.withMembers(3) { try await Self.runContract(on: $0.store(preferring: 2)) }
    }

    private static func runContract(on store: EtcdStore) async throws {
        for (number, check) in StoreContract.checks.enumerated() {
            let contract = StoreContract(store: store, prefix: "/contract/\(number)/") {
                try await store.compact(to: $0)
            }
            do {
                try await check.run(contract)
            } catch {
                Issue.record(error, "\(check.name)")
            }
        }
    }

    @Test func whatIsNotThereIsUnavailable() async throws {
        try await TestEtcd.withMembers(1) { etcd in
            let nobody = etcd.store([99])
            let error = try await #require(throws: StoreError.self) { _ = try await nobody.snapshot(prefix: "/") }
            #expect(error.code == .unavailable)
            let watch = WatchRecorder(nobody.watch(prefix: "/", from: 1))
            #expect((try await watch.end() as? StoreError)?.code == .unavailable)
        }
    }
}
