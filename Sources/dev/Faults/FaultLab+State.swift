import Glibc

/// A shard as the cluster tells of it.
struct LabShard: Equatable {
    var uid: String
    var database: Int
    var node: Int
    var isPrimary: Bool
    var slots: ClosedRange<Int>
    var status: String
    var pid: Int?

    init?(_ json: JSONValue) {
        guard let uid = json["uid"]?.text, let database = json["bdb_uid"]?.int, let node = json["node_uid"]?.int,
            let role = json["role"]?.text, let slots = json["assigned_slots"]?.text
        else { return nil }
        let ends = slots.split(separator: "-").compactMap { Int($0) }
        guard ends.count == 2, ends[0] <= ends[1] else { return nil }
        self.uid = uid
        self.database = database
        self.node = node
        isPrimary = role == "master"
        self.slots = ends[0]...ends[1]
        status = json["detailed_status"]?.text ?? "unknown"
        pid = json["pid"]?.int
    }
}

extension FaultLab {
    private static let programs = ["tarn-watchdog", "tarn-manager", "tarn-proxy", "etcd"]

    func shards() throws -> [LabShard] {
        try client.json("shard", "list").listed("shards").compactMap(LabShard.init)
    }

    func pids(_ program: String, on node: Int) -> [Int] {
        NodeProcesses(prefix: cluster.prefix(node)).byProgram()[program] ?? []
    }

    /// The node whose manager leads.
    func leader() throws -> Int {
        // `--json` leaves it out.
        let table = try client.run("status").split(separator: "\n").prefix { $0 != "DATABASES:" }
        let rows = table.map { $0.split(separator: " ").map(String.init) }
        guard let row = rows.first(where: { $0.contains("master") }),
            let node = nodes.first(where: { row.contains(cluster.address($0)) })
        else { throw Failure(.product, "`tarn status` names no leader") }
        return node
    }

    /// Everything runs, agrees and serves: each program once, each shard with its pair in place and in step, each
    /// endpoint on each node taking writes for each shard.
    func waitUntilWhole(limit: Duration) throws {
        let deadline = ContinuousClock.now + limit
        while true {
            try Interruption.check()
            do {
                guard let missing = try missing() else { return }
                throw Failure(.product, missing)
            } catch let failure as Failure where failure.code != .interrupted {
                guard ContinuousClock.now < deadline else {
                    throw Failure(.product, "not whole after \(limit): \(failure.message)")
                }
            }
            usleep(50_000)
        }
    }

    /// Nil when the cluster is whole.
    private func missing() throws -> String? {
        var running: Set<Int> = []
        for node in nodes {
            let programs = NodeProcesses(prefix: cluster.prefix(node)).byProgram()
            for program in Self.programs where programs[program]?.count != 1 {
                return "\(programs[program]?.count ?? 0) \(program) on node \(node)"
            }
            running.formUnion(programs["redis-server"] ?? [])
        }
        let voters = try client.json("node", "list").listed("nodes").count { $0["store_role"]?.text == "voter" }
        if voters < min(nodeCount, 5) - (nodeCount == 4 ? 1 : 0) { return "\(voters) voters in the store" }
        let shards = try shards()
        for database in databases {
            if let missing = Self.missing(database, shards.filter { $0.database == database.uid }) {
                return "\(database.kind.name): \(missing)"
            }
        }
        let reported = Set(shards.compactMap(\.pid))
        if reported != running {
            return "shards say that their pids are \(reported.sorted()), running are \(running.sorted())"
        }
        for database in databases {
            for node in nodes {
                if let problem = try refusal(of: database, at: node) {
                    return "\(database.kind.name) at node \(node): \(problem)"
                }
            }
        }
        return nil
    }

    private static func missing(_ database: LabDatabase, _ shards: [LabShard]) -> String? {
        for slots in database.slots {
            let pair = shards.filter { $0.slots == slots }
            guard pair.filter(\.isPrimary).count == 1, pair.count == (database.kind.isReplicated ? 2 : 1) else {
                return "slots \(slots) have \(pair.count) shards, primaries \(pair.filter(\.isPrimary).map(\.uid))"
            }
            if Set(pair.map(\.node)).count != pair.count { return "slots \(slots): replica beside its primary" }
            if let ill = pair.first(where: { $0.status != "ok" }) { return "shard \(ill.uid) is \(ill.status)" }
        }
        return shards.count == database.slots.count * (database.kind.isReplicated ? 2 : 1)
            ? nil : "\(shards.count) shards"
    }

    private func refusal(of database: LabDatabase, at node: Int) throws -> String? {
        let client = try RESPClient(
            host: cluster.address(node), port: database.endpoint.port, password: database.endpoint.password,
            timeoutSeconds: 2)
        let keys = LoadKeys(prefix: "whole", slots: database.slots).probes
        let replies = try client.send(keys.map { ["SET", $0, "1"] })
        return replies.first { $0 != .simple("OK") }.map { "\($0)" }
    }
}
