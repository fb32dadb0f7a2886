import ClusterStore

extension StoreContract {
    func watchFromOldRevision() async throws {
        let first = try await written(put("a", "1"))
        let second = try await written(put("a", "2"))
        let third = try await written(.delete(key: key("a")))
        let watch = WatchRecorder(store.watch(prefix: prefix, from: first))
        defer { watch.cancel() }
        let fourth = try await written(put("a", "4"))
        let seen = try await watch.changes(4).map(\.revision)
        try expect(seen == [first, second, third, fourth], "from \(first): \(seen)")
        let later = WatchRecorder(store.watch(prefix: prefix, from: third))
        defer { later.cancel() }
        let rest = try await later.changes(2).map(\.revision)
        try expect(rest == [third, fourth], "from \(third) (inclusive): \(rest)")
    }

    /// Watches that begin in the middle of a stream of writes see every later write exactly once.
    func noGap() async throws {
        let start = try await store.snapshot(prefix: prefix).revision
        let count = 60
        let writer = Task {
            for number in 0..<count { _ = try await written(put("n", String(number))) }
        }
        var watches: [WatchRecorder] = []
        defer { watches.forEach { $0.cancel() } }
        for _ in 0..<5 { watches.append(WatchRecorder(store.watch(prefix: prefix, from: start + 1))) }
        try await writer.value
        for watch in watches {
            let seen = try await watch.changes(count).flatMap(\.events).compactMap { event in
                if case .put(let entry) = event { Int(String(decoding: entry.value, as: UTF8.self)) } else { nil }
            }
            try expect(seen == Array(0..<count), "\(seen)")
        }
    }

    func cancelledWatch() async throws {
        let watch = WatchRecorder(store.watch(prefix: prefix, from: 1))
        watch.cancel()
        let error = try await watch.end()
        try expect(error == nil, "a cancelled watch ended with \(String(describing: error))")
    }

    func compacted() async throws {
        let old = try await written(put("a", "1"))
        let new = try await written(put("a", "2"))
        _ = try await written(put("b", "1"))
        try await compact(new + 1)
        let error = try await WatchRecorder(store.watch(prefix: prefix, from: old)).end()
        try expect((error as? StoreError)?.code == .compacted, "\(String(describing: error))")
        try expect(try await value("a") == "2", "a compaction took a present value")
        let start = try await store.snapshot(prefix: prefix).revision
        let watch = WatchRecorder(store.watch(prefix: prefix, from: start + 1))
        defer { watch.cancel() }
        let next = try await written(put("c", "1"))
        let seen = try await watch.changes(1).map(\.revision)
        try expect(seen == [next], "after the compaction: \(seen)")
    }
}

extension StoreContract {
    func leaseExpires() async throws {
        let lease = try await store.grantLease(seconds: 1)
        let clock = ContinuousClock()
        let granted = clock.now
        let revision = try await written(put("a", "1", lease: lease), put("b", "1", lease: lease), put("stays", "1"))
        let watch = WatchRecorder(store.watch(prefix: prefix, from: revision + 1))
        defer { watch.cancel() }
        let change = try await watch.changes(1)[0]
        let keys = Set(change.events.map(\.key))
        try expect(keys == [key("a"), key("b")], "expiry of the lease did \(change)")
        try expect(clock.now - granted >= .milliseconds(900), "expired after \(clock.now - granted)")
        try expect(try await value("stays") == "1", "expiry took more than the lease's keys")
        try await expectLost { try await store.renew(lease) }
        try await expectLost { _ = try await written(put("late", "1", lease: lease)) }
        try await store.revoke(lease)
    }

    func leaseRenewed() async throws {
        let lease = try await store.grantLease(seconds: 1)
        _ = try await written(put("a", "1", lease: lease))
        let clock = ContinuousClock()
        let end = clock.now + .milliseconds(2500)
        while clock.now < end {
            try await store.renew(lease)
            try expect(try await value("a") == "1", "lost in spite of renewal")
            try await Task.sleep(for: .milliseconds(250))
        }
        // A put without the lease takes the key out of it.
        let revision = try await written(put("a", "2"))
        let watch = WatchRecorder(store.watch(prefix: prefix, from: revision + 1))
        defer { watch.cancel() }
        try await store.revoke(lease)
        let next = try await written(put("b", "1"))
        let seen = try await watch.changes(1).map(\.revision)
        try expect(seen == [next], "the key was still under its old lease: \(seen)")
    }

    func leaseRevoked() async throws {
        let lease = try await store.grantLease(seconds: 30)
        let revision = try await written(put("a", "1", lease: lease))
        let watch = WatchRecorder(store.watch(prefix: prefix, from: revision + 1))
        defer { watch.cancel() }
        try await store.revoke(lease)
        let events = try await watch.changes(1)[0].events
        try expect(events.map(\.key) == [key("a")], "\(events)")
        try expect(try await value("a") == nil, "a revoked lease left its key")
        try await expectLost { try await store.renew(lease) }
    }

    private func expectLost(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as StoreError where error.code == .leaseLost {
            return
        }
        throw Violation("a lost lease was accepted")
    }
}
