import ClusterModel
import FoundationEssentials
import HTTPTransport
import HostControl
import ManagementAPI
import ManagementServer
import ManagerCore
import ManagerService
import NodeService
import Primitives
import TLS

/// What the REST API asks for, answered by the parts of this node and by its peers.
extension Manager: ManagementBackend {
    var membership: Membership? {
        if case .member(let membership, _) = phase { membership } else { nil }
    }

    func state() async -> ClusterState? {
        await membership?.member.follower.current
    }

    func ownNode() async -> NodeID? { membership?.identity.node }

    func bootstrapSecret() async -> String { bootstrapSecret }

    func bootstrapStatus() async -> BootstrapObject {
        var status = phase.bootstrapStatus
        // Who calls right after "completed" should find the cluster, not an empty copy of it.
        if case .member(_, let work?) = phase, await state() == nil {
            status = .init(state: work.state, startTime: work.startedAt.description)
        }
        return BootstrapObject(status: status, localNode: localNode())
    }

    private func localNode() -> LocalNodeObject {
        let host = HostInventory.ofThisMachine()
        return LocalNodeObject(
            uid: membership?.identity.node,
            addresses: host.addresses.map {
                LocalNodeObject.Address(address: $0.address, interface: $0.interface, isPrivate: $0.isPrivate)
            },
            architecture: host.architecture, cores: host.cores, totalMemoryBytes: host.totalMemory.bytes,
            uptimeSeconds: host.uptimeSeconds, softwareVersion: ReleaseVersion.current,
            operatingSystem: host.operatingSystem, hostname: host.hostname)
    }

    func edit(
        _ decide: @escaping @Sendable (ClusterState) throws(PlanError) -> Plan?
    ) async throws(PlanError) -> (plan: Plan?, revision: Int64) {
        guard let membership else { throw .noCluster }
        do {
            return try await membership.member.editor.edit(decide)
        } catch {
            switch error {
            case .refused(let refusal): throw refusal
            case .notLeader: throw .noLeader
            case .store(let error):
                throw PlanError(
                    code: "no_quorum", status: 503,
                    message: "The configuration store can't be written now: \(error). The change may or may not have "
                        + "been made; look before you try again.")
            }
        }
    }

    nonisolated func fresh() -> Fresh {
        func secret() -> String { Hex.encode(Crypto.randomBytes(16)) }
        return Fresh(
            action: ActionID(UUID().uuidString.lowercased()),
            secrets: ShardSecrets(manager: secret(), proxy: secret(), replica: secret()), databasePassword: nil)
    }

    func wait(for revision: Int64) async {
        guard let follower = membership?.member.follower else { return }
        await bounded(until: .now + .seconds(1)) { await follower.wait(for: revision) }
    }

    func progress(of database: DatabaseID, epoch: Epoch, within span: Duration) async -> ProgressObject {
        guard let membership else {
            return ProgressObject(state: .waiting, epoch: .zero, message: "the node is starting")
        }
        switch await membership.agent.progress(of: database, epoch: epoch, within: span) {
        case .applied(let reached): return ProgressObject(state: .applied, epoch: reached, message: "")
        case .failed(let message): return ProgressObject(state: .failed, epoch: epoch, message: message)
        case .waiting(let message): return ProgressObject(state: .waiting, epoch: epoch, message: message)
        }
    }

    func localShardReports(of only: Set<ShardID>?) async -> [ShardReportObject] {
        await membership?.agent.shardReports(of: only).map { $0.object } ?? []
    }

    func shardReports() async -> [ShardID: ShardReportObject] {
        let lists: [[ShardReportObject]] = await gather(
            local: { await self.localShardReports(of: nil) }, path: InternalPath.shards
        )
        .map(\.value)
        return Dictionary(lists.joined().map { ($0.shard, $0) }) { first, _ in first }
    }

    func localNodeReport() async -> NodeReportObject {
        let facts = HostInventory.ofThisMachine()
        return NodeReportObject(
            freeMemory: facts.freeMemory, uptimeSeconds: facts.uptimeSeconds, softwareVersion: ReleaseVersion.current)
    }

    func nodeReports() async -> [NodeID: NodeReportObject] {
        Dictionary(
            uniqueKeysWithValues: await gather(local: { await self.localNodeReport() }, path: InternalPath.node))
    }

    func tokenKey() async -> [UInt8] {
        // Every node has the authority's key and nobody else does, so tokens are good on all nodes.
        Crypto.sha256(Array("access tokens\n\(await state()?.authority?.privateKeyPEM ?? "")".utf8))
    }

    /// Asks every node the same; who doesn't answer in time is left out.
    private func gather<Answer: Codable & Sendable>(
        local: @escaping @Sendable () async -> Answer, path: String
    ) async -> [(key: NodeID, value: Answer)] {
        guard let membership, let state = await state() else { return [] }
        return await withTaskGroup(of: (NodeID, Answer?).self) { group in
            for node in state.nodes.values {
                group.addTask {
                    if node.id == membership.identity.node { return (node.id, await local()) }
                    return (node.id, try? await membership.peers.get(path, from: node))
                }
            }
            var answers: [(key: NodeID, value: Answer)] = []
            for await (node, answer) in group {
                if let answer { answers.append((node, answer)) }
            }
            return answers
        }
    }
}

