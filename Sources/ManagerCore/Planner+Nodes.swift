package import ClusterModel
package import Primitives

extension Planner {
    /// How far a node's clock may be off. Certificates become valid when they are signed, and tokens expire.
    package static let clockToleranceMilliseconds: Int64 = 30_000

    /// Admits a machine that has proved to hold the secret of the token: gives it a number and counts the use.
    ///
    /// A candidate that was admitted before and comes again with the same key and address did not hear the answer:
    /// it gets its number again, and no use is counted.
    /// - Parameter asNewcomer: It is `provisioning` until ``settleJoin(of:in:now:)``: only so can no node that hasn't
    ///   heard of it be outvoted with its help. Else it is active at once.
    /// - Throws: `token_unknown`, `token_revoked`, `token_expired`, `token_used_up` (403), `time_not_sync`,
    ///   `address_in_use` and `already_joined` (409).
    package static func admitNode(
        _ candidate: NodeCandidate, tokenID: String, replacing replaced: NodeID? = nil, asNewcomer: Bool = false,
        in state: ClusterState, now: WallTime
    ) throws(PlanError) -> Plan {
        var head = try head(of: state)
        _ = try NodeCandidate.checkRack(candidate.rackID)
        var token = try token(tokenID, in: state)
        try refuseUnusable(token, now: now)
        try refuseClock(candidate, now: now)
        if let known = try alreadyAdmitted(candidate, except: replaced, in: state) {
            return Plan(changes: [], node: known)
        }
        if let replaced, let known = try alreadyReplaced(replaced, by: candidate, in: state) {
            return Plan(changes: [], node: known)
        }
        if let uses = token.usesLeft {
            guard uses > 0 else {
                throw PlanError(
                    "token_used_up", status: 403,
                    "Join token \(token.id) has been used as often as it may be. Make another with "
                        + "'tarn token create'.")
            }
            token.usesLeft = uses - 1
        }
        _ = head.raiseEpoch()
        var node =
            if let replaced { try replacement(of: replaced, by: candidate, in: state, now: now) } else {
                candidate.record(id: head.takeNode(), storeRole: .client, joinedAt: now)
            }
        // A replacement comes back as its predecessor, who was counted.
        if asNewcomer, replaced == nil { node.status = .provisioning }
        return Plan(changes: [.head(head), .node(node), .token(token)], node: node)
    }

    /// All its witnesses count the newcomer and hold no lease from before (``JoinWatch``): it becomes active. Nil when
    /// it is.
    package static func settleJoin(of node: NodeID, in state: ClusterState, now: WallTime) -> Plan? {
        guard let record = state.nodes[node], record.status == .provisioning else { return nil }
        return setStatus(record.isLeaving ? .decommissioning : .active, of: node, in: state, now: now)
    }

    private static func token(_ id: String, in state: ClusterState) throws(PlanError) -> JoinTokenRecord {
        guard let token = state.tokens[id] else {
            throw PlanError(
                "token_unknown", status: 403,
                "This cluster has no join token \(id). Check that it was copied whole and is of this cluster.")
        }
        return token
    }

    private static func refuseUnusable(_ token: JoinTokenRecord, now: WallTime) throws(PlanError) {
        if token.isRevoked {
            throw PlanError(
                "token_revoked", status: 403,
                "Join token \(token.id) was revoked. Make another with 'tarn token create'.")
        }
        if let expiry = token.expiresAt, expiry <= now {
            throw PlanError(
                "token_expired", status: 403,
                "Join token \(token.id) expired at \(expiry). Make another with 'tarn token create'.")
        }
    }

    private static func refuseClock(_ candidate: NodeCandidate, now: WallTime) throws(PlanError) {
        guard let clock = candidate.clock else { return }
        let difference = clock.milliseconds - now.milliseconds
        guard abs(difference) > clockToleranceMilliseconds else { return }
        throw PlanError(
            "time_not_sync",
            "The clock of \(candidate.address) is \(abs(difference) / 1000) s \(difference > 0 ? "ahead" : "behind"). "
                + "Set it (NTP, chrony) and try again; up to \(clockToleranceMilliseconds / 1000) s are accepted.")
    }

    private static func alreadyAdmitted(
        _ candidate: NodeCandidate, except replaced: NodeID?, in state: ClusterState
    ) throws(PlanError) -> NodeRecord? {
        for node in state.sortedNodes where node.id != replaced {
            let isSameKey = node.publicKeyDigest == candidate.publicKeyDigest && !candidate.publicKeyDigest.isEmpty
            let isSameAddress = node.address == candidate.address
            if isSameKey && isSameAddress { return node }
            if isSameKey {
                throw PlanError(
                    "already_joined", status: 409,
                    "This machine's key belongs to node \(node.id) at \(node.address). A copy of a node can't join: "
                        + "remove its 'pki' directory first.")
            }
            if isSameAddress {
                throw PlanError(
                    "address_in_use", status: 409,
                    "Node \(node.id) has the address \(node.address). Remove that node, or join with another address.")
            }
        }
        return nil
    }

    /// Binds every endpoint where its proxy policy wants it: a node that came serves the `all-nodes` databases, one
    /// that went does no longer. Nil when all are; repeat until then, one plan takes in a hundred databases.
    package static func rebindEndpoints(in state: ClusterState, now: WallTime) -> Plan? {
        guard var head = state.head else { return nil }
        var changed: [DatabaseConfiguration] = []
        for database in state.databases.values.sorted(by: { $0.id < $1.id })
        where database.status != .deletePending && database.transitions.isEmpty {
            let nodes = EndpointRules.nodes(for: database.policy.proxyPolicy, shards: database.shards, in: state)
            guard nodes != database.endpoint.nodes else { continue }
            var database = database
            database.endpoint.nodes = nodes
            database.changedAt = now
            changed.append(database)
            if changed.count == maximumChanges { break }
        }
        guard !changed.isEmpty else { return nil }
        let epoch = head.raiseEpoch()
        for index in changed.indices { changed[index].epoch = epoch }
        return Plan(changes: [.head(head)] + changed.map { .database($0) })
    }

    /// Notes a node's part in the store. Nil when it is noted already, or the node is gone.
    package static func setStoreRole(
        _ role: NodeRecord.StoreRole, of id: NodeID, in state: ClusterState
    ) -> Plan? {
        guard let head = state.head, var node = state.nodes[id], node.storeRole != role else { return nil }
        node.storeRole = role
        // With the head: any node may settle at the same time that this one is lost.
        return Plan(changes: [.head(head), .node(node)], node: node)
    }

    /// Notes that a node went down or came back. Nil when it is noted already, or the node is gone.
    package static func setStatus(
        _ status: NodeRecord.Status, of id: NodeID, in state: ClusterState, now: WallTime
    ) -> Plan? {
        guard var head = state.head, var node = state.nodes[id], node.status != status else { return nil }
        _ = head.raiseEpoch()
        node.status = status
        node.statusSince = now
        return Plan(changes: [.head(head), .node(node)], node: node)
    }
}
