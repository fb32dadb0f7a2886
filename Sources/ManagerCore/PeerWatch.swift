package import ClusterModel
package import Primitives

/// One node's view of those that it watches: when each was heard last, and what follows from silence.
///
/// A vote is a record in the store. From before it is asked for until it is known to be gone, the node's heartbeats get
/// no answer: a lease that a majority granted and a loss that a majority votes can't overlap.
package struct PeerWatch: Sendable {
    package enum Step: Hashable, Sendable {
        /// Write the vote.
        case suspect(NodeID)
        /// It is heard again and the vote led to nothing: remove it.
        case withdraw(NodeID)
        /// A majority votes so: settle that it is lost.
        case settle(NodeID)
    }

    /// Which heartbeat of a node it is.
    package struct Stamp: Hashable, Sendable {
        /// Tells processes of the node from each other.
        package var life: Int64
        /// Its boot-time clock in milliseconds.
        package var sentAt: Int64

        package init(life: Int64, sentAt: Int64) {
            self.life = life
            self.sentAt = sentAt
        }
    }

    private let own: NodeID
    private var newest: [NodeID: Stamp] = [:]
    private var heard: [NodeID: BootTime] = [:]
    /// Milliseconds of the lease that each takes from an answer: it may know another profile than we do.
    private var leases: [NodeID: Int64] = [:]
    /// A vote of ours may be in the store, whatever our copy of it says.
    private var doubtful: Set<NodeID> = []
    private var underWay: Set<NodeID> = []
    /// Heard again since our vote.
    private var knocking: Set<NodeID> = []
    private var lastLook: BootTime?

    package init(own: NodeID) {
        self.own = own
    }

    /// A heartbeat of `node` has come.
    /// - Parameters:
    ///   - lease: Milliseconds of the lease that it takes from an answer.
    ///   - silence: Milliseconds that it had had no reply from us when it sent this. Where packets go one way only it
    ///     is as good as lost, however many heartbeats arrive. Refused without consequences: the reply, if it comes
    ///     through, lets the next one count.
    ///   - stamp: One that was sent before the newest that came says nothing: TCP goes on sending for minutes what was
    ///     sent into a cut, also when the sender has closed the connection long ago.
    /// - Returns: Whether to answer it.
    package mutating func heard(
        _ node: NodeID, lease: Int64, silence: Int64 = 0, stamp: Stamp? = nil, at now: BootTime, in state: ClusterState
    ) -> Bool {
        if let stamp {
            if let known = newest[node], known.life == stamp.life, known.sentAt >= stamp.sentAt { return false }
            newest[node] = stamp
        }
        guard silence <= 3 * state.detection.heartbeat else { return false }
        let isVoted = state.suspicions[node]?.contains(own) == true || doubtful.contains(node)
        guard !isVoted, state.nodes[node].map({ $0.status != .down }) ?? false else {
            knocking.insert(node)
            return false
        }
        heard[node] = now
        leases[node] = lease
        return true
    }

    /// A step has ended.
    /// - Parameter isDone: It went through. Otherwise it may have or not, and is tried again.
    package mutating func ended(_ step: Step, isDone: Bool, at now: BootTime) {
        underWay.remove(step.node)
        guard isDone else { return }
        doubtful.remove(step.node)
        if case .withdraw = step { heard[step.node] = now }
    }

    /// What to do now. Call it every ``DetectionProfile/heartbeat``: a longer gap means that this node slept itself,
    /// and who sleeps hears nobody, so the gap doesn't count.
    package mutating func steps(at now: BootTime, in state: ClusterState, profile: DetectionProfile) -> [Step] {
        let gap = lastLook.map { now - $0 } ?? 0
        lastLook = now
        if gap > 3 * profile.heartbeat { heard = heard.mapValues { min(now, $0 + gap) } }
        var steps: [Step] = []
        for node in state.watched(by: own) {
            guard let record = state.nodes[node], record.status.canBeLost else {
                // Its silence ends when it is back, or in: from then on it is counted anew.
                heard[node] = nil
                continue
            }
            guard let since = heard[node] else {
                heard[node] = now
                continue
            }
            guard !underWay.contains(node), let step = step(node, silentFor: now - since, in: state, profile) else {
                continue
            }
            underWay.insert(node)
            steps.append(step)
        }
        return steps
    }

    private mutating func step(
        _ node: NodeID, silentFor span: Int64, in state: ClusterState, _ profile: DetectionProfile
    ) -> Step? {
        let votes = state.suspicions[node] ?? []
        if state.group(of: node).isLost(votes: votes) { return .settle(node) }
        if votes.contains(own) || doubtful.contains(node), knocking.remove(node) != nil { return .withdraw(node) }
        guard !votes.contains(own), span >= max(profile.suspicion, (leases[node] ?? 0) * 5 / 4) else { return nil }
        doubtful.insert(node)
        knocking.remove(node)
        return .suspect(node)
    }
}

extension PeerWatch.Step {
    package var node: NodeID {
        switch self {
        case .suspect(let node), .withdraw(let node), .settle(let node): node
        }
    }
}
