package import ClusterStore

/// What every ``ClusterStore`` promises, as checks over a live one. Each works under a prefix of its own, so they can
/// run side by side on one store. They throw ``Violation``.
package struct StoreContract: Sendable {
    package struct Check: Sendable {
        package let name: String
        package let run: @Sendable (StoreContract) async throws -> Void
    }

    package static let checks: [Check] = [
        Check(name: "compare and set") { try await $0.compareAndSet() },
        Check(name: "all writes or none") { try await $0.allOrNone() },
        Check(name: "a transaction is one change") { try await $0.oneChange() },
        Check(name: "watch from an old revision") { try await $0.watchFromOldRevision() },
        Check(name: "watch has no gap under writes") { try await $0.noGap() },
        Check(name: "prefix edges") { try await $0.prefixEdges() },
        Check(name: "values are bytes") { try await $0.bytes() },
        Check(name: "delete of nothing") { try await $0.deleteNothing() },
        Check(name: "a key twice in a transaction") { try await $0.duplicateKey() },
        Check(name: "lease expires") { try await $0.leaseExpires() },
        Check(name: "lease renewed") { try await $0.leaseRenewed() },
        Check(name: "lease revoked") { try await $0.leaseRevoked() },
        Check(name: "compacted") { try await $0.compacted() },
        Check(name: "cancelled watch ends") { try await $0.cancelledWatch() },
    ]

    let store: any ClusterStore
    let prefix: String
    let compact: @Sendable (Int64) async throws -> Void

    /// - Parameters:
    ///   - prefix: ends with `/`; nothing else is there.
    ///   - compact: forgets history before a revision.
    package init(
        store: any ClusterStore, prefix: String, compact: @escaping @Sendable (Int64) async throws -> Void
    ) {
        self.store = store
        self.prefix = prefix
        self.compact = compact
    }

    func key(_ name: String) -> String { prefix + name }

    func put(_ name: String, _ value: String, lease: StoreLease? = nil) -> StoreWrite {
        .put(key: key(name), value: Array(value.utf8), lease: lease)
    }

    func written(_ writes: StoreWrite..., if conditions: [StoreCondition] = []) async throws -> Int64 {
        switch try await store.commit(writes, if: conditions) {
        case .committed(let revision): return revision
        case .conflict: throw Violation("conflict for \(writes)")
        }
    }

    func value(_ name: String) async throws -> String? {
        let entry = try await store.snapshot(prefix: key(name)).entries.first { $0.key == key(name) }
        return entry.map { String(decoding: $0.value, as: UTF8.self) }
    }
}

extension StoreContract {
    private func compareAndSet() async throws {
        let absent = StoreCondition.modifiedRevision(key: key("a"), equals: 0)
        let first = try await written(put("a", "1"), if: [absent])
        try expect(try await store.commit([put("a", "x")], if: [absent]) == .conflict, "created twice")
        let second = try await written(put("a", "2"), if: [.modifiedRevision(key: key("a"), equals: first)])
        try expect(second > first, "revisions grow: \(first) then \(second)")
        let stale = StoreCondition.modifiedRevision(key: key("a"), equals: first)
        try expect(try await store.commit([put("a", "x")], if: [stale]) == .conflict, "stale revision accepted")
        try expect(try await store.commit([.delete(key: key("a"))], if: [stale]) == .conflict, "stale delete accepted")
        let snapshot = try await store.snapshot(prefix: prefix)
        let expected = StoreEntry(key: key("a"), value: Array("2".utf8), modifiedRevision: second)
        try expect(snapshot.entries == [expected], "\(snapshot)")
        try expect(snapshot.revision >= second, "snapshot of revision \(snapshot.revision), written at \(second)")
        _ = try await written(.delete(key: key("a")), if: [.modifiedRevision(key: key("a"), equals: second)])
        _ = try await written(put("a", "3"), if: [absent])
    }

    private func allOrNone() async throws {
        let first = try await written(put("a", "1"), put("b", "1"))
        let conditions = [
            StoreCondition.modifiedRevision(key: key("a"), equals: first),
            .modifiedRevision(key: key("b"), equals: 0),
        ]
        let result = try await store.commit([put("a", "2"), put("c", "2")], if: conditions)
        try expect(result == .conflict, "one broken condition of two: \(result)")
        try expect(try await value("a") == "1", "half a transaction was written")
        try expect(try await value("c") == nil, "half a transaction was written")
    }

    private func oneChange() async throws {
        _ = try await written(put("old", "1"))
        let start = try await store.snapshot(prefix: prefix).revision
        let watch = WatchRecorder(store.watch(prefix: prefix, from: start + 1))
        defer { watch.cancel() }
        let revision = try await written(put("a", "1"), .delete(key: key("old")), put("b", "2"))
        let change = try await watch.changes(1)[0]
        let expected: Set<StoreEvent> = [
            .put(StoreEntry(key: key("a"), value: Array("1".utf8), modifiedRevision: revision)),
            .delete(key: key("old"), revision: revision),
            .put(StoreEntry(key: key("b"), value: Array("2".utf8), modifiedRevision: revision)),
        ]
        try expect(change.revision == revision && Set(change.events) == expected, "\(change)")
        try expect(change.events.count == 3, "\(change)")
    }

    private func prefixEdges() async throws {
        for name in ["p", "p/", "p/a", "p/z/deep", "p0", "pé", "o"] { _ = try await written(put(name, name)) }
        let found = try await store.snapshot(prefix: key("p/")).entries.map(\.key)
        try expect(found == ["p/", "p/a", "p/z/deep"].map(key), "under p/: \(found)")
        let whole = try await store.snapshot(prefix: key("p")).entries.map(\.key)
        try expect(whole == ["p", "p/", "p/a", "p/z/deep", "p0", "pé"].map(key), "under p: \(whole)")
        let all = try await store.snapshot(prefix: "").entries.map(\.key)
        try expect(all.contains(key("o")) && all.contains(key("pé")), "under nothing: \(all)")
        try expect(try await store.snapshot(prefix: key("q")).entries.isEmpty, "something under q")
        let start = try await store.snapshot(prefix: prefix).revision
        let watch = WatchRecorder(store.watch(prefix: key("p/"), from: start + 1))
        defer { watch.cancel() }
        for name in ["p0", "p", "p/new"] { _ = try await written(put(name, "again")) }
        let events = try await watch.changes(1).flatMap(\.events).map(\.key)
        try expect(events == [key("p/new")], "a watch of p/ saw \(events)")
    }

    private func bytes() async throws {
        let all = Array(UInt8.min...UInt8.max)
        _ = try await written(.put(key: key("bytes"), value: all), .put(key: key("empty"), value: []))
        let entries = try await store.snapshot(prefix: prefix).entries
        try expect(entries.map(\.value) == [all, []], "\(entries)")
    }

    private func deleteNothing() async throws {
        let start = try await store.snapshot(prefix: prefix).revision
        let watch = WatchRecorder(store.watch(prefix: prefix, from: start + 1))
        defer { watch.cancel() }
        _ = try await written(.delete(key: key("never")))
        let revision = try await written(put("after", "1"))
        let changes = try await watch.changes(1)
        try expect(changes.map(\.revision) == [revision], "\(changes)")
    }

    private func duplicateKey() async throws {
        do {
            _ = try await written(put("a", "1"), put("a", "2"))
        } catch let error as StoreError where error.code == .protocolViolation {
            return
        }
        throw Violation("one key was put twice in one transaction")
    }
}
