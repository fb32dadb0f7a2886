import ClusterModel
import ManagerCore
import Primitives

/// Heartbeats, votes and the serving lease.
extension SimulatedManager {
    func sendHeartbeats() {
        guard let snapshot, snapshot.members.contains(node) else { return }
        for step in watch.steps(at: boot, in: snapshot.state, profile: Self.profile) { take(step) }
        let sentAt = boot
        for watcher in snapshot.group(of: node).watchers {
            let silence = sentAt - (replied[watcher] ?? sentAt)
            let stamp = PeerWatch.Stamp(life: Int64(process.life), sentAt: sentAt.milliseconds)
            ask(watcher, within: Self.profile.suspicion) { [node] peer in
                peer.heartbeat(of: node, silence: silence, stamp: stamp)
            } _: { [unowned self] answer in
                if answer == nil {
                    reached.remove(watcher)
                } else {
                    reached.insert(watcher)
                    replied[watcher] = boot
                }
                guard case .fence(let fence)? = answer else { return }
                let counted = simulation.settings.bug == .leaseWithoutFence ? Epoch.zero : fence
                lease.answered(by: watcher, sentAt: sentAt, fence: counted)
                renewLease()
            }
        }
        renewLease()
        noteNewcomers(snapshot.state)
    }

    /// Counts from when the proxy has a lease by both circles.
    private func noteNewcomers(_ state: ClusterState) {
        guard state.nodes.values.contains(where: \.isBetween) else {
            return joins.saw(state, at: boot)
        }
        guard toldLease != nil, link?.isReady == true else { return }
        link?.whenHeard { [unowned self] in joins.saw(state, at: boot) }
    }

    private enum Answer {
        case fence(Epoch)
        /// We hold it to be lost.
        case refused
    }

    private func heartbeat(of peer: NodeID, silence: Int64, stamp: PeerWatch.Stamp) -> Answer? {
        guard let snapshot, let head = snapshot.state.head else { return nil }
        let isCounted = watch.heard(
            peer, lease: Self.profile.lease, silence: silence, stamp: stamp, at: boot, in: snapshot.state)
        guard isCounted else { return .refused }
        return .fence(head.fence)
    }

    func renewLease() {
        guard let snapshot, snapshot.members.contains(node), link?.isReady == true else { return }
        let end = lease.end(for: snapshot.group(of: node), applied: appliedFence, profile: Self.profile)
        // What was for ever ends when the group has grown.
        guard let end = end ?? (toldLease == .never ? boot + Self.profile.lease : nil), end != toldLease else { return }
        toldLease = end
        link?.tell { $0.set(lease: end) }
    }

    /// Else it would be voted lost again at once.
    private func reachesMajority(of state: ClusterState) -> Bool {
        state.group(of: node).circles.allSatisfy { circle in
            circle.watchers.count(where: reached.contains) >= circle.majority - 1
        }
    }

    private func take(_ step: PeerWatch.Step) {
        switch step {
        case .suspect(let peer): simulation.tell(process, "suspects node \(peer)")
        case .withdraw(let peer): simulation.tell(process, "hears node \(peer) again, withdraws its vote")
        case .settle(let peer): simulation.tell(process, "settles that node \(peer) is lost")
        }
        edit { [node, unowned self] state in
            switch step {
            case .suspect(let peer): Planner.suspect(peer, by: node, in: state)
            case .withdraw(let peer): Planner.withdraw(peer, by: node, in: state)
            case .settle(let peer): Planner.settleLoss(of: peer, in: state, now: wall)
            }
        } _: { [unowned self] result in
            watch.ended(step, isDone: result != .failed, at: boot)
        }
    }

    /// Comes back into the cluster when it routes by the newest configuration.
    func readmit(_ state: ClusterState) {
        guard state.nodes[node]?.status == .down, !isReadmitting, reachesMajority(of: state) else {
            return
        }
        isReadmitting = true
        simulation.store.read(from: process) { [unowned self] newest in
            guard let newest else { return isReadmitting = false }
            saw(newest)
            guard snapshot?.revision == newest.revision, link?.routesBy(newest.state, node: node) == true else {
                return isReadmitting = false
            }
            edit { [node, unowned self] state in
                guard link?.routesBy(state, node: node) == true else { return nil }
                return Planner.readmit(node, in: state, now: wall)
            } _: { [unowned self] result in
                isReadmitting = false
                if result == .done { simulation.tell(process, "is back in the cluster") }
            }
        }
    }
}
