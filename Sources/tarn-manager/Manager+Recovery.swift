import ClusterModel
import ClusterStore
import EtcdStore
import Glibc
import HTTPTransport
import HostControl
import ManagementAPI
import ManagerCore
import ManagerService
import NodeLayout
import Primitives
import TLS

/// `tarn cluster recover`: the majority of the store is gone for good, and a new one is made from the newest copy of the
/// configuration that any node has.
///
/// ```
///  order ──▶ recovery.snapshot ──▶ exit ┊ start ──▶ etcd, empty ──▶ records ──▶ node.json ──▶ member
///                written whole          ┊            (each step may be repeated)               peers are told
/// ```
/// From the moment the file is there the recovery goes through, however often the manager is killed: it is the first
/// thing that its next start looks at. The shards and the proxy take no notice of all that.
extension Manager {
    var shelf: SnapshotShelf { SnapshotShelf(directory: paths.snapshots) }

    func recoverCluster(_ request: BootstrapRequest) async throws(PlanError) -> RecoveryPlanObject {
        await waitUntilResumed()
        guard let membership else { throw .noCluster }
        if HostFile.exists(paths.recovery) {
            throw PlanError("busy", status: 409, "A recovery was begun on this node already; see GET /v1/bootstrap.")
        }
        if await storeServes(membership) {
            throw PlanError(
                "store_has_majority", status: 409,
                "The cluster's configuration store has its majority and is writable: there is nothing to recover.")
        }
        let survey = try await survey(membership)
        let own = membership.identity.node
        let found: (state: ClusterState, next: ClusterState)
        do {
            let state = try survey.newest.state()
            found = (state, try Planner.recover(state, from: survey.basis(node: own), now: now()))
        } catch let refusal as PlanError {
            throw refusal
        } catch {
            throw PlanError("snapshot_unreadable", status: 500, "The newest copy can't be read: \(error)")
        }
        var plan = survey.plan(node: own, state: found.state, findings: found.next.recovery?.findings ?? [], now: now())
        guard let confirmed = request.recovery?.confirm else { return plan }
        guard confirmed == plan.cluster else {
            throw PlanError(
                "not_confirmed", status: 400,
                "To confirm, send the cluster's name, \(plan.cluster), in recovery.confirm; got '\(confirmed)'.")
        }
        try begin(found.next, node: own, takenAt: now())
        plan.hasBegun = true
        return plan
    }

    private func begin(_ state: ClusterState, node: NodeID, takenAt: WallTime) throws(PlanError) {
        do {
            guard let store = state.recovery?.store else { return }
            let snapshot = try ClusterSnapshot(of: state, node: node, store: store, takenAt: takenAt)
            try HostFile.write(try snapshot.encoded(), to: paths.recovery, mode: 0o600)
            logger.critical("recovering the cluster store", metadata: ["store": "\(store)"])
            startAnew()
        } catch {
            throw PlanError("internal_error", status: 500, "The recovery could not be begun: \(error)")
        }
    }

    /// The watchdog starts the next manager at once. What runs must begin from nothing to follow another store, and a
    /// process that ends leaves nothing behind; clients notice it as little as a manager that was killed.
    func startAnew() {
        Task {
            // For the answer that is under way.
            try? await Task.sleep(for: .milliseconds(200))
            _exit(0)
        }
    }

    /// A linearizable read needs the majority.
    private func storeServes(_ membership: Membership) async -> Bool {
        (try? await membership.store.snapshot(prefix: StoreKey.head.path)) != nil
    }

    // MARK: The next start

