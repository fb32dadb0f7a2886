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

/// The parts that exist while the node is a member.
struct Membership: Sendable {
    let identity: NodeIdentity
    let member: ClusterMember
    let peers: Peers
    let store: EtcdStore
    let agent: NodeAgent
    let liveness: Liveness
    let failover: FailoverKeeper
    /// SHA-256 of this node's public key, as its record has it.
    let keyDigest: String
}

extension Manager {
    /// Starts everything that a member runs; returns when the node serves as one.
    func becomeMember(_ identity: NodeIdentity, keys: NodeKeys, work: BootstrapWork?) async throws {
        serverTLS.replace(
            by: try TLSContext.server(identity: keys.identity, clientAuthority: keys.authorityPEM))
        let (store, client) = try openStore(identity, keys: keys)
        let agent = NodeAgent(
            node: identity.node, address: ownAddress, prefix: paths.prefix, watchdog: watchdog, proxy: proxy,
            group: group, logger: logger)
        let kept = shelf.newest()
        let seed = kept?.header.store == identity.store ? try? kept?.state() : nil
        let member = ClusterMember(
            node: identity.node, store: store, seed: seed, fresh: fresh, now: now, bootTime: Self.bootTime,
            logger: logger)
        let peers = Peers(client: client)
        let membership = Membership(
            identity: identity, member: member, peers: peers, store: store, agent: agent,
            liveness: liveness(of: member, peers, agent), failover: failover(of: member, peers, agent),
            keyDigest: try Certificates.publicKeyDigest(ofPEM: keys.identity.certificateChainPEM))
        phase = .member(membership, since: work)
        logger.info(
            "member of a cluster", metadata: ["node": "\(identity.node)", "cluster": "\(identity.clusterName)"])
        memberWork = Task { await run(membership) }
    }

    /// Ends the member's work, at the latest after `farewell`: leases go back, so that others needn't wait for them.
    func stopMember() async {
        guard let memberWork else { return }
        memberWork.cancel()
        // In a task of its own: in one that is cancelled, as the caller's is, nothing is waited for.
        await Task { _ = await bounded(until: .now + Self.farewell) { await memberWork.value } }.value
    }

    private static let farewell = Duration.milliseconds(1500)

    private func run(_ membership: Membership) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepStore(of: membership) }
            group.addTask { await self.keepSnapshots(of: membership) }
            group.addTask { await self.repairStore(of: membership) }
            group.addTask { await membership.agent.run() }
            group.addTask { await membership.liveness.run() }
            group.addTask {
                await membership.agent.watchHealth(
                    profile: { await membership.member.follower.current?.detection ?? .high }, bootTime: Self.bootTime)
            }
            group.addTask { await self.replaceDeadPrimaries(of: membership) }
            group.addTask { await self.endTransitions(of: membership) }
            group.addTask { await membership.failover.run(states: membership.member.follower.states()) }
            group.addTask { await self.serveSettingsRequests(of: membership) }
            group.addTask {
                await membership.member.run(
                    probe: { node, database, epoch, span in
                        await self.probe(node, database, epoch, within: span, membership)
                    },
                    copies: { await self.copies(of: $0, membership.member, membership.peers, membership.agent) },
                    counts: { await self.counts($1, at: $0, membership) },
                    onState: { await self.adopt($0, membership) })
            }
        }
    }

    /// Everything on this node that follows from the cluster's state.
    private func adopt(_ state: ClusterState, _ membership: Membership) async {
        guard await !endIfReplaced(state, membership), await !endIfRemoved(state, membership) else { return }
        await correctOwnAddress(state, membership)
        await membership.agent.adopt(
            databases: state.databases, nodes: state.nodes, isProvisional: state.isProvisional)
        await followStoreMembership(state, membership)
    }

    private func followStoreMembership(_ state: ClusterState, _ membership: Membership) async {
        let voters = state.voterAddresses
        guard !voters.isEmpty, state.nodes[membership.identity.node]?.address == ownAddress else { return }
        let endpoints = voters.map { HTTPEndpoint(host: $0, port: EtcdServer.clientPort) }
        let own = endpoints.first { $0.host == ownAddress }
        membership.store.setEndpoints(endpoints, preferring: own)
        do {
            // Once a newer store is known, what the old one says of its voters counts no more.
            if var known = try NodeIdentity.load(path: paths.identity), known.store == membership.identity.store,
                known.voterAddresses != voters
            {
                known.voterAddresses = voters
                try known.save(path: paths.identity)
            }
            // A machine that comes back after a recovery may read the new store before it turns to it: what that says
            // is not meant for the member that it has, whose data stays where it is.
            guard (state.recovery?.store ?? .first) == membership.identity.store else { return }
            switch state.nodes[membership.identity.node]?.storeRole {
            case .learner: try await startLearner(membership, state)
            case .client: try await endMember(membership)
            case .voter, .broken, nil: break
            }
        } catch {
            logger.warning("could not follow the store's membership", metadata: ["error": "\(error)"])
        }
    }

    private func startLearner(_ membership: Membership, _ state: ClusterState) async throws {
        guard try await !isStoreRunning() else { return }
        var initial: [NodeID: String] = [membership.identity.node: ownAddress]
        for node in state.nodes.values where node.storeRole == .voter { initial[node.id] = node.address }
        try await startStore(
            node: membership.identity.node, initialCluster: initial, isNew: false, of: membership.identity.store)
    }

    func probe(
        _ node: NodeID, _ database: DatabaseID, _ epoch: Epoch, within span: Duration, _ membership: Membership
    ) async -> ManagerCore.NodeProgress {
        if node == membership.identity.node {
            switch await membership.agent.progress(of: database, epoch: epoch, within: span) {
            case .applied(let reached): return .applied(reached)
            case .failed(let message): return .failed(message)
            case .waiting(let message): return .waiting(message)
            }
        }
        guard let record = await membership.member.follower.current?.nodes[node] else {
            return .unreachable("node \(node) is not in the cluster any more")
        }
        return await membership.peers.progress(of: database, epoch: epoch, at: record, within: span)
    }
}

