import ArgumentParser
import ManagementAPI
import ManagementClient
import Primitives

struct ShardSwitchoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchover", abstract: "Makes a replica of a shard the primary.",
        discussion: """
            Clients wait for a moment and nothing is lost. With --force the most advanced replica takes over at once: \
            for a primary that can't be reached, at the price of what it hasn't handed on yet.
            """)

    @Argument(help: "Id of the primary, see `tarn shard list`.")
    var shard: ShardNumber

    @Option(help: "Id of the replica that is to take over. Default: the most advanced one.")
    var to: ShardNumber?

    @Flag(help: "Don't wait for the replica to have everything.")
    var force = false

    @OptionGroup var wait: WaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let action = try await session.switchOver(shard.value, to: to?.value, force: force)
            try await session.follow(action, wait)
            try await session.showOutcome(
                of: action, wait, "shard \(shard.value) is being replaced", "shard \(shard.value) is a replica now")
        }
    }
}

struct DatabaseSwitchoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switchover", abstract: "Makes replicas the primaries of all shards of a database.",
        discussion: "One shard after the other, so that clients wait for one of them at a time.")

    @Argument(help: "Name or uid of the database.")
    var database: String

    @Flag(help: "Don't wait for the replicas to have everything.")
    var force = false

    @OptionGroup var wait: WaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let found = try await DatabaseView.find(database, session.api)
            let shards: [ShardObject] = try await session.api.get("/v1/bdbs/\(found.uid)/shards")
            let primaries = shards.filter { $0.role == "master" }.compactMap { Int($0.uid) }
            var actions: [String] = []
            for primary in primaries {
                guard let action = try await session.switchOver(primary, to: nil, force: force) else { continue }
                actions.append(action)
                try await session.follow(action, wait)
            }
            let json = JSONValue.object([
                "uid": .integer(Int64(found.uid.rawValue)), "name": .string(found.name),
                "action_uids": .array(actions.map { .string($0) }),
            ])
            try session.show(json) {
                wait.noWait
                    ? "db:\(found.uid) \(found.name): \(actions.count) changes of primaries begun"
                    : "db:\(found.uid) \(found.name): \(actions.count) of \(primaries.count) primaries changed"
            }
        }
    }
}

struct ShardMigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Moves a shard to another node while it serves.",
        discussion: "A copy is made there, takes over if the shard is a primary, and the old one goes.")

    @Argument(help: "Id of the shard, see `tarn shard list`.")
    var shard: ShardNumber

    @Option(help: "Uid of the node to move it to. Default: the cluster chooses.")
    var to: NodeNumber?

    @Flag(help: "Put it into the rack of another copy, if need be.")
    var overrideRacks = false

    @OptionGroup var wait: WaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let body = MigrateRequest(target: to?.value, ignoresRacks: overrideRacks ? true : nil)
            let started = try await session.start("/v1/shards/\(shard.value)/actions/migrate", body)
            try await session.follow(started, wait)
            try await session.showOutcome(
                of: started, wait, "shard \(shard.value) is being moved", "shard \(shard.value) has moved")
        }
    }
}

struct ActionCancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Stops a migration, a drain or a removal of a node.",
        discussion: "A migration leaves no trace; what a drain or a removal has moved stays where it is.")

    @Argument(help: "Id of the operation, see `tarn action list`.")
    var id: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let answer = try await session.api.call("DELETE", "/v1/actions/\(pathSegment(id))")
            try session.show(answer) { "Cancelled" }
        }
    }
}

/// `tarn verify`: exit status 1 when there is something to tell.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Tells what is not as it should be; exit status 1 if anything is.",
        discussion: """
            Looks for nodes that are down, copies of a shard on one node or in one rack, replicas that are missing, \
            too few \
            voters of the cluster's store, memory promised twice.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        var isClean = true
        try await APICommand.run(connection, output) { session in
            let raw = try await session.api.call("GET", "/v1/cluster/verify")
            let found = try APIClient.decode(raw, as: VerificationObject.self).violations
            try session.show(raw) {
                found.isEmpty
                    ? "All is as it should be."
                    : found.map { "\($0.code): \($0.description)" }.joined(separator: "\n")
            }
            isClean = found.isEmpty
        }
        if !isClean { throw ExitCode(ClientFailure.Kind.refused.rawValue) }
    }
}

/// A shard's number, also as lists print it: `redis:12`.
struct ShardNumber: ExpressibleByArgument {
    var value: Int

    init?(argument: String) {
        guard let number = Int(argument.hasPrefix("redis:") ? String(argument.dropFirst(6)) : argument) else {
            return nil
        }
        value = number
    }
}

/// A node's number, also as lists print it: `node:3`.
struct NodeNumber: ExpressibleByArgument {
    var value: Int

    init?(argument: String) {
        let text = argument.drop { $0 == "*" }
        guard let number = Int(text.hasPrefix("node:") ? text.dropFirst(5) : text) else { return nil }
        value = number
    }
}

extension APICommand.Session {
    /// - Returns: The action that was begun.
    func start(_ path: String, _ body: some Encodable & Sendable) async throws -> String? {
        let answer = try await api.call("POST", path, body: body)
        return try APIClient.decode(answer, as: StartedObject.self).actionUID
    }

    func switchOver(_ shard: Int, to replica: Int?, force: Bool) async throws -> String? {
        try await start(
            "/v1/shards/\(shard)/actions/failover", FailoverRequest(target: replica, isForced: force ? true : nil))
    }

    /// The action as it ended, or as it stands where nobody waits for it.
    func showOutcome(of action: String?, _ wait: WaitOptions, _ begun: String, _ done: String) async throws {
        guard let action else { return try show(JSONValue.object([:])) { begun } }
        let raw = try await api.call("GET", "/v1/actions/\(pathSegment(action))")
        try show(raw) {
            guard !wait.noWait else { return "\(begun): tarn action watch \(action)" }
            let words = raw["state"]?.stringValue ?? ""
            return words.isEmpty ? done : "\(done); \(words)"
        }
    }
}
