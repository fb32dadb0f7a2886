import ClusterModel
import Glibc
import HostControl
import ManagementAPI
import ManagerCore
import ManagerService
import NodeLayout

/// Which store this node belongs to, and the copies that it keeps of what is in it.
extension Manager {
    /// Between two looks at what the peers belong to. Raising it makes a node that was cut off during a recovery follow
    /// later; each look is a small request to every node.
    private static let comparisonInterval = Duration.seconds(5)
    /// A node that starts asks before its member does: old data must not come up where a newer store is.
    private static let firstLook = Duration.seconds(2)

    func keepSnapshots(of membership: Membership) async {
        let keeper = SnapshotKeeper(
            shelf: shelf, node: membership.identity.node, store: membership.identity.store, now: now, logger: logger)
        await keeper.run(states: await membership.member.follower.states())
    }

    /// Runs until cancelled.
    func keepStore(of membership: Membership) async {
        await bounded(until: .now + Self.firstLook) { await self.compareStores(membership) }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.startStoreAgain(membership.identity) }
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.comparisonInterval)
                await compareStores(membership)
            }
        }
    }

    /// Follows a peer that belongs to a newer store; tells one that belongs to an older one.
    private func compareStores(_ membership: Membership) async {
        let nodes: [NodeRecord]
        if let state = await state() {
            nodes = state.sortedNodes
        } else {
            nodes = (try? shelf.newest()?.state().sortedNodes) ?? []
        }
        let own = membership.identity.store
        for (id, report) in await reports(of: nodes, membership) where report.store != own {
            if report.store > own {
                await hear(StoreNewsObject(store: report.store, voterAddresses: report.voterAddresses))
            } else if let node = nodes.first(where: { $0.id == id }) {
                let voters = await state()?.voterAddresses ?? membership.identity.voterAddresses
                let news = StoreNewsObject(store: own, voterAddresses: voters)
                let _: JSONValue? = try? await membership.peers.post(news, to: InternalPath.store, of: node)
            }
        }
    }

    /// The new voters are written down first; the next start follows them, and leaves the old store's data alone.
    func hear(_ news: StoreNewsObject) async {
        do {
            guard var identity = try NodeIdentity.load(path: paths.identity), news.store > identity.store,
                !news.voterAddresses.isEmpty
            else { return }
            if let begun = try? ClusterSnapshot(parsing: try HostFile.read(paths.recovery)).header.store {
                // Two people recovered at once: the greater store is the cluster's, on every node.
                guard begun < news.store else { return }
                unlink(paths.recovery)
            }
            logger.critical(
                "the cluster store was made anew elsewhere, following it",
                metadata: ["old": "\(identity.store)", "new": "\(news.store)"])
            identity.store = news.store
            identity.voterAddresses = news.voterAddresses
            try identity.save(path: paths.identity)
            startAnew()
        } catch {
            logger.error("could not follow the new cluster store", metadata: ["error": "\(error)"])
        }
    }
}
