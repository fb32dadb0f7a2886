import ClusterModel
import EtcdStore
import FoundationEssentials
import HTTPTransport
import ManagementAPI
import ManagerCore
import ManagerService
import NodeLayout
import Primitives
import TLS

/// A node that starts with another address than it had is still that node: it has the key.
extension Manager {
    /// Before anything of the node runs: asks any node that it knows for its record to be changed, and for a
    /// certificate with the new address. May be repeated.
    func followAddress(_ known: NodeIdentity, keys: NodeKeys) async throws -> (NodeIdentity, NodeKeys) {
        guard known.address != ownAddress else { return (known, keys) }
        let client = HTTPClient(
            group: group,
            tls: try TLSContext.client(identity: keys.identity, trust: .authority(pem: keys.authorityPEM)))
        defer { Task { await client.shutdown() } }
        let request = try Certificates.makeRequest(
            commonName: "node\(known.node)", privateKeyPEM: keys.identity.privateKeyPEM)
        let move = MoveObject(node: known.node, address: ownAddress, certificateRequest: request)
        let message = HTTPClientRequest(
            method: "POST", path: InternalPath.address, headers: [("content-type", "application/json")],
            body: Array(try JSONEncoder().encode(move)))
        if let answer = try ownAnswer(known, move) { return try take(answer, known, keys) }
        var last = "it knows no other node"
        for address in peerAddresses(known) {
            do {
                let response = try await client.send(
                    message, to: HTTPEndpoint(host: address, port: Peers.port), deadline: .seconds(10))
                guard response.status == 200 else {
                    last = "\(address): \(String(decoding: response.body.prefix(500), as: UTF8.self))"
                    continue
                }
                let answer = try JSONDecoder().decode(JoinAnswerObject.self, from: Data(response.body))
                return try take(answer, known, keys)
            } catch {
                last = "\(address): \(error)"
            }
        }
        throw PlanError(
            "address_changed", status: 503,
            "This node was \(known.address) and is \(ownAddress) now, and no other node has agreed to that yet; trying "
                + "again. Last: \(last)")
    }

    /// A cluster of one node asks nobody: the node has the authority's key, and its record follows when its store is
    /// up.
    private func ownAnswer(_ known: NodeIdentity, _ move: MoveObject) throws -> JoinAnswerObject? {
        guard let kept = shelf.newest(), kept.header.store == known.store else { return nil }
        let state = try kept.state()
        guard state.nodes.count == 1, var record = state.nodes[known.node] else { return nil }
        record.address = ownAddress
        var answer = try Admission(state: state).certificate(for: record, request: move.certificateRequest)
        answer.voterAddresses = [ownAddress]
        return answer
    }

    /// The second half of that.
    func correctOwnAddress(_ state: ClusterState, _ membership: Membership) async {
        let node = membership.identity.node
        guard state.nodes.count == 1, !state.isProvisional, let record = state.nodes[node], record.address != ownAddress
        else { return }
        let (address, time) = (ownAddress, now())
        do {
            try await membership.member.editor.edit(as: .anyNode) { state throws(PlanError) in
                try Planner.moveNode(node, to: address, in: state, now: time)
            }
        } catch {
            logger.warning("could not record this node's address", metadata: ["error": "\(error)"])
        }
    }

    private func take(
        _ answer: JoinAnswerObject, _ known: NodeIdentity, _ keys: NodeKeys
    ) throws -> (NodeIdentity, NodeKeys) {
        let new = NodeKeys(
            authorityPEM: answer.authority,
            identity: TLSIdentity(
                certificateChainPEM: answer.certificate + answer.authority, privateKeyPEM: keys.identity.privateKeyPEM))
        try new.save(directory: paths.pki)
        var identity = known
        identity.address = ownAddress
        // Of another store than ours they would be of no use before the peers have been compared.
        if (answer.store ?? .first) == known.store { identity.voterAddresses = answer.voterAddresses }
        try identity.save(path: paths.identity)
        logger.notice("the node has a new address", metadata: ["old": "\(known.address)", "new": "\(ownAddress)"])
        return (identity, new)
    }

    private func peerAddresses(_ known: NodeIdentity) -> [String] {
        let nodes = (try? shelf.newest()?.state().sortedNodes) ?? []
        let addresses = known.voterAddresses + nodes.filter { $0.id != known.node }.map(\.address)
        var seen: Set<String> = [known.address, ownAddress]
        return addresses.filter { seen.insert($0).inserted }
    }

    /// Any node does this, not only the leader. While the node still answers at its old address, the one that asks is a
    /// copy of it.
    func moveNode(_ move: MoveObject) async throws(PlanError) -> JoinAnswerObject {
        guard let membership, let state = await state() else { throw .noCluster }
        if let record = state.nodes[move.node], record.address != move.address { try await refuseAlive(move.node) }
        let time = now()
        let plan: Plan?
        do {
            plan = try await membership.member.editor.edit(as: .anyNode) { state throws(PlanError) in
                try Planner.moveNode(move.node, to: move.address, in: state, now: time)
            }.plan
        } catch {
            guard case .refused(let refusal) = error else { throw .noQuorum }
            throw refusal
        }
        guard let node = plan?.node, let newest = await self.state() else { throw .noCluster }
        return try Admission(state: newest).certificate(for: node, request: move.certificateRequest)
    }

    /// - Throws: `node_alive` when the manager of a node answers at the address that the cluster knows.
    func refuseAlive(_ id: NodeID) async throws(PlanError) {
        guard let membership, let record = await state()?.nodes[id] else { return }
        let isOwn = id == membership.identity.node
        let answer: StoreReportObject? =
            isOwn ? nil : try? await membership.peers.get(InternalPath.store, from: record, deadline: .seconds(2))
        guard isOwn || answer?.node == id else { return }
        throw PlanError(
            "node_alive", status: 409,
            "Node \(id) answers at \(record.address): it is alive, and no other machine can be it. Switch it off first."
        )
    }

    /// True when another machine has taken this node's place: then nothing of it may run.
    func endIfReplaced(_ state: ClusterState, _ membership: Membership) async -> Bool {
        guard let record = state.nodes[membership.identity.node], !record.publicKeyDigest.isEmpty,
            membership.keyDigest != record.publicKeyDigest
        else { return false }
        let error = PlanError(
            "node_replaced", status: 409,
            "Another machine, \(record.address), has taken the place of this node \(record.id). Its data is left as it "
                + "is; uninstall and install it to let it join as a new node.")
        logger.critical("\(error.message)")
        phase = .failed(BootstrapWork(kind: .resuming, startedAt: now()), error, endedAt: now())
        try? await watchdog.stop(EtcdServer.processName)
        memberWork?.cancel()
        return true
    }
}
