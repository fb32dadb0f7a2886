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

/// `tarn cluster recover`: the majority of the store is gone for good, and a new one is made from the newest copy of
/// the configuration that any node has.
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
