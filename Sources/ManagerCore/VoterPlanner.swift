package import ClusterModel
package import ClusterStore

/// One step towards the right number of store voters. Every one may be repeated without harm.
package enum VoterStep: Sendable, Equatable {
    /// Add a member without a vote to the store.
    case addLearner(NodeID, peerURL: String)
    /// Record the node as a learner, upon which it starts its member. Also given while the member hasn't started.
    case startLearner(NodeID)
    /// Give the member a vote; the store refuses until it has caught up.
    case promote(UInt64, NodeID)
    /// Record the node as a voter.
    case recordVoter(NodeID)
    case removeMember(UInt64)
    /// Record that nothing of a member is left on the node, which was broken or leaves.
    case recordClient(NodeID)
    /// Tell the store a member's new address.
    case moveMember(UInt64, peerURL: String)
}

/// Decides which nodes keep the cluster configuration store.
///
/// Holds nothing: each step is computed from the world as it is, so a leader that dies between two of them is
/// followed by one that takes the next. One learner at a time, as etcd has it (`--experimental-max-learners` 1).
package enum VoterPlanner {
    /// An even number of voters survives no more losses than the odd number below, and pays for one more copy.
    package static func voterCount(nodes: Int) -> Int {
        switch nodes {
        case ..<3: min(nodes, 1)
        case 3, 4: 3
        default: 5
        }
    }

    package static func peerURL(of node: NodeRecord) -> String { "https://\(node.address):9380" }
    package static func memberName(of node: NodeID) -> String { "node\(node)" }

    /// The next step, or nil when all is as it should be.
    ///
    /// - Parameters:
    ///   - nodes: All nodes. Read them after `members`, or a node that has just become a member looks like a stranger.
    ///   - members: What the store says of itself.
    package static func nextStep(nodes: [NodeRecord], members: [StoreMember]) -> VoterStep? {
        let nodes = nodes.sorted { $0.id < $1.id }
        let memberOf = Dictionary(
            nodes.compactMap { node in member(of: node, in: members).map { (node.id, $0) } },
            uniquingKeysWith: { first, _ in first })
        if let step = removal(nodes: nodes, members: members, memberOf: memberOf) { return step }
        if let step = repair(nodes: nodes, memberOf: memberOf) { return step }
        let wanted = choose(nodes: nodes, memberOf: memberOf).filter { $0.storeRole != .broken }
        // A learner under way comes first: the store takes only one.
        for node in wanted.filter({ memberOf[$0.id]?.isLearner == true }) + wanted {
            if let step = step(for: node, member: memberOf[node.id]) { return step }
        }
        return farewell(nodes: nodes, memberOf: memberOf)
    }

    /// Only when all wanted voters are there: members of nodes that are leaving go, then those beyond the wanted
    /// number, first
    /// one that is down. Of two voters either's death would stop the store; one alone stops it only with its own.
    private static func farewell(nodes: [NodeRecord], memberOf: [NodeID: StoreMember]) -> VoterStep? {
        for node in nodes where !node.staysInStore {
            if let member = memberOf[node.id] { return .removeMember(member.id) }
            if node.storeRole != .client { return .recordClient(node.id) }
        }
        for node in nodes where node.storeRole == .voter && memberOf[node.id] == nil { return .recordClient(node.id) }
        let staying = nodes.filter(\.staysInStore)
        let voters = staying.filter { memberOf[$0.id]?.isLearner == false }
        guard voters.count > voterCount(nodes: staying.count) else { return nil }
        let surplus = voters.first { $0.status == .down } ?? voters.last
        return surplus.flatMap { memberOf[$0.id] }.map { .removeMember($0.id) }
    }

    private static func step(for node: NodeRecord, member: StoreMember?) -> VoterStep? {
        guard let member else { return .addLearner(node.id, peerURL: peerURL(of: node)) }
        guard member.isLearner else { return node.storeRole == .voter ? nil : .recordVoter(node.id) }
        // A member has no name until it has started once.
        return member.name.isEmpty || node.storeRole == .client
            ? .startLearner(node.id) : .promote(member.id, node.id)
    }

    /// Members of nodes that are gone, and learners that can't come up, which would keep others from becoming one.
    private static func removal(
        nodes: [NodeRecord], members: [StoreMember], memberOf: [NodeID: StoreMember]
    ) -> VoterStep? {
        let known = Set(memberOf.values.map(\.id))
        let isAnyVoterKnown = memberOf.values.contains { !$0.isLearner }
        // Without a single voter that we know the list of nodes is wrong, not the store.
        guard isAnyVoterKnown else { return nil }
        if let stranger = members.first(where: { !known.contains($0.id) }) { return .removeMember(stranger.id) }
        let dead = nodes.first { $0.status == .down && memberOf[$0.id]?.isLearner == true }
        return dead.flatMap { memberOf[$0.id] }.map { .removeMember($0.id) }
    }

    /// Broken members go while another voter is there; then their nodes are as any other. Addresses follow the nodes.
    private static func repair(nodes: [NodeRecord], memberOf: [NodeID: StoreMember]) -> VoterStep? {
        for node in nodes where node.storeRole == .broken {
            guard let member = memberOf[node.id] else { return .recordClient(node.id) }
            let hasOther = memberOf.values.contains { !$0.isLearner && $0.id != member.id }
            if hasOther { return .removeMember(member.id) }
        }
        for node in nodes {
            guard let member = memberOf[node.id], member.peerURLs != [peerURL(of: node)] else { continue }
            return .moveMember(member.id, peerURL: peerURL(of: node))
        }
        return nil
    }

    /// By address; by name when the node has another address by now.
    private static func member(of node: NodeRecord, in members: [StoreMember]) -> StoreMember? {
        members.first { $0.peerURLs.contains(peerURL(of: node)) }
            ?? members.first { $0.name == memberName(of: node.id) }
    }

    /// Voters stay, learners go on, then nodes that work: first those in racks that have fewest, then by number.
    private static func choose(nodes: [NodeRecord], memberOf: [NodeID: StoreMember]) -> [NodeRecord] {
        let nodes = nodes.filter(\.staysInStore)
        let count = voterCount(nodes: nodes.count)
        let voters = nodes.filter { memberOf[$0.id]?.isLearner == false }
        var chosen = voters + nodes.filter { memberOf[$0.id]?.isLearner == true }
        var rest = nodes.filter { memberOf[$0.id] == nil && $0.status.works }
        while chosen.count < count {
            let next = rest.min { left, right in
                (crowd(of: left, in: chosen), left.id) < (crowd(of: right, in: chosen), right.id)
            }
            guard let next else { break }
            chosen.append(next)
            rest.removeAll { $0.id == next.id }
        }
        // Surplus learners were begun when there were more nodes; they are left as they are.
        return Array(chosen.prefix(max(count, voters.count)))
    }

    private static func crowd(of node: NodeRecord, in chosen: [NodeRecord]) -> Int {
        node.rackID.isEmpty ? 0 : chosen.count { $0.rackID == node.rackID }
    }
}

extension NodeRecord {
    /// It may keep a member of the store.
    fileprivate var staysInStore: Bool { !isLeaving && status != .decommissioning }
}
