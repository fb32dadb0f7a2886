import ArgumentParser
import ManagementAPI
import ManagementClient

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows nodes, databases, endpoints and shards.",
        discussion: "The node that was asked has a *.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let view = try await ClusterView(session.api)
            if session.isJSON { return try LocalCommand.printJSON(view.json) }
            print("CLUSTER NODES:\n\(view.nodeTable(here: session.host).text)\n")
            print("DATABASES:\n\(view.databaseTable.text)\n")
            print("ENDPOINTS:\n\(view.endpointTable(here: session.host).text)\n")
            print("SHARDS:\n\(view.shardTable(here: session.host).text)")
        }
    }
}

struct ShardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shard", abstract: "Lists shards, changes their primaries, moves them.",
        subcommands: [ShardListCommand.self, ShardSwitchoverCommand.self, ShardMigrateCommand.self])
}

struct ShardListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists shards with node, role, slots, process and memory.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            if session.isJSON { return try LocalCommand.printJSON(try await session.api.call("GET", "/v1/shards")) }
            print(try await ClusterView(session.api).shardTable(here: session.host).text)
        }
    }
}

struct EndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint", abstract: "Lists endpoints.", subcommands: [EndpointListCommand.self])
}

struct EndpointListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists where databases are reached, one line for each node that serves one.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            if session.isJSON { return try LocalCommand.printJSON(try await session.api.call("GET", "/v1/endpoints")) }
            print(try await ClusterView(session.api).endpointTable(here: session.host).text)
        }
    }
}

struct LicenseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "license", abstract: "Shows the licence: Apache-2.0, without limits or end.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let raw = try await session.api.call("GET", "/v1/license")
            let license: LicenseObject = try await session.api.get("/v1/license")
            try session.show(raw) {
                """
                license  \(raw["license"]?.stringValue ?? "Apache-2.0")
                expired  \(license.isExpired ? "yes" : "no")
                shards   \(license.shardsInUse) in use, no limit
                """
            }
        }
    }
}
