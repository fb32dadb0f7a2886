import ClusterModel
import ClusterStore
import EtcdStore
import FoundationEssentials
import HTTPTransport
import HostControl
import ManagementAPI
import ManagerCore
import ManagerService
import NodeLayout
import NodeService
import Primitives
import TLS

/// From installed to member: making a cluster, or joining one. Both end with `node.json`; whatever a killed attempt
/// left before that is cleared away by the next one.
extension Manager {
    func createCluster(_ request: BootstrapRequest) async throws(PlanError) {
        await waitUntilResumed()
        try refuseUnlessIdle()
        let name = try ClusterName.check(request.cluster?.name ?? "")
        let email = request.credentials?.username ?? ""
        let password = request.credentials?.password ?? ""
        guard email.contains("@"), email.count <= 254 else {
            throw PlanError(
                code: "config_error", status: 400,
                message: "The administrator is an e-mail address such as you@example.com; got '\(email)'.")
        }
        guard password.utf8.count >= 8 else {
            throw PlanError(
                code: "password_not_complex", status: 400, message: "The password needs at least 8 characters.")
        }
        let rack = try NodeCandidate.checkRack(request.node?.identity?.rackID ?? "")
        begin(.creating) { manager, work in
            try await manager.makeCluster(name: name, email: email, password: password, rack: rack, work: work)
        }
    }

    func joinCluster(_ request: BootstrapRequest) async throws(PlanError) {
        await waitUntilResumed()
        try refuseUnlessIdle()
        guard let address = request.cluster?.nodes?.first, !address.isEmpty else {
            throw PlanError(
                code: "config_error", status: 400,
                message: "Name the address of any node of the cluster in cluster.nodes.")
        }
        let token: JoinToken
        do throws(JoinTokenError) {
            token = try JoinToken(parsing: request.credentials?.token ?? "")
        } catch {
            throw PlanError(code: error.code.rawValue, status: 400, message: error.message)
        }
        let replaced = request.cluster?.replacedNode.map { NodeID($0) }
        let rack = try NodeCandidate.checkRack(request.node?.identity?.rackID ?? "")
        begin(.joining) { manager, work in
            try await manager.join(address, token: token, replacing: replaced, rack: rack, work: work)
        }
    }

