import ClusterModel
import FoundationEssentials
import ManagerCore
import Primitives
import Testing

/// Stories with their outcome, to be read by people: `Scenarios/*.txt`. A line `> …` is a command; what follows it,
/// up to the next empty line, is what the planner made of it.
struct ScenarioTests {
    @Test(arguments: ["placement", "life-of-a-database", "shortage"])
    func theStoryIsStillTrue(name: String) throws {
        let directory = String(#filePath.prefix(upTo: #filePath.lastIndex(of: "/")!)) + "/Scenarios"
        let path = "\(directory)/\(name).txt"
        let written = String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        let told = Storyteller.tell(written)
        #expect(told == written, "the story now reads:\n\(told)")
    }
}

/// Runs the commands of a story and writes it anew.
private struct Storyteller {
    private var world = World(nodes: 1)
    private var seen = ClusterState()

    static func tell(_ story: String) -> String {
        var teller = Storyteller()
        var told: [Substring] = []
        var isOutcome = false
        for line in story.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("> ") {
                told.append(line)
                told += teller.run(line.dropFirst(2).split(separator: " ").map(String.init)).map { Substring($0) }
                isOutcome = true
            } else if line.isEmpty {
                told.append(line)
                isOutcome = false
            } else if !isOutcome {
                told.append(line)
            }
        }
        return told.joined(separator: "\n")
    }

    private mutating func run(_ words: [String]) -> [String] {
        seen = world.state
        do {
            try perform(words[0], Array(words.dropFirst()))
        } catch let error as PlanError {
            return ["refused \(error.status) \(error.code): \(error.message)"]
        } catch {
            return ["\(error)"]
        }
        return changes()
    }

    private mutating func perform(_ verb: String, _ words: [String]) throws {
        let options = Dictionary(
            words.filter { $0.contains("=") }.map { word in
                let parts = word.split(separator: "=", maxSplits: 1)
                return (String(parts[0]), String(parts[1]))
            }, uniquingKeysWith: { $1 })
        switch verb {
        case "nodes":
            let memory = ByteCount(parsing: options["memory"] ?? "4gb")!
            world = World(nodes: Int(words[0])!, memory: memory, racks: options["racks"].map(Self.list) ?? [])
            seen = world.state
        case "join": world.join(World.candidate(Int(words[0])!, rack: options["rack"] ?? ""))
        case "down":
            world.commit(
                try #require(Planner.setStatus(.down, of: NodeID(Int(words[0])!), in: world.state, now: world.now)))
        case "rebind": world.commit(try #require(Planner.rebindEndpoints(in: world.state, now: world.now)))
        case "create": try world.create(Self.changed(.named(words[0]), by: options))
        case "update": try world.update(id(words[0])) { $0 = Self.changed($0, by: options) }
        case "delete": try world.delete(id(words[0]))
        case "fail-over":
            world.commit(
                try Planner.failOver(
                    ShardID(Int(words[0])!), to: ShardID(Int(words[1])!), in: world.state, fresh: world.fresh(),
                    now: world.now))
        case "confirmed":
            let database = try id(words[0])
            let epoch = world.state.databases[database]!.epoch
            world.commit(
                try #require(Planner.noteLeased(database, by: epoch, in: world.state, now: world.now)))
        case "promoted":
            let shard = ShardID(Int(words[0])!)
            let database = world.state.shard(shard)!.database.id
            world.commit(
                try #require(Planner.endTransition(of: database, to: shard, in: world.state, now: world.now)))
        case "done": world.finishAll()
        case "failed": world.finishAll(.failed(words.joined(separator: " ")))
        default: throw PlanError("unknown_command", "\(verb)")
        }
    }

    private func id(_ name: String) throws(PlanError) -> DatabaseID {
        guard let id = world.state.usage.names[name] else { throw PlanError("db_not_exist", status: 404, name) }
        return id
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    private static func changed(_ policy: DatabasePolicy, by options: [String: String]) -> DatabasePolicy {
        var policy = policy
        if let memory = options["memory"] { policy.memoryLimit = ByteCount(parsing: memory)! }
        if let shards = options["shards"] { policy.shardCount = Int(shards)! }
        if let replication = options["replication"] { policy.isReplicated = replication == "yes" }
        if let placement = options["placement"] { policy.placement = ShardsPlacement(rawValue: placement)! }
        if let proxies = options["proxies"] { policy.proxyPolicy = ProxyPolicy(rawValue: proxies)! }
        if let port = options["port"] { policy.requestedPort = UInt16(port)! }
        return policy
    }

    /// What is different from before the command.
    private func changes() -> [String] {
        var lines: [String] = []
        for id in Set(seen.databases.keys).union(world.state.databases.keys).sorted() {
            guard let now = world.state.databases[id] else {
                lines.append("database \(id) is gone")
                continue
            }
            if now != seen.databases[id] { lines += describe(now, before: seen.databases[id]) }
        }
        return lines.isEmpty ? ["nothing changes"] : lines
    }

    private func describe(_ database: DatabaseConfiguration, before: DatabaseConfiguration?) -> [String] {
        var lines = [
            "database \(database.id) \(database.policy.name): \(database.status.rawValue), epoch \(database.epoch)"
        ]
        if database.endpoint != before?.endpoint {
            let nodes = database.endpoint.nodes.map(\.description).joined(separator: " ")
            lines.append("  port \(database.endpoint.port) on nodes \(nodes)")
        }
        for shard in database.shards where before?.shards.contains(shard) != true {
            lines.append("  shard \(shard.id) \(shard.role) on node \(shard.node), slots \(shard.slots)")
        }
        for shard in before?.shards ?? [] where !database.shards.contains(where: { $0.id == shard.id }) {
            lines.append("  shard \(shard.id) goes")
        }
        return lines
    }
}
