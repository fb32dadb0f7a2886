import ClusterModel
import Primitives

/// Says what is short when shards don't fit.
struct Shortage {
    /// Nodes named in a message; the rest are counted.
    private static let namedNodes = 5

    private let candidates: [Placement.Candidate]
    private let memory: Int64
    private let needed: Int
    /// Shards that would fit if only the stock counted.
    private let fitting: Int
    private let fittingByCount: Int
    private let isReplicated: Bool

    /// - Parameter pairs: Primaries asked for, each with a replica when `isReplicated`.
    init(placement: Placement, pairs: Int, isReplicated: Bool) {
        self.init(placement: placement, needed: pairs * (isReplicated ? 2 : 1), isReplicated: isReplicated)
    }

    /// - Parameter replicas: Replicas asked for, for primaries that are there already.
    init(placement: Placement, replicas: Int) {
        self.init(placement: placement, needed: replicas, isReplicated: true)
    }

    private init(placement: Placement, needed: Int, isReplicated: Bool) {
        candidates = placement.candidates
        memory = placement.memory
        self.needed = needed
        fitting = placement.candidates.reduce(0) { $0 + placement.room($1) }
        fittingByCount = placement.candidates.reduce(0) { $0 + max(0, $1.maximumShards - $1.shards) }
        self.isReplicated = isReplicated
    }

    var error: PlanError { PlanError("insufficient_resources", message) }

    private var message: String {
        if candidates.isEmpty { return "No active node accepts shards. Join a node, or let one accept shards." }
        if fittingByCount < needed { return slotsMessage }
        let size = ByteCount(bytes: memory)
        if fitting < needed {
            return "\(needed) \(shards) of \(size) \(areNeeded), \(fitting == 0 ? "none" : "\(fitting)") would fit: "
                + "\(ByteCount(bytes: Int64(needed - fitting) * memory)) short. \(list). Ask for less memory, delete "
                + "a database, or join a node."
        }
        return "\(needed) \(shards) of \(size) would fit, but not with every replica on another node and in another "
            + "rack than its primary. \(list). Ask for less memory, or join a node."
    }

    private var slotsMessage: String {
        "\(needed) \(shards) \(areNeeded), and nodes may run \(fittingByCount) more (their limit of shards is "
            + "reached). Ask for fewer shards, delete a database, or join a node."
    }

    private var shards: String {
        needed == 1 ? "shard" : isReplicated ? "shards and replicas" : "shards"
    }

    private var areNeeded: String { needed == 1 ? "is needed" : "are needed" }

    private var list: String {
        let named = candidates.prefix(Self.namedNodes).map { candidate in
            "node \(candidate.id) has \(ByteCount(bytes: max(0, candidate.capacity - candidate.promised))) free"
        }
        let rest = candidates.count - named.count
        return "Of what may be promised (\(100 - Placement.reservePercent) % of memory) "
            + named.joined(separator: ", ") + (rest > 0 ? ", and \(rest) more nodes" : "")
    }
}