    /// Makes the new store when `recovery.snapshot` says so; else gives the identity back as it is.
    func finishRecovery(_ identity: NodeIdentity, keys: NodeKeys) async throws -> NodeIdentity {
        guard HostFile.exists(paths.recovery) else { return identity }
        phase = .working(BootstrapWork(kind: .recovering, startedAt: now()))
        let snapshot = try ClusterSnapshot(parsing: try HostFile.read(paths.recovery))
        var identity = identity
        let target = snapshot.header.store
        if identity.store < target {
            try await startStore(
                node: identity.node, initialCluster: [identity.node: ownAddress], isNew: true, of: target)
            identity.voterAddresses = [ownAddress]
            identity.store = target
            let (store, client) = try openStore(identity, keys: keys)
            try await fill(store, from: snapshot)
            await client.shutdown()
            try identity.save(path: paths.identity)
            logger.notice("the cluster store was made anew", metadata: ["store": "\(target)"])
        }
        // Else it was done, or a newer store has come into being meanwhile.
        unlink(paths.recovery)
        return identity
    }

    /// The record of the recovery gets another revision in each store, so that nobody takes one for the other: a peer
    /// that hasn't heard of the new one reaches it at an address of the old one.
    private func fill(_ store: EtcdStore, from snapshot: ClusterSnapshot) async throws {
        for number in 0..<snapshot.header.store.generation {
            _ = try await store.commit([.put(key: "/tarn-recovery/\(number)", value: [])], if: [])
        }
        let result = try await store.commit(
            snapshot.writes, if: [.modifiedRevision(key: StoreKey.head.path, equals: 0)])
        guard result == .conflict else { return }
        // A try that was killed may have written it.
        let entries = try await store.snapshot(prefix: StoreKey.recovery.path).entries
        let written = try entries.first.flatMap { try StateCoding.decode($0) }
        guard case .recovery(let record)? = written, record.store == snapshot.header.store else {
            throw StoreError(.protocolViolation, "the new store is not empty")
        }
    }
}

// MARK: - Who has what

/// What the nodes that answer have.
private struct RecoverySurvey {
    var newest: ClusterSnapshot
    var own: NodeID
    var nodes: [NodeRecord]
    var reports: [NodeID: StoreReportObject]

    var answering: Set<NodeID> { Set(reports.keys) }

    func basis(node: NodeID) -> RecoveryBasis {
        let highest = reports.values.compactMap { $0.snapshot?.epoch }.max() ?? .zero
        let generation = reports.values.map(\.store.generation).max() ?? 0
        return RecoveryBasis(
            store: StoreIdentity(generation: generation + 1, id: Hex.encode(Crypto.randomBytes(16))), node: node,
            answering: answering, highestEpoch: highest, snapshotNode: newest.header.node,
            snapshotTakenAt: newest.header.takenAt)
    }

    func plan(node: NodeID, state: ClusterState, findings: [String], now: WallTime) -> RecoveryPlanObject {
        let header = newest.header
        return RecoveryPlanObject(
            cluster: header.cluster, node: node,
            nodes: nodes.map { record in
                let copy = reports[record.id]?.snapshot
                return RecoveryPlanObject.Node(
                    uid: record.id, address: record.address, answers: reports[record.id] != nil,
                    revision: copy?.revision, takenAt: copy?.takenAt.description, generation: copy?.store.generation)
            },
            snapshotNode: header.node, snapshotRevision: header.revision, snapshotTime: header.takenAt.description,
            snapshotAgeSeconds: (now.milliseconds - header.takenAt.milliseconds) / 1000,
            databases: state.databases.count,
            findings: findings + [
                "What was changed in the configuration after that copy was taken is lost. Data written by clients is "
                    + "not part of it and stays with the shards."
            ], hasBegun: false)
    }
}

extension Manager {
    private func survey(_ membership: Membership) async throws(PlanError) -> RecoverySurvey {
        guard let report = await storeReport(), var newest = await newestSnapshot() else {
            throw PlanError(
                "no_snapshot", status: 409,
                "This node has no copy of the configuration in \(paths.snapshots): run this on another node.")
        }
        let own = membership.identity.node
        var reports = [own: report]
        var nodes: [NodeRecord] = []
        // Again when a peer's copy is newer, as it may know more nodes.
        for _ in 1...3 {
            nodes = (try? newest.state().sortedNodes) ?? []
            for (node, report) in await self.reports(of: nodes.filter { reports[$0.id] == nil }, membership) {
                reports[node] = report
            }
            guard let better = await fetchNewer(than: newest.header, reports, nodes, membership) else { break }
            newest = better
        }
        try refuseIfOthersRecover(reports, membership)
        return RecoverySurvey(newest: newest, own: own, nodes: nodes, reports: reports)
    }

