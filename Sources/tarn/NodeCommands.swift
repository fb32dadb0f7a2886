import ArgumentParser
import ManagementAPI
import ManagementClient
import Primitives

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Lists, changes, drains and removes nodes.",
        subcommands: [
            NodeListCommand.self, NodeUpdateCommand.self, NodeDrainCommand.self, NodeUndrainCommand.self,
            NodeRemoveCommand.self,
        ])
}

struct NodeListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the cluster's nodes.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            if session.isJSON { return try LocalCommand.printJSON(try await session.api.call("GET", "/v1/nodes")) }
            print(try await ClusterView(session.api).nodeTable(here: session.host).text)
        }
    }
}

struct NodeUpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Changes a node; what is left out stays.",
        discussion: "A new rack moves nothing by itself: tarn verify tells which shards are now in the wrong place.")

    @Argument(help: "Uid of the node.")
    var node: NodeNumber

    @Option(help: "Rack: a replica is never in its primary's. '' for none.")
    var rack: String?

    @Flag(inversion: .prefixedNo, help: "Whether new shards may be put there.")
    var acceptShards: Bool?

    @Option(help: "Most shards on the node.")
    var maxShards: Int?

    @Option(help: "Most endpoints that the node serves.")
    var maxEndpoints: Int?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let body = NodeRequest(
                rackID: rack, acceptsShards: acceptShards, maximumShards: maxShards, maximumEndpoints: maxEndpoints)
            guard body != NodeRequest() else {
                throw ClientFailure(.usage, "nothing_to_change", "say what to change, e.g. --rack r1")
            }
            let changed = try await session.api.call("PUT", "/v1/nodes/\(node.value)", body: body)
            try session.show(changed) { "node:\(node.value) is changed" }
        }
    }
}

struct NodeDrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Takes a node out of service for maintenance.",
        discussion: """
            Its primaries hand over to their replicas; those without one move to other nodes. Then it gets no new \
            shards, and may be stopped. Refused where the cluster couldn't do without it. Drained again, it takes off \
            what has come since.
            """)

    @Argument(help: "Uid of the node.")
    var node: NodeNumber

    @OptionGroup var wait: LongWaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            try await session.run(
                "maintenance_on", on: node, NodeActionRequest(), wait, "node:\(node.value) is being drained",
                "node:\(node.value) is drained; bring it back with: tarn node undrain \(node.value)")
        }
    }
}

struct NodeUndrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undrain", abstract: "Puts a drained node back into service, with the primaries that it had.")

    @Argument(help: "Uid of the node.")
    var node: NodeNumber

    @OptionGroup var wait: LongWaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            try await session.run(
                "maintenance_off", on: node, NodeActionRequest(), wait, "node:\(node.value) is coming back",
                "node:\(node.value) is in service")
        }
    }
}

struct NodeRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Moves everything off a node and removes it from the cluster.",
        discussion: """
            Asks first when a person is there to answer. A node that is down is removed after its replicas were made \
            anew elsewhere. Until the end it can be cancelled: tarn action cancel ID.
            """)

    @Argument(help: "Uid of the node.")
    var node: NodeNumber

    @Flag(help: "Remove a node that is down though it has the only copy of some data, which is then lost.")
    var force = false

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @OptionGroup var wait: LongWaitOptions
    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let loss = force ? " AND LOSE WHAT ONLY IT HAS" : ""
            if !yes, !session.isJSON, LocalCommand.isInteractive,
                !LocalCommand.ask("Remove node:\(node.value) from the cluster\(loss)?")
            {
                throw ClientFailure(.refused, "declined", "stopped as you wished; nothing was changed")
            }
            try await session.run(
                "remove", on: node, NodeActionRequest(isForced: force ? true : nil), wait,
                "node:\(node.value) is being removed", "node:\(node.value) is removed; on it, run: tarn uninstall")
        }
    }
}

/// Waiting for what copies whole shards.
struct LongWaitOptions: ParsableArguments {
    @Flag(help: "Return as soon as the operation has begun.")
    var noWait = false

    @Option(help: "How long to wait, e.g. 30s or 5m; exit status 5 when it is over.")
    var timeout: Span = Span(seconds: 3600)
}

extension APICommand.Session {
    fileprivate func run(
        _ name: String, on node: NodeNumber, _ body: NodeActionRequest, _ wait: LongWaitOptions, _ begun: String,
        _ done: String
    ) async throws {
        let action = try await start("/v1/nodes/\(node.value)/actions/\(name)", body)
        var options = WaitOptions()
        options.noWait = wait.noWait
        options.timeout = wait.timeout
        try await follow(action, options)
        try await showOutcome(of: action, options, begun, done)
    }
}

struct ClusterPolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Shows what is set for the whole cluster, or changes it.")

    @Option(help: "How soon what has died is held to be dead: high (2.5 s for a node) or low (10 s).")
    var detection: DetectionChoice?

    @Flag(inversion: .prefixedNo, help: "Make replicas of lost nodes anew on other nodes.")
    var replicaHA: Bool?

    @Option(help: "How long a node may be down before that, e.g. 10m.")
    var replicaGrace: Span?

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    enum DetectionChoice: String, ExpressibleByArgument, CaseIterable {
        case high, low
    }

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let change = ClusterPolicyObject(
                detection: detection?.rawValue, rebuildsReplicas: replicaHA, replicaGraceSeconds: replicaGrace?.seconds)
            let raw =
                change == ClusterPolicyObject()
                ? try await session.api.call("GET", "/v1/cluster/policy")
                : try await session.api.call("PUT", "/v1/cluster/policy", body: change)
            let policy = try APIClient.decode(raw, as: ClusterPolicyObject.self)
            try session.show(raw) {
                """
                detection      \(policy.detection ?? "-")
                replica HA     \(policy.rebuildsReplicas == false ? "off" : "on")
                replica grace  \(DurationText.text(seconds: policy.replicaGraceSeconds ?? 0))
                """
            }
        }
    }
}
