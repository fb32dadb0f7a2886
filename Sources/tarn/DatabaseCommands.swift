import ArgumentParser
import Glibc
import ManagementAPI
import ManagementClient
import Primitives

struct DatabaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "db", abstract: "Creates, shows, changes and deletes databases.",
        subcommands: [
            DatabaseCreateCommand.self, DatabaseListCommand.self, DatabaseShowCommand.self, DatabaseUpdateCommand.self,
            DatabaseSwitchoverCommand.self, DatabaseDeleteCommand.self,
        ])
}

/// What may be said of a database when it is made and later.
struct DatabaseOptions: ParsableArguments {
    enum PersistenceChoice: String, ExpressibleByArgument, CaseIterable {
        case none, aof, snapshot
        var wire: String { self == .none ? "disabled" : rawValue }
    }

    enum EvictionChoice: String, ExpressibleByArgument, CaseIterable {
        case noeviction
        case allkeysLRU = "allkeys-lru"
        case allkeysLFU = "allkeys-lfu"
        case allkeysRandom = "allkeys-random"
        case volatileLRU = "volatile-lru"
        case volatileLFU = "volatile-lfu"
        case volatileRandom = "volatile-random"
        case volatileTTL = "volatile-ttl"
    }

    enum ProxyChoice: String, ExpressibleByArgument, CaseIterable {
        case allNodes = "all-nodes"
        case single
        case allMasterShards = "all-master-shards"
    }

    enum DurabilityChoice: String, ExpressibleByArgument, CaseIterable {
        case async, replica
        case replicaDegrade = "replica-degrade"
    }

    @Option(
        help: "Memory limit over all shards and replicas, e.g. 200mb, 1.5gb; 0: no limit.",
        transform: DatabaseOptions.memory)
    var memory: ByteCount?

    @Option(help: "Number of primaries, 1 to 512.")
    var shards: Int?

    @Flag(inversion: .prefixedNo, help: "Give every primary a replica on another node.")
    var replication: Bool?

    @Option(help: "Endpoint port, 10000 to 19999. Default: the cluster chooses.")
    var port: Int?

    @Option(help: "Which keys go when memory is full.")
    var eviction: EvictionChoice?

    @Option(help: "What is written to disk.")
    var persistence: PersistenceChoice?

    @Option(help: "Which nodes serve the endpoint.")
    var proxyPolicy: ProxyChoice?

    @Option(help: "File with the password that clients give.")
    var passwordFile: String?

    @Option(help: "Most client connections; 0: no limit.")
    var maxConnections: Int?

    @Option(help: "When a write counts as done: at the primary, or when a replica has it, too.")
    var durability: DurabilityChoice?

    @Option(
        name: .customLong("key-rule"),
        help: ArgumentHelp(
            "Regular expression of keys whose group (?<tag>...) fixes the slot. Repeat it: the first match counts.",
            valueName: "regex"))
    var keyRules: [String] = []

    @Flag(inversion: .prefixedNo, help: "Hash keys whole that no key rule matches, instead of refusing them.")
    var implicitShardKey: Bool?

    static func memory(_ text: String) throws -> ByteCount {
        guard let count = ByteCount(parsing: text) else {
            throw ValidationError("--memory takes a size such as 200mb or 1.5gb, not '\(text)'.")
        }
        return count
    }

    func request() throws -> BDBRequest {
        var request = BDBRequest()
        request.memoryLimitBytes = memory?.bytes
        request.shardCount = shards
        request.sharding = shards.map { $0 > 1 }
        request.isReplicated = replication
        request.port = port
        request.evictionPolicy = eviction?.rawValue
        request.persistence = persistence?.wire
        request.proxyPolicy = proxyPolicy?.rawValue
        request.password = try passwordFile.map { try ClientConfiguration.password(inFile: LocalCommand.absolute($0)) }
        request.maximumConnections = maxConnections
        request.durability = durability?.rawValue
        request.shardKeyRules = keyRules.isEmpty ? nil : keyRules.map { ShardKeyRule(regex: $0) }
        request.hashesUnmatched = implicitShardKey
        return request
    }
}

