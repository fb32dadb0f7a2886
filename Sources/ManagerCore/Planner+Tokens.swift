import ClusterModel
package import Primitives

extension Planner {
    /// Stores a new join token; its secret is in nobody's hands but the caller's.
    /// - Parameters:
    ///   - lifetimeSeconds: 60 s ... 10 years; nil: it never expires.
    ///   - uses: Nodes that may join with it, 1...10,000; nil: any number.
    /// - Throws: `uid_exists` (409), `invalid_token` (400).
    package static func createToken(
        id: String, secretDigest: String, lifetimeSeconds: Int64?, uses: Int?, createdBy: String,
        in state: ClusterState, now: WallTime
    ) throws(PlanError) -> Plan {
        _ = try head(of: state)
        guard state.tokens[id] == nil else {
            throw PlanError("uid_exists", status: 409, "There is a join token \(id) already.")
        }
        if let lifetimeSeconds, !(60...315_360_000).contains(lifetimeSeconds) {
            throw PlanError("invalid_token", status: 400, "A token lives for 60 seconds to 10 years.")
        }
        if let uses, !(1...10_000).contains(uses) {
            throw PlanError("invalid_token", status: 400, "A token is good for 1 to 10,000 nodes.")
        }
        let record = JoinTokenRecord(
            id: id, secretDigest: secretDigest, createdAt: now,
            expiresAt: lifetimeSeconds.map { now.adding(seconds: $0) }, usesLeft: uses, createdBy: createdBy)
        return Plan(changes: [.token(record)])
    }

    /// Makes a token worthless at once. Doing it twice is no error.
    /// - Throws: `token_not_exist` (404).
    package static func revokeToken(_ id: String, in state: ClusterState) throws(PlanError) -> Plan {
        guard var head = state.head, var token = state.tokens[id] else {
            throw PlanError("token_not_exist", status: 404, "There is no join token \(id).")
        }
        guard !token.isRevoked else { return Plan(changes: []) }
        token.isRevoked = true
        // The head goes along so that an admission planned from the state before can't slip in afterwards.
        _ = head.raiseEpoch()
        return Plan(changes: [.head(head), .token(token)])
    }

    /// Removes tokens that are of no more use and a day past it. Nil when there are none.
    package static func forgetTokens(in state: ClusterState, now: WallTime) -> Plan? {
        let day: Int64 = 86_400
        let dead = state.tokens.values.filter { token in
            token.expiresAt.map { $0.adding(seconds: day) < now } ?? false
        }
        let keys = dead.map(\.id).sorted().prefix(maximumChanges)
        return keys.isEmpty ? nil : Plan(changes: keys.map { .removed(.token($0)) })
    }
}
