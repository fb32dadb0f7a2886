/// What an ``InMemoryStore`` remembers, without time, tasks or locks of its own.
///
/// Rules are etcd's where callers can see them: one revision a transaction, none for one that changes nothing; a
/// revision stays readable by watches until a compaction past it; a lease's end deletes its keys in one transaction.
struct InMemoryState {
    private struct Value {
        var bytes: [UInt8]
        var modifiedRevision: Int64
        var lease: Int64?
    }

    private struct Lease {
        var span: Duration
        var expiresAt: Duration
    }

    /// A fresh etcd answers revision 1, too.
    private(set) var revision: Int64 = 1
    /// Watches may begin here or later.
    private(set) var compactedRevision: Int64 = 0
    private(set) var history: [StoreChange] = []
    private(set) var members: [StoreMember] = []
    private var values: [String: Value] = [:]
    private var leases: [Int64: Lease] = [:]
    private var lastLease: Int64 = 0
    private var lastMember: UInt64 = 1

    init() {
        members = [StoreMember(id: 1, name: "memory", peerURLs: ["memory://1"], isLearner: false)]
    }

    func snapshot(prefix: String) -> StoreSnapshot {
        let found = values.filter { $0.key.utf8.starts(with: prefix.utf8) }
        let entries = found.map { StoreEntry(key: $0, value: $1.bytes, modifiedRevision: $1.modifiedRevision) }
        return StoreSnapshot(
            entries: entries.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }, revision: revision)
    }

    func holds(_ condition: StoreCondition) -> Bool {
        switch condition {
        case .modifiedRevision(let key, let expected): (values[key]?.modifiedRevision ?? 0) == expected
        }
    }

    /// The caller has checked the conditions. Nil: nothing changed, so there is no new revision.
    mutating func apply(_ writes: [StoreWrite]) throws(StoreError) -> StoreChange? {
        var seen: Set<String> = []
        for write in writes {
            guard seen.insert(write.key).inserted else {
                throw StoreError(.protocolViolation, "key \(write.key) is written twice in one transaction")
            }
            if case .put(_, _, let lease?) = write, leases[lease.id] == nil { throw .lost(lease) }
        }
        let next = revision + 1
        return record(writes.compactMap { write($0, at: next) })
    }

    private mutating func write(_ write: StoreWrite, at next: Int64) -> StoreEvent? {
        switch write {
        case .put(let key, let bytes, let lease):
            values[key] = Value(bytes: bytes, modifiedRevision: next, lease: lease?.id)
            return .put(StoreEntry(key: key, value: bytes, modifiedRevision: next))
        case .delete(let key):
            return values.removeValue(forKey: key) == nil ? nil : .delete(key: key, revision: next)
        }
    }

    private mutating func record(_ events: [StoreEvent]) -> StoreChange? {
        guard !events.isEmpty else { return nil }
        revision += 1
        let change = StoreChange(events: events, revision: revision)
        history.append(change)
        return change
    }

    mutating func compact(to target: Int64) {
        compactedRevision = max(compactedRevision, min(target, revision))
        history.removeAll { $0.revision < compactedRevision }
    }
}

extension InMemoryState {
    mutating func grant(span: Duration, now: Duration) -> StoreLease {
        lastLease += 1
        leases[lastLease] = Lease(span: span, expiresAt: now + span)
        return StoreLease(id: lastLease)
    }

    mutating func renew(_ lease: StoreLease, now: Duration) throws(StoreError) {
        guard let span = leases[lease.id]?.span else { throw .lost(lease) }
        leases[lease.id]?.expiresAt = now + span
    }

    /// When the lease ends unless it is renewed; nil when it has ended.
    func expiry(of lease: StoreLease) -> Duration? { leases[lease.id]?.expiresAt }

    mutating func revoke(_ lease: StoreLease) -> StoreChange? {
        leases[lease.id] = nil
        let keys = values.filter { $0.value.lease == lease.id }.keys.sorted()
        let next = revision + 1
        return record(keys.compactMap { write(.delete(key: $0), at: next) })
    }

    mutating func revokeExpired(now: Duration) -> [StoreChange] {
        let expired = leases.filter { $0.value.expiresAt <= now }.keys.sorted()
        return expired.compactMap { revoke(StoreLease(id: $0)) }
    }
}

extension InMemoryState {
    mutating func addLearner(peerURL: String) -> StoreMember {
        if let known = members.first(where: { $0.peerURLs == [peerURL] }) { return known }
        lastMember += 1
        let member = StoreMember(id: lastMember, name: "", peerURLs: [peerURL], isLearner: true)
        members.append(member)
        return member
    }

    mutating func promote(member id: UInt64) throws(StoreError) {
        guard let index = members.firstIndex(where: { $0.id == id }) else {
            throw StoreError(.protocolViolation, "the store has no member \(id)")
        }
        members[index].isLearner = false
    }

    mutating func update(member id: UInt64, peerURL: String) {
        for index in members.indices where members[index].id == id { members[index].peerURLs = [peerURL] }
    }

    mutating func remove(member id: UInt64) {
        members.removeAll { $0.id == id }
    }
}

extension StoreWrite {
    package var key: String {
        switch self {
        case .put(let key, _, _), .delete(let key): key
        }
    }
}

extension StoreError {
    package static func lost(_ lease: StoreLease) -> StoreError {
        StoreError(.leaseLost, "lease \(lease.id) has expired: ask for a new one and write its keys again")
    }
}
