import ClusterModel
import HTTPTransport
import HostControl
import ManagementAPI
import ManagerCore
import ManagerService
import NodeLayout
import Primitives
import TLS

/// What the nodes that answer have.
struct RecoverySurvey {
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
    func survey(_ membership: Membership) async throws(PlanError) -> RecoverySurvey {
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
                    "Node \(node) belongs to a store that was recovered already (\(report.store)); this node follows "
                        + "it within seconds.")
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
