import ArgumentParser
import Glibc
import HTTPTransport
import ManagementAPI
import ManagementClient
import NIOPosix

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Makes, joins, shows, sets and recovers a cluster.",
        subcommands: [
            ClusterCreateCommand.self, ClusterJoinCommand.self, ClusterShowCommand.self, ClusterPolicyCommand.self,
            ClusterRecoverCommand.self,
        ])
}

struct ClusterCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Makes a cluster of the node on this machine.",
        discussion: """
            The administrator's password comes from --password-file, the environment variable TARN_PASSWORD or a \
            prompt. What later calls need is written to ~/.config/tarn/config.json (mode 0600).
            """)

    @Option(help: "Name of the cluster, a domain name such as cluster.local.")
    var name: String

    @Option(help: "E-mail address of the administrator.")
    var admin: String

    @Option(help: "File with the administrator's password.")
    var passwordFile: String?

    @Option(help: "Rack of the machine: a replica is never in its primary's.")
    var rack: String?

    @Option(help: "Directory that the node is installed under.")
    var prefix = "/"

    @Option(help: "API address to remember instead of this node's.")
    var url: String?

    @Flag(help: "Do not write ~/.config/tarn/config.json.")
    var noConfig = false

    @Option(help: "How long to wait, e.g. 30s or 5m.")
    var timeout: Span = Span(seconds: 90)

    @OptionGroup var output: JSONOption

    private struct Summary: Encodable {
        var name: String
        var url: String
        var node_uid: String?
        var config: String?
    }

    func run() async throws {
        try await APICommand.reporting(json: output.json) {
            let node = try LocalNode.installed(under: prefix)
            let (password, file) = try givenPassword()
            try await LocalBootstrap(node: node, timeout: timeout).run(
                .create(name: name, email: admin, password: password, rack: rack), attempt: "create \(name) \(admin)"
            ) { outcome in
                let config = noConfig ? nil : remember(node, password: password, file: file)
                report(outcome, node, config: config)
            }
        }
    }

    private func report(_ outcome: Bootstrapper.Outcome, _ node: LocalNode, config: String?) {
        if output.json {
            let summary = Summary(name: name, url: url ?? node.url, node_uid: outcome.nodeUID, config: config)
            try? LocalCommand.printJSON(summary)
        } else {
            print("Cluster \(name) is up; its API: \(url ?? node.url)")
            if let config { print("Remembered in \(config); try: tarn status") }
        }
    }

    private func givenPassword() throws -> (text: String, file: String?) {
        if let passwordFile {
            let path = LocalCommand.absolute(passwordFile)
            return (try ClientConfiguration.password(inFile: path), path)
        }
        if let text = LocalCommand.environment("TARN_PASSWORD"), !text.isEmpty { return (text, nil) }
        guard let first = Terminal.askSecret("Password for \(admin): ") else {
            throw ClientFailure(.usage, "no_password", "no password: give --password-file or set TARN_PASSWORD")
        }
        guard Terminal.askSecret("Again: ") == first else {
            throw ClientFailure(.usage, "no_password", "the two passwords differ; nothing was done")
        }
        return (first, nil)
    }

    /// A home that can't be written to is no reason to call a made cluster failed.
    private func remember(_ node: LocalNode, password: String, file: String?) -> String? {
        let saved = SavedCluster(
            url: url ?? node.url, caCertificate: node.authorityPEM, user: admin, passwordFile: file,
            password: file == nil ? password : nil)
        let place = SavedClusterFile.usual(environment: ClientEnvironment.variables())
        do throws(ClientFailure) {
            if try place.save(saved) {
                LocalCommand.printToStandardError(
                    "tarn: what was remembered of another cluster is now in \(place.path).previous")
            }
            return place.path
        } catch {
            LocalCommand.printToStandardError("tarn: not remembered: \(error.message)")
            return nil
        }
    }
}

struct ClusterJoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Makes the node on this machine a member of a cluster.")

    @Argument(help: "Address of any node of the cluster.")
    var address: String

    @Option(help: "Number of a lost node whose place, shards and part in the store this one takes.")
    var replace: Int?

    @Option(help: "Join token, from `tarn token create`.")
    var token: String?

    @Option(help: "File with the join token.")
    var tokenFile: String?

    @Option(help: "Rack of the machine: a replica is never in its primary's.")
    var rack: String?

    @Option(help: "Directory that the node is installed under.")
    var prefix = "/"

    @Option(help: "How long to wait, e.g. 30s or 5m.")
    var timeout: Span = Span(seconds: 90)

    @OptionGroup var output: JSONOption

    private struct Summary: Encodable {
        var node_uid: String?
        var address: String
    }

    func validate() throws {
        guard (token == nil) != (tokenFile == nil) else { throw ValidationError("Give --token or --token-file.") }
    }

    func run() async throws {
        try await APICommand.reporting(json: output.json) {
            let node = try LocalNode.installed(under: prefix)
            let text = try token ?? ClientConfiguration.password(inFile: LocalCommand.absolute(tokenFile ?? ""))
            // Of the token only the part that is no secret names the attempt.
            let id = text.split(separator: ".").dropFirst().first ?? ""
            try await LocalBootstrap(node: node, timeout: timeout).run(
                .join(addresses: [address], token: text, replacing: replace, rack: rack), attempt: "join \(id)"
            ) { report($0, node) }
        }
    }

    private func report(_ outcome: Bootstrapper.Outcome, _ node: LocalNode) {
        if output.json {
            try? LocalCommand.printJSON(Summary(node_uid: outcome.nodeUID, address: node.address))
        } else {
            let uid = outcome.nodeUID.map { "node:\($0) " } ?? ""
            print("\(uid)(\(node.address)) is in the cluster of \(address)")
        }
    }
}

struct ClusterShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows the cluster as a whole.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.run(connection, output) { session in
            let raw = try await session.api.call("GET", "/v1/cluster")
            let nodes: [NodeObject] = try await session.api.get("/v1/nodes")
            let cluster: ClusterObject = try await session.api.get("/v1/cluster")
            try session.show(raw) {
                """
                name     \(cluster.name)
                created  \(cluster.createdTime)
                version  \(cluster.softwareVersion)
                nodes    \(nodes.count)
                ca       sha256:\(cluster.authorityDigest)
                """
            }
        }
    }
}

extension LocalNode {
    static func installed(under prefix: String) throws -> LocalNode {
        let path = LocalCommand.absolute(prefix)
        guard let node = LocalNode(prefix: path) else {
            throw ClientFailure(
                .usage, "no_node", "no node is installed under \(path): run `tarn install` first, or give --prefix")
        }
        return node
    }
}

/// Runs a bootstrap with a progress line.
struct LocalBootstrap {
    let node: LocalNode
    let timeout: Span

    /// - Parameter report: Prints the outcome. Until that has left this process an attempt isn't seen to its end.
    func run(
        _ request: BootstrapRequest, attempt: String, report: (Bootstrapper.Outcome) -> Void
    ) async throws {
        let line = ProgressLine()
        defer { line.clear() }
        let bootstrapper = Bootstrapper(
            node: node, group: MultiThreadedEventLoopGroup.singleton, limit: timeout.duration)
        _ = try await bootstrapper.run(
            request, attempt: attempt, progress: { line.show("node \(node.address): \($0)") },
            report: { outcome in
                line.clear()
                report(outcome)
                fflush(nil)
            })
    }
}