extension Manager {
    /// A client of the configuration store with this node's certificate.
    func openStore(_ identity: NodeIdentity, keys: NodeKeys) throws -> (EtcdStore, HTTPClient) {
        let client = HTTPClient(
            group: group,
            tls: try TLSContext.client(identity: keys.identity, trust: .authority(pem: keys.authorityPEM)))
        let endpoints = identity.voterAddresses.map { HTTPEndpoint(host: $0, port: EtcdServer.clientPort) }
        let own = endpoints.first { $0.host == ownAddress }
        let name = VoterPlanner.memberName(of: identity.node)
        return (EtcdStore(client: client, endpoints: endpoints, preferring: own, name: name, logger: logger), client)
    }

    /// Until it is done: after a restart of the machine the watchdog may be later than we are.
    func startStoreAgain(_ identity: NodeIdentity) async {
        while !Task.isCancelled {
            do {
                try await stopStore(unlessOf: identity.store)
                guard identity.voterAddresses.contains(ownAddress) else { return }
                // With data there, etcd reads its membership from it; the initial cluster is only a formality.
                return try await startStore(
                    node: identity.node, initialCluster: [identity.node: ownAddress], isNew: false, of: identity.store)
            } catch {
                logger.warning("could not start the store, trying again", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Idempotent: a member that runs already is left as it is.
    func startStore(
        node: NodeID, initialCluster: [NodeID: String], isNew: Bool, of store: StoreIdentity
    ) async throws {
        try await stopStore(unlessOf: store)
        guard try await !isStoreRunning() else { return }
        let peers = initialCluster.sorted { $0.key < $1.key }.map {
            EtcdServer.Peer(name: VoterPlanner.memberName(of: $0.key), url: EtcdServer.peerURL(address: $0.value))
        }
        let directory = paths.store(named: store.description)
        try HostFile.makeDirectory(directory, mode: 0o700)
        try HostFile.write(store.description.utf8, to: paths.storeMark, mode: 0o644, isDurable: false)
        let server = EtcdServer(
            name: VoterPlanner.memberName(of: node), address: ownAddress, dataDirectory: directory,
            pkiDirectory: paths.pki, initialCluster: peers, state: isNew ? .new : .existing,
            token: store == .first ? "tarn" : "tarn-\(store.generation)-\(store.id)")
        _ = try await watchdog.start(server.specification(executable: paths.program("etcd")))
    }

    /// A member of another store than the one that this node belongs to is stopped; its data stays where it is.
    private func stopStore(unlessOf store: StoreIdentity) async throws {
        let running = try await watchdog.list().contains { $0.name == EtcdServer.processName && $0.state != .ended }
        guard running, (HostFile.text(paths.storeMark) ?? "0") != store.description else { return }
        logger.notice("stopping the member of an older store", metadata: ["store": "\(store)"])
        try await watchdog.stop(EtcdServer.processName)
    }

    private func isStoreRunning() async throws -> Bool {
        try await watchdog.list().contains { $0.name == EtcdServer.processName && $0.pid > 0 }
    }
}
