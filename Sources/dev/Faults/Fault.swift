import Glibc

/// Something that goes wrong, and what was promised for it.
struct Fault: Sendable {
    /// As it is called in tables and with `--only`.
    let name: String
    /// The guarantee of docs/architecture.md that speaks about it.
    let guarantee: String
    /// For the documents: what is done to the cluster.
    let about: String
    /// How long it stays before it is healed; after a blow, how long at least its consequences are watched.
    var lasts = Duration.seconds(2)
    /// The longest time without success that is promised to clients of other nodes, at p99.
    var gapLimit: Duration?
    /// Whether clients are promised to notice nothing: no error, nothing lost.
    var isUnnoticed = false
    /// Whether it hits a node with all that is on it, so that it matters where primaries are.
    var hitsNode = false
    /// Whether each shard fails over once at most while it lasts.
    var forksOnce = true
    /// How long the cluster may take to be whole again before the run counts as failed.
    var recovery = Duration.seconds(60)
    /// Of how many nodes a cluster has to survive it.
    var leastNodes = 3
    /// A command of `tarn` without which this release can't do it.
    var needs: [String] = []
    let inject: @Sendable (FaultScene) throws -> Injury
}

/// Where a fault happens.
struct FaultScene {
    let lab: FaultLab
    /// Counts the runs of one fault: which node or shard is hit follows from it.
    let run: Int
    /// The node that is hit.
    let node: Int

    /// - Parameter seeksPrimary: Hits a node that has a primary, of one database after the other, as long as there are
    ///   any: the loss of a node without is no test.
    init(lab: FaultLab, run: Int, seeksPrimary: Bool) throws {
        self.lab = lab
        self.run = run
        let database = lab.databases[run % lab.databases.count].uid
        let primaries = try seeksPrimary ? lab.shards().filter { $0.isPrimary && $0.database == database } : []
        node =
            primaries.isEmpty
            ? 1 + run % lab.nodeCount : primaries[run / lab.databases.count % primaries.count].node
    }

    var others: [Int] { lab.nodes.filter { $0 != node } }

    /// One shard of every database that has such a one.
    func shards(arePrimary: Bool) throws -> [LabShard] {
        let all = try lab.shards().filter { $0.isPrimary == arePrimary }
        return lab.databases.compactMap { database in
            let own = all.filter { $0.database == database.uid }.sorted { $0.slots.lowerBound < $1.slots.lowerBound }
            return own.isEmpty ? nil : own[run % own.count]
        }
    }
}

/// A fault that has happened.
struct Injury {
    /// For the record: which node, which pids.
    var what: String
    /// Nodes whose clients can't be expected to notice nothing.
    var nodes: [Int] = []
    /// Ends what lasts. The cluster has to do the rest itself.
    var heal: () throws -> Void = {}
}

extension Fault {
    /// First of all what no fault does: the machine's own noise.
    static let none = Fault(
        name: "none", guarantee: "-", about: "nothing: what the machine itself does to the figures",
        lasts: .seconds(3)
    ) { _ in Injury(what: "nothing") }

    static let all = [none] + processes + wholeNodes + cuts + disks + planned

    /// - Parameter names: Beginnings, separated by commas; nil: all.
    static func named(_ names: String?) throws -> [Fault] {
        guard let names else { return all }
        return try names.split(separator: ",").flatMap { name in
            let exact = all.filter { $0.name == name }
            let found = exact.isEmpty ? all.filter { $0.name.hasPrefix(name) } : exact
            guard !found.isEmpty else {
                throw Failure(
                    .usage, "--only \(name): no such fault; there are \(all.map(\.name).joined(separator: ", "))")
            }
            return found
        }
    }

    /// All of them for the documents, as Markdown.
    static var list: String {
        let head = ["fault", "what is done", "promise", "gap of other nodes' clients"]
        let rows = all.map { fault in
            [
                "`\(fault.name)`", fault.about, fault.guarantee,
                fault.gapLimit.map { "≤ \($0.milliseconds) ms" + (fault.isUnnoticed ? ", no error" : "") } ?? "-",
            ]
        }
        return ([head, head.map { _ in "---" }] + rows).map { "| " + $0.joined(separator: " | ") + " |" }
            .joined(separator: "\n")
    }

    /// Whether this release can do it, and this cluster should survive it.
    func isThere(_ lab: FaultLab) throws -> Bool {
        guard lab.nodeCount >= leastNodes else { return false }
        guard let name = needs.last else { return true }
        // A subcommand that is not there answers `--help` with its parent's.
        let help = try lab.client.command(needs.dropLast() + ["--help"]).run().output
        return help.split(separator: "\n").contains { $0.split(separator: " ").first.map(String.init) == name }
    }
}

/// What sends signals says so where it can't.
func signal(_ signal: Int32, to pids: [Int]) throws {
    for pid in pids where kill(pid_t(pid), signal) != 0 {
        throw Failure(.product, "signal \(signal) to \(pid): \(String(cString: strerror(errno)))")
    }
}
