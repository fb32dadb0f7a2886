import ClusterModel
import Primitives

/// Chooses nodes for the shards of one database. Deterministic: given the state, the same answer everywhere.
///
/// Each choice looks once at every candidate, so placing costs nodes × shards of this database, and nothing for the
/// shards that are there already (``UsageIndex`` has their sums).
struct Placement {
    /// Memory of a node that is never promised to shards: the programs of the node, the buffers of clients and
    /// replicas, and the copies that a fork makes while a shard saves. The reference system keeps 12 % from being
    /// provisioned; ours needs less beside the shards.
    static let reservePercent: Int64 = 10

    struct Place: Equatable {
        var primary: NodeID
        var replica: NodeID?
    }

    /// A node as this placement sees it, with what the database got there so far.
    struct Candidate {
        let id: NodeID
        /// Replicas never share it with their primary: the rack, or the node itself where no rack is set.
        let group: Int
        let capacity: Int64
        var promised: Int64
        var shards: Int
        let maximumShards: Int
        var ownPrimaries = 0
        var ownReplicas = 0

        var own: Int { ownPrimaries + ownReplicas }
        /// Share of the capacity that is promised.
        var load: Double { capacity > 0 ? Double(promised) / Double(capacity) : 1 }
    }

    private(set) var candidates: [Candidate]
    /// Candidates looked at so far: what the work is measured by.
    private(set) var inspected = 0
    let memory: Int64
    private let usesRacks: Bool
    /// Of every node, also of those that take no shards now: a primary may be on one.
    private let groupOf: [NodeID: Int]

    /// - Parameter usage: Promises to count with; the state's own unless a database is being changed.
    init(state: ClusterState, memoryPerShard: ByteCount, usage: UsageIndex? = nil) {
        let usage = usage ?? state.usage
        let nodes = state.sortedNodes.filter(\.takesShards)
        var groups: [String: Int] = [:]
        groupOf = state.sortedNodes.reduce(into: [:]) { groupOf, node in
            let group = groups[node.failureDomain] ?? groups.count
            groups[node.failureDomain] = group
            groupOf[node.id] = group
        }
        candidates = nodes.map { [groupOf] in Candidate($0, group: groupOf[$0.id] ?? 0, usage: usage[$0.id]) }
        memory = memoryPerShard.bytes
        usesRacks = nodes.contains { !$0.rackID.isEmpty }
    }

    static func capacity(of node: NodeRecord) -> ByteCount {
        ByteCount(bytes: node.totalMemory.bytes / 100 * (100 - reservePercent))
    }

    func isRoomy(_ candidate: Candidate) -> Bool {
        candidate.shards < candidate.maximumShards && candidate.promised + memory <= candidate.capacity
    }
}

extension NodeRecord {
    /// New shards may be put there.
    package var takesShards: Bool { status.works && acceptsShards && !isLeaving }

    /// What copies of one shard must not share: the rack, or the node itself where no rack is set.
    package var failureDomain: String { rackID.isEmpty ? "node \(id)" : "rack \(rackID.lowercased())" }
}

extension Placement.Candidate {
    fileprivate init(_ node: NodeRecord, group: Int, usage: NodeUsage) {
        self.init(
            id: node.id, group: group, capacity: Placement.capacity(of: node).bytes,
            promised: usage.promisedMemory.bytes, shards: usage.shardCount, maximumShards: node.maximumShards)
    }
}

extension Placement {
    /// Places `pairs` primaries, each with a replica on another node (and in another rack) when asked for.
    ///
    /// First by preference (dense, sparse). A preference can paint itself into a corner where a placement still
    /// exists, so when it fails the pairs are dealt again, always from the fullest stock, which finds one if there is.
    mutating func place(
        pairs: Int, isReplicated: Bool, as kind: ShardsPlacement
    ) throws(PlanError) -> [Place] {
        if isReplicated { try refuseTooFewGroups() }
        let start = candidates
        if let places = deal(
            pairs,
            { placement in
                isReplicated ? placement.nextPair(kind) : placement.nextSingle(kind)
            })
        {
            return places
        }
        candidates = start
        if isReplicated, let places = deal(pairs, { $0.nextPairFromFullestStock() }) { return places }
        candidates = start
        throw Shortage(placement: self, pairs: pairs, isReplicated: isReplicated).error
    }

    private mutating func deal(_ pairs: Int, _ next: (inout Placement) -> Place?) -> [Place]? {
        var places: [Place] = []
        while places.count < pairs {
            guard let place = next(&self) else { return nil }
            places.append(place)
        }
        return places
    }

    /// A replica for a primary that has its place already; nil when no node can take it.
    mutating func placeReplica(besides primary: NodeID, as kind: ShardsPlacement) -> NodeID? {
        placeCopy(besides: [primary], notOn: [], as: kind)
    }

    /// A copy of a shard whose other copies are on `others`; nil when no node can take it.
    /// - Parameter excluded: Nodes that won't do for other reasons.
    mutating func placeCopy(
        besides others: [NodeID], notOn excluded: Set<NodeID>, as kind: ShardsPlacement
    ) -> NodeID? {
        let groups = Set(others.compactMap { groupOf[$0] })
        let index = best(where: { !groups.contains($0.group) && !excluded.contains($0.id) }) {
            kind == .dense ? Self.denser($0, $1) : Self.sparserForReplica($0, $1)
        }
        guard let index else { return nil }
        put(replicaAt: index)
        return candidates[index].id
    }