/// What goes on to the leader, and what the leader does for others.
extension Manager {
    /// How long a request waits for a leader: an election after a leader's death takes about its lease.
    private static let leaderPatience = Duration.seconds(5)

    func forwardToLeader(_ request: HTTPClientRequest) async throws(PlanError) -> HTTPClientResponse? {
        guard let membership else { throw .noCluster }
        let clock = ContinuousClock()
        let deadline = clock.now + Self.leaderPatience
        var last: any Error = PlanError.noLeader
        while clock.now < deadline {
            if await membership.member.leadership.current != nil { return nil }
            if let state = await state(), let leader = state.leader, leader != membership.identity.node,
                let record = state.nodes[leader]
            {
                do {
                    let answer = try await membership.peers.forward(request, to: record)
                    if answer.status != 503 { return answer }
                } catch let error as HTTPClientError where error.wasSent {
                    throw PlanError(
                        code: "leader_lost", status: 503,
                        message: "The leader went away with the request: \(error). It may or may not have been done; "
                            + "look before you try again.")
                } catch {
                    last = error
                }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        logger.warning("no leader to forward to", metadata: ["error": "\(last)"])
        let store = membership.store
        let answer = await bounded(until: .now + .seconds(1)) {
            (try? await store.snapshot(prefix: StoreKey.head.path)) != nil
        }
        throw answer == true ? .noLeader : .noQuorum
    }

    func admit(_ request: JoinRequestObject, exporter: [UInt8]) async throws(PlanError) -> JoinAnswerObject {
        await waitUntilResumed()
        guard let membership, let state = await state() else { throw .noCluster }
        try Admission(state: state).verify(request, exporter: exporter)
        let admission = AdmissionObject(
            tokenID: request.tokenID, candidate: request.candidate, time: request.time, replaces: request.replaces)
        let node = try await admitPatiently(admission, membership)
        guard let newest = await self.state() else { throw .noCluster }
        return try Admission(state: newest).certificate(for: node, request: request.certificateRequest)
    }

    /// Waits for a leader as a forwarded change does. Asking twice is harmless: the joiner's key gets the same number.
    private func admitPatiently(
        _ admission: AdmissionObject, _ membership: Membership
    ) async throws(PlanError) -> NodeRecord {
        let deadline = ContinuousClock.now + Self.leaderPatience
        while true {
            do throws(PlanError) {
                if await membership.member.leadership.current != nil { return try await admitAsLeader(admission) }
                return try await admitByLeader(admission, membership)
            } catch {
                guard error.code == PlanError.noLeader.code, ContinuousClock.now < deadline else { throw error }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private func admitByLeader(
        _ admission: AdmissionObject, _ membership: Membership
    ) async throws(PlanError) -> NodeRecord {
        guard let state = await state(), let leader = state.leader, leader != membership.identity.node,
            let record = state.nodes[leader]
        else { throw .noLeader }
        do {
            return try await membership.peers.post(admission, to: InternalPath.admissions, of: record)
        } catch let error as PeerError {
            throw PlanError(code: error.code, status: error.status, message: error.message)
        } catch {
            throw PlanError(
                code: "no_leader", status: 503, message: "The leader can't be reached: \(error). Try again.")
        }
    }

    func admitAsLeader(_ admission: AdmissionObject) async throws(PlanError) -> NodeRecord {
        let time = now()
        if let replaced = admission.replaces { try await refuseAlive(replaced) }
        let candidate = NodeCandidate(admission.candidate, clock: admission.time)
        let (plan, _) = try await edit { state throws(PlanError) in
            try Planner.admitNode(
                candidate, tokenID: admission.tokenID, replacing: admission.replaces, asNewcomer: true, in: state,
                now: time)
        }
        guard let node = plan?.node else {
            throw PlanError(code: "internal_error", status: 500, message: "The admission has no node.")
        }
        return node
    }
}

extension PlanError {
    static var noCluster: PlanError {
        PlanError(code: "no_cluster", status: 503, message: "This node is not in a cluster yet; see GET /v1/bootstrap.")
    }

    static var noQuorum: PlanError {
        PlanError(
            code: "no_quorum", status: 503,
            message: "The configuration store has no majority: the cluster can be looked at and databases go on "
                + "serving, but nothing can be changed. Start the nodes that are down; if they are lost for good, run "
                + "'tarn cluster recover' on a node that is up.")
    }

    static var noLeader: PlanError {
        PlanError(
            code: "no_leader", status: 503,
            message: "The cluster has no leader at the moment; one is elected within seconds. Try again.")
    }
}

extension Manager.Phase {
    fileprivate var bootstrapStatus: BootstrapObject.Status {
        switch self {
        case .idle: .init(state: "idle")
        case .working(let work): .init(state: work.state, startTime: work.startedAt.description)
        case .failed(let work, let error, let endedAt):
            .init(
                state: "error", startTime: work.startedAt.description, endTime: endedAt.description,
                errorCode: error.code, errorDetails: error.message)
        case .member(_, let work): .init(state: "completed", startTime: work?.startedAt.description)
        }
    }
}

extension ShardReport {
    var object: ShardReportObject {
        ShardReportObject(
            shard: shard, database: database, role: role, state: state.rawValue, pid: pid,
            usedMemory: ByteCount(bytes: usedMemoryBytes), keys: Int(keys), isLinkUp: linkUp,
            replicationOffset: replicationOffset)
    }
}
