package import ClusterStore

extension EtcdStore {
    /// etcd grants no less than 1.5 election timeouts, 0.75 s with ours.
    package func grantLease(seconds: Int) async throws(StoreError) -> StoreLease {
        let request = LeaseRequest(TTL: Gateway64(Int64(max(1, seconds))))
        let answer: LeaseResponse = try await call("/lease/grant", request).body
        guard let id = answer.ID?.value else { throw StoreError(.protocolViolation, "a lease without an id") }
        return StoreLease(id: id)
    }

    package func renew(_ lease: StoreLease) async throws(StoreError) {
        let request = LeaseRequest(ID: Gateway64(lease.id))
        let line: StreamLine<LeaseResponse> = try await call("/lease/keepalive", request).body
        if let failure = line.error {
            throw GatewayRefusal(code: failure.grpc_code ?? 0, text: failure.message ?? "no reason given").storeError
        }
        // A lease that is gone is answered with no time to live, not with an error.
        guard let left = line.result?.TTL?.value, left > 0 else { throw .lost(lease) }
    }

    /// A lease that is gone already is no error: that is what was wanted.
    package func revoke(_ lease: StoreLease) async throws(StoreError) {
        do throws(StoreError) {
            let _: Nothing = try await call("/lease/revoke", LeaseRequest(ID: Gateway64(lease.id))).body
        } catch  where error.code == .leaseLost {
        }
    }
}