    /// Looks at one node alone.
    mutating func keep(only node: NodeID) { candidates.removeAll { $0.id != node } }

    /// Counts a primary that stays where it is.
    mutating func notePrimary(on node: NodeID) {
        guard let index = candidates.firstIndex(where: { $0.id == node }) else { return }
        candidates[index].ownPrimaries += 1
    }

    /// Counts a replica that stays where it is.
    mutating func noteReplica(on node: NodeID) {
        guard let index = candidates.firstIndex(where: { $0.id == node }) else { return }
        candidates[index].ownReplicas += 1
    }

    private mutating func nextSingle(_ kind: ShardsPlacement) -> Place? {
        let index = best(where: { _ in true }) {
            kind == .dense ? Self.denser($0, $1) : Self.sparserForPrimary($0, $1)
        }
        guard let index else { return nil }
        put(primaryAt: index)
        return Place(primary: candidates[index].id)
    }

    private mutating func nextPair(_ kind: ShardsPlacement) -> Place? {
        let first = best(where: { _ in true }) {
            kind == .dense ? Self.denser($0, $1) : Self.sparserForPrimary($0, $1)
        }
        guard let first else { return nil }
        let group = candidates[first].group
        let second = best(where: { $0.group != group }) {
            kind == .dense ? Self.denser($0, $1) : Self.sparserForReplica($0, $1)
        }
        guard let second else { return nil }
        return put(first, second)
    }

    /// Takes from the two groups that could still take the most. Pairing from the two largest stocks fails only when
    /// no pairing exists at all.
    private mutating func nextPairFromFullestStock() -> Place? {
        var stock: [Int: Int] = [:]
        inspected += candidates.count
        for candidate in candidates where isRoomy(candidate) {
            stock[candidate.group, default: 0] += room(candidate)
        }
        let groups = stock.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(2).map(\.key)
        guard groups.count == 2 else { return nil }
        let indexes = groups.compactMap { group in best(where: { $0.group == group }) { $0.load < $1.load } }
        return indexes.count == 2 ? put(indexes[0], indexes[1]) : nil
    }

    /// How many more shards of this size fit; by slots alone when they have no limit.
    func room(_ candidate: Candidate) -> Int {
        let slots = max(0, candidate.maximumShards - candidate.shards)
        guard memory > 0 else { return slots }
        return min(slots, Int(max(0, candidate.capacity - candidate.promised) / memory))
    }

    /// Of two nodes the one with fewer primaries of this database gets the primary, so that both carry load.
    private mutating func put(_ first: Int, _ second: Int) -> Place {
        let isSwapped = candidates[second].ownPrimaries < candidates[first].ownPrimaries
        let (primary, replica) = isSwapped ? (second, first) : (first, second)
        put(primaryAt: primary)
        put(replicaAt: replica)
        return Place(primary: candidates[primary].id, replica: candidates[replica].id)
    }

    private mutating func put(primaryAt index: Int) {
        candidates[index].ownPrimaries += 1
        take(index)
    }

    private mutating func put(replicaAt index: Int) {
        candidates[index].ownReplicas += 1
        take(index)
    }

    private mutating func take(_ index: Int) {
        candidates[index].promised += memory
        candidates[index].shards += 1
    }

    /// The first candidate with room before which no other comes. Candidates are in order of their ids, so ids
    /// settle what `precedes` leaves open.
    private mutating func best(
        where isAllowed: (Candidate) -> Bool, precedes: (Candidate, Candidate) -> Bool
    ) -> Int? {
        inspected += candidates.count
        var best: Int?
        for index in candidates.indices where isRoomy(candidates[index]) && isAllowed(candidates[index]) {
            if let held = best, !precedes(candidates[index], candidates[held]) { continue }
            best = index
        }
        return best
    }

    /// Dense: where most of this database is already, else the least loaded.
    private static func denser(_ left: Candidate, _ right: Candidate) -> Bool {
        left.own != right.own ? left.own > right.own : lighter(left, right)
    }

    private static func sparserForPrimary(_ left: Candidate, _ right: Candidate) -> Bool {
        if left.ownPrimaries != right.ownPrimaries { return left.ownPrimaries < right.ownPrimaries }
        return left.own != right.own ? left.own < right.own : lighter(left, right)
    }

    private static func sparserForReplica(_ left: Candidate, _ right: Candidate) -> Bool {
        if left.own != right.own { return left.own < right.own }
        return left.ownReplicas != right.ownReplicas ? left.ownReplicas < right.ownReplicas : lighter(left, right)
    }

    private static func lighter(_ left: Candidate, _ right: Candidate) -> Bool {
        left.load != right.load ? left.load < right.load : left.shards < right.shards
    }

    func refuseTooFewGroups() throws(PlanError) {
        guard candidates.count >= 2 else {
            throw PlanError(
                "replication_node_violation",
                "Replication needs two active nodes that accept shards; there is "
                    + "\(candidates.isEmpty ? "none" : "one"). Join another node, or create the database without it.")
        }
        guard usesRacks, candidates.allSatisfy({ $0.group == candidates[0].group }) else { return }
        throw PlanError(
            "rack_awareness_violation",
            "All nodes that accept shards are in one rack, and a replica must be in another one than its primary. "
                + "Add a node in another rack.")
    }
}