    /// A manager that has just started does not know yet whether it is in a cluster. It does soon; past the bound the
    /// caller is told "busy".
    func waitUntilResumed() async {
        let deadline = ContinuousClock.now + .seconds(10)
        while phase.isResuming, ContinuousClock.now < deadline, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func refuseUnlessIdle() throws(PlanError) {
        switch phase {
        case .idle: return
        case .failed(let work, let error, _):
            if work.kind == .resuming { throw error }
        case .working:
            throw PlanError(
                code: "busy", status: 409, message: "This node is being bootstrapped already; see GET /v1/bootstrap.")
        case .member(let membership, _):
            throw PlanError(
                code: "already_joined", status: 409,
                message:
                    "This node is node \(membership.identity.node) of cluster "
                    + "\(membership.identity.clusterName) already."
            )
        }
    }

    private func begin(
        _ kind: BootstrapWork.Kind, _ body: @escaping @Sendable (Manager, BootstrapWork) async throws -> Void
    ) {
        let work = BootstrapWork(kind: kind, startedAt: now())
        phase = .working(work)
        Task {
            do {
                try await body(self, work)
            } catch {
                await fail(work, error)
            }
        }
    }

    private func fail(_ work: BootstrapWork, _ error: any Error) async {
        logger.error("bootstrap failed", metadata: ["state": "\(work.state)", "error": "\(error)"])
        // Past this file the node is a member, and what is left to do is what every start of the manager does.
        if FileManager.default.fileExists(atPath: paths.identity) { return await resume() }
        try? await clearUnfinishedAttempt()
        phase = .failed(work, BootstrapFailure.translate(error), endedAt: now())
    }

    private func makeCluster(
        name: String, email: String, password: String, rack: String, work: BootstrapWork
    ) async throws {
        try await clearUnfinishedAttempt()
        let seed = try ClusterSeed(
            clusterName: name, adminEmail: email, adminPassword: password, candidate: candidate(in: rack),
            now: now())
        try seed.keys.save(directory: paths.pki)
        let identity = NodeIdentity(
            node: NodeID(1), clusterName: name, address: ownAddress, voterAddresses: [ownAddress])
        try await startStore(node: identity.node, initialCluster: [identity.node: ownAddress], isNew: true, of: .first)
        let (store, client) = try openStore(identity, keys: seed.keys)
        try await seed.commit(to: store)
        await client.shutdown()
        try identity.save(path: paths.identity)
        try await becomeMember(identity, keys: seed.keys, work: work)
    }

    private func join(
        _ address: String, token: JoinToken, replacing replaced: NodeID?, rack: String, work: BootstrapWork
    ) async throws {
        let handshake = JoinHandshake(token: token, pkiDirectory: paths.pki)
        let (answer, keys) = try await handshake.run(
            with: address, candidate: candidate(in: rack), replacing: replaced, now: now(), group: group)
        try keys.save(directory: paths.pki)
        let identity = NodeIdentity(
            node: answer.node, clusterName: answer.clusterName, address: ownAddress,
            voterAddresses: answer.voterAddresses, store: answer.store ?? .first)
        try identity.save(path: paths.identity)
        try await becomeMember(identity, keys: keys, work: work)
    }

    /// Removes what an attempt left that never got as far as `node.json`. The joiner's own key stays: by it the
    /// cluster recognises a second try.
    func clearUnfinishedAttempt() async throws {
        guard try NodeIdentity.load(path: paths.identity) == nil else { return }
        let files = FileManager.default
        guard files.fileExists(atPath: "\(paths.store)/member") || files.fileExists(atPath: paths.nodeCertificate)
        else {
            return
        }
        try await watchdog.stop(EtcdServer.processName)
        for path in ["\(paths.store)/member", paths.authorityCertificate, paths.nodeCertificate, paths.nodeKey]
        where files.fileExists(atPath: path) {
            try files.removeItem(atPath: path)
        }
    }

    private func candidate(in rack: String) -> NodeCandidateObject {
        let facts = HostInventory.ofThisMachine()
        return NodeCandidateObject(
            address: ownAddress, hostname: facts.hostname, architecture: facts.architecture,
            cores: facts.cores, totalMemory: facts.totalMemory, softwareVersion: ReleaseVersion.current,
            operatingSystem: facts.operatingSystem, publicKeyDigest: "", rackID: rack.isEmpty ? nil : rack)
    }
}

/// The name of a cluster: a domain name, because endpoints get names below it.
enum ClusterName {
    static func check(_ name: String) throws(PlanError) -> String {
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isGood = name.utf8.count <= 64 && !labels.isEmpty && labels.allSatisfy(isLabel)
        guard isGood else {
            throw PlanError(
                code: "config_error", status: 400,
                message:
                    "A cluster's name is a domain name of at most 64 characters such as cluster.local; got '\(name)'.")
        }
        return name
    }

    private static func isLabel(_ label: Substring) -> Bool {
        !label.isEmpty && label.utf8.count <= 63 && !label.hasPrefix("-") && !label.hasSuffix("-")
            && label.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            }
    }
}

/// What a failed bootstrap tells: the reference system's codes where it has one.
enum BootstrapFailure {
    static func translate(_ error: any Error) -> PlanError {
        switch error {
        case let refusal as PlanError: refusal
        case let peer as PeerError: PlanError(code: peer.code, status: peer.status, message: peer.message)
        case let transport as HTTPClientError: translate(transport)
        case let store as StoreError:
            PlanError(code: "internal_error", status: 503, message: "The configuration store did not start: \(store)")
        default: PlanError(code: "internal_error", status: 500, message: "\(error)")
        }
    }

    private static func translate(_ error: HTTPClientError) -> PlanError {
        if case .tls(let problem) = error.code {
            let isPin = problem.code == .untrustedPeer
            return PlanError(
                code: isPin ? "wrong_authority" : "connect_error", status: 406,
                message: isPin
                    ? "The node there is not of the cluster that the token names: \(problem). Check address and token."
                    : "\(problem)")
        }
        return PlanError(
            code: "connect_error", status: 406,
            message: "\(error) Check the address, and that port \(Peers.port) is open between the nodes.")
    }
}
