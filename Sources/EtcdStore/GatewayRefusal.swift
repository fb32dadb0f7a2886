import ClusterStore

/// An answer of etcd that says no. A number of gRPC and a text; etcd tells its refusals apart only by the text.
struct GatewayRefusal: Error {
    enum Code {
        static let notFound = 5
        static let resourceExhausted = 8
        static let unavailable = 14
    }

    /// gRPC status code.
    var code: Int
    var text: String

    /// Another member, or the same one a moment later, may say yes.
    var isWorthAnotherMember: Bool {
        // Canceled, unknown (a member that is stopping), deadline exceeded, unavailable.
        if isNotReady || text.contains("space exceeded") { return false }
        return [1, 2, 4, Code.unavailable].contains(code) || text.contains("too many requests")
    }

    /// The membership can't change now: peers not all connected, another learner under way, learner behind.
    var isNotReady: Bool {
        ["unhealthy cluster", "in sync with leader", "too many learner", "not enough started"].contains {
            text.contains($0)
        }
    }

    var isLeaseNotFound: Bool { text.contains("lease not found") }

    var storeError: StoreError {
        if isNotReady { return StoreError(.notReady, "the store can't change its members yet: \(text)") }
        if isLeaseNotFound { return StoreError(.leaseLost, "the lease has expired: ask for a new one") }
        if text.contains("space exceeded") {
            return StoreError(.unavailable, "the store's disk quota is used up; it takes no writes: \(text)")
        }
        let code: StoreError.Code = isWorthAnotherMember ? .unavailable : .protocolViolation
        return StoreError(code, "the store refused: \(text)")
    }
}