    private func refuseIfOthersRecover(
        _ reports: [NodeID: StoreReportObject], _ membership: Membership
    ) throws(PlanError) {
        for (node, report) in reports.sorted(by: { $0.key < $1.key }) {
            if report.store > membership.identity.store {
                throw PlanError(
                    "already_recovered", status: 409,
                    "Node \(node) belongs to a store that was recovered already (\(report.store)); this node follows it "
                        + "within seconds.")
            }
            if report.isRecovering {
                throw PlanError("busy", status: 409, "A recovery was begun on node \(node) already.")
            }
        }
    }

    func reports(of nodes: [NodeRecord], _ membership: Membership) async -> [NodeID: StoreReportObject] {
        await withTaskGroup(of: (NodeID, StoreReportObject?).self) { group in
            for node in nodes where node.id != membership.identity.node {
                group.addTask { (node.id, try? await membership.peers.get(InternalPath.store, from: node)) }
            }
            var reports: [NodeID: StoreReportObject] = [:]
            for await (node, report) in group { reports[node] = report }
            return reports
        }
    }

    /// The newest copy of all, when it is newer than what we have; the next one when its node fails now.
    private func fetchNewer(
        than known: ClusterSnapshot.Header, _ reports: [NodeID: StoreReportObject], _ nodes: [NodeRecord],
        _ membership: Membership
    ) async -> ClusterSnapshot? {
        let newer = nodes.compactMap { node in reports[node.id]?.snapshot.map { (node, $0) } }
            .filter { ($0.1.store, $0.1.revision) > (known.store, known.revision) }
            .sorted { ($0.1.store, $0.1.revision) > ($1.1.store, $1.1.revision) }
        for (node, _) in newer {
            let request = HTTPClientRequest(method: "GET", path: InternalPath.snapshot, headers: [], body: [])
            guard let answer = try? await membership.peers.forward(request, to: node), answer.status == 200,
                let snapshot = try? ClusterSnapshot(parsing: answer.body), known.isOlder(than: snapshot.header)
            else { continue }
            return snapshot
        }
        return nil
    }

    /// This node's own: what it has in memory, or on disk when a restart came between.
    func newestSnapshot() async -> ClusterSnapshot? {
        let kept = shelf.newest()
        guard let membership, let state = await membership.member.follower.current else { return kept }
        let identity = membership.identity
        var live = try? ClusterSnapshot(of: state, node: identity.node, store: identity.store, takenAt: now())
        // The time is that of the last change, not of the look at it.
        if let kept, let found = live, found.entries.map(\.value) == kept.entries.map(\.value) {
            live = try? ClusterSnapshot(
                of: state, node: identity.node, store: identity.store, takenAt: kept.header.takenAt)
        }
        guard let live else { return kept }
        guard let kept else { return live }
        return live.header.isOlder(than: kept.header) ? kept : live
    }

    func storeReport() async -> StoreReportObject? {
        guard let membership else { return nil }
        let header = await newestSnapshot()?.header
        return StoreReportObject(
            node: membership.identity.node, store: membership.identity.store,
            voterAddresses: await state()?.voterAddresses ?? membership.identity.voterAddresses,
            snapshot: header.map {
                SnapshotObject(store: $0.store, revision: $0.revision, epoch: $0.epoch, takenAt: $0.takenAt)
            }, isRecovering: HostFile.exists(paths.recovery))
    }

    func snapshotText() async -> [UInt8]? {
        try? await newestSnapshot()?.encoded()
    }
}
