package import ClusterStore
import FoundationEssentials
import Synchronization

extension EtcdStore {
    package func snapshot(prefix: String) async throws(StoreError) -> StoreSnapshot {
        let answer: RangeResponse = try await call("/kv/range", GatewayRange(prefix: prefix)).body
        let entries = (answer.kvs ?? []).map { StoreEntry($0.entry) }
        return StoreSnapshot(entries: entries, revision: answer.header.revision?.value ?? 0)
    }

    /// A conflict is reported only when the conditions did not hold *and* no earlier attempt of this call is the
    /// reason; see ``CommitMarkers``.
    package func commit(
        _ writes: [StoreWrite], if conditions: [StoreCondition]
    ) async throws(StoreError) -> StoreTransactionResult {
        guard !conditions.isEmpty else {
            let request = TransactionRequest(writes, if: [], marker: nil)
            let answer: TransactionResponse = try await call("/kv/txn", request).body
            return .committed(revision: answer.header.revision?.value ?? 0)
        }
        let marker = markers.withLock { $0.take() }
        defer { markers.withLock { $0.give(back: marker) } }
        let request = TransactionRequest(writes, if: conditions, marker: marker)
        let answer: GatewayCaller.Answer<TransactionResponse> = try await call("/kv/txn", request)
        if answer.body.succeeded == true { return .committed(revision: answer.body.header.revision?.value ?? 0) }
        guard answer.isAmbiguous, let own = answer.body.ownCommit(marker) else { return .conflict }
        return .committed(revision: own)
    }

    /// Forgets what happened before a revision. etcd does so by itself; see ``EtcdServer``.
    package func compact(to revision: Int64) async throws(StoreError) {
        let _: Nothing = try await call("/kv/compaction", CompactionRequest(revision: Gateway64(revision))).body
    }
}

extension TransactionRequest {
    init(_ writes: [StoreWrite], if conditions: [StoreCondition], marker: CommitMarkers.Marker?) {
        compare = conditions.map { condition in
            switch condition {
            case .modifiedRevision(let key, let revision):
                Compare(key: Data(key.utf8), mod_revision: Gateway64(revision))
            }
        }
        success = writes.map { write in
            switch write {
            case .put(let key, let value, let lease):
                let lease = lease.map { Gateway64($0.id) }
                return Operation(requestPut: Put(key: Data(key.utf8), value: Data(value), lease: lease))
            case .delete(let key):
                return Operation(requestDeleteRange: GatewayRange(key: key))
            }
        }
        failure = []
        guard let marker, !writes.isEmpty else { return }
        success.append(Operation(requestPut: Put(key: Data(marker.key.utf8), value: Data(marker.value.utf8))))
        failure.append(Operation(requestRange: GatewayRange(key: marker.key)))
    }
}

extension TransactionResponse {
    /// Revision of the attempt that wrote this marker, if one did.
    fileprivate func ownCommit(_ marker: CommitMarkers.Marker) -> Int64? {
        let read = responses?.first?.response_range?.kvs?.first?.entry
        return read.flatMap { $0.value == Array(marker.value.utf8) ? $0.revision : nil }
    }
}

extension StoreEntry {
    init(_ parts: StoreEntryParts) {
        self.init(key: parts.key, value: parts.value, modifiedRevision: parts.revision)
    }
}