struct DatabaseCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a database and prints it when it serves.")

    @Argument(help: "Name of the database.")
    var name: String

    @OptionGroup var options: DatabaseOptions
    @OptionGroup var wait: WaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func validate() throws {
        guard options.memory != nil else { throw ValidationError("--memory is missing, e.g. --memory 200mb.") }
    }

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            var request = try options.request()
            request.name = name
            let unfinished = UnfinishedCreate(request, at: session.host)
            do {
                try await session.finish(try await create(request, session, unfinished), wait)
            } catch let failure as ClientFailure {
                if [.refused, .usage, .unauthorized].contains(failure.kind) { unfinished.forget() }
                throw failure
            }
            // Killed before the answer has left, it has told nobody.
            fflush(nil)
            unfinished.forget()
        }
    }

    /// The new database; or that of an earlier, interrupted call with the same options.
    private func create(
        _ request: BDBRequest, _ session: APICommand.Session, _ unfinished: UnfinishedCreate
    ) async throws -> JSONValue {
        let isSecondTry = unfinished.isSecondTry
        unfinished.note()
        do {
            return try await session.api.call("POST", "/v1/bdbs", body: request)
        } catch {
            guard isSecondTry, error.code == "name_violation" else { throw error }
        }
        let found = try await DatabaseView.find(name, session.api)
        guard found.status != "creation-failed" else {
            throw ClientFailure(
                .refused, "creation_failed",
                "an earlier call made db:\(found.uid) \(name), and that failed: tarn db delete \(name), then try again")
        }
        return try await session.api.call("GET", "/v1/bdbs/\(found.uid)")
    }
}

struct DatabaseUpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Changes a database; what is left out stays.")

    @Argument(help: "Name or uid of the database.")
    var database: String

    @Option(help: "New name.")
    var name: String?

    @OptionGroup var options: DatabaseOptions
    @OptionGroup var wait: WaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            var request = try options.request()
            request.name = name
            guard request != BDBRequest() else {
                throw ClientFailure(.usage, "nothing_to_change", "say what to change, e.g. --memory 400mb")
            }
            let uid = try await DatabaseView.find(database, session.api).uid
            let changed = try await session.api.call("PUT", "/v1/bdbs/\(uid)", body: request)
            try await session.finish(changed, wait)
        }
    }
}

struct DatabaseListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists databases.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            if session.isJSON { return try LocalCommand.printJSON(try await DatabaseView.list(session.api)) }
            print(DatabaseView.table(try await session.api.get("/v1/bdbs")).text)
        }
    }
}

struct DatabaseShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows a database; with --json its password, too.")

    @Argument(help: "Name or uid of the database.")
    var database: String

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let uid = try await DatabaseView.find(database, session.api).uid
            try session.show(database: try await session.api.call("GET", "/v1/bdbs/\(uid)"))
        }
    }
}

struct DatabaseDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Deletes a database and its data.",
        discussion: "Asks first when a person is there to answer.")

    @Argument(help: "Name or uid of the database.")
    var database: String

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @OptionGroup var wait: WaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let found = try await DatabaseView.find(database, session.api)
            if !yes, !session.isJSON, LocalCommand.isInteractive,
                !LocalCommand.ask("Delete db:\(found.uid) \(found.name) and ALL ITS DATA?")
            {
                throw ClientFailure(.refused, "declined", "stopped as you wished; nothing was changed")
            }
            let answer = try await session.api.call("DELETE", "/v1/bdbs/\(found.uid)")
            try await session.follow(answer["action_uid"]?.stringValue, wait)
            let status = wait.noWait ? "delete-pending" : "deleted"
            let summary = JSONValue.object([
                "uid": .integer(Int64(found.uid.rawValue)), "name": .string(found.name), "status": .string(status),
            ])
            try session.show(summary) {
                "db:\(found.uid) \(found.name) is \(wait.noWait ? "being deleted" : "deleted")"
            }
        }
    }
}

extension APICommand.Session {
    /// Waits for the action of a change, then shows the database as it then is.
    func finish(_ answer: JSONValue, _ wait: WaitOptions) async throws {
        try await follow(answer["action_uid"]?.stringValue, wait)
        guard !wait.noWait, case .integer(let uid)? = answer["uid"] else { return try show(database: answer) }
        try show(database: try await api.call("GET", "/v1/bdbs/\(uid)"))
    }

    func show(database raw: JSONValue) throws {
        try show(try DatabaseView.withEndpoint(raw, here: host)) {
            DatabaseView.description(try APIClient.decode(raw, as: BDBObject.self), here: host)
        }
    }
}
