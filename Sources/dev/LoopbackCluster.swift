/// A cluster on this machine: each node has a directory as its root and an address of its own, so that all of them use
/// the standard ports. The addresses are on loopback, or each in a network namespace.
struct LoopbackCluster {
    let directory: String
    /// First three numbers of the nodes' addresses; node N has .10+N.
    let network: String
    /// Nil: all nodes share the machine's own network.
    let namespaces: NodeNetwork?

    static let name = "cluster.local"
    static let adminUser = "admin@cluster.local"

    init(directory: String, network: String) {
        self.directory = directory
        self.network = network
        namespaces = nil
    }

    init(directory: String, namespaces: NodeNetwork) {
        self.directory = directory
        self.namespaces = namespaces
        network = namespaces.network
    }

    init(_ arguments: Arguments, _ workspace: Workspace) throws {
        let chosen = arguments.value("directory") ?? workspace.build + "/cluster"
        let network = arguments.value("network") ?? "127.0.0"
        let numbers = network.split(separator: ".").map { UInt8($0) }
        guard numbers.count == 3, numbers[0] == 127, !numbers.contains(nil) else {
            throw Failure(.usage, "--network \(network): give the first three numbers of loopback addresses, 127.0.X")
        }
        self.init(directory: chosen.hasPrefix("/") ? chosen : "\(workspace.root)/\(chosen)", network: network)
    }

    var passwordFile: String { directory + "/admin.password" }
    /// Which package this cluster was made of; written when everything about it is done.
    var completion: Stamp { Stamp(path: directory + "/complete") }

    func prefix(_ node: Int) -> String { "\(directory)/node\(node)" }
    func address(_ node: Int) -> String { "\(network).\(10 + node)" }
    func tarn(_ node: Int) -> String { prefix(node) + "/opt/tarn/current/bin/tarn" }
    var apiURL: String { "https://\(address(1)):9443" }
    var caFile: String { prefix(1) + "/var/lib/tarn/pki/ca.crt" }

    /// Numbers of the nodes whose directories are there.
    var nodes: [Int] {
        Files.list(directory).compactMap { $0.hasPrefix("node") ? Int($0.dropFirst(4)) : nil }.sorted()
    }

    var exists: Bool { !nodes.isEmpty }

    /// The same command, run where that node is.
    func on(_ node: Int, _ command: Command) -> Command {
        namespaces?.namespace(node).entering(command) ?? command
    }

    /// The installed `tarn`, told where the cluster is and who is asking.
    var client: TarnCommand {
        TarnCommand(
            program: tarn(1),
            environment: [
                "TARN_URL": apiURL, "TARN_CA": caFile, "TARN_USER": Self.adminUser, "TARN_PASSWORD_FILE": passwordFile,
                // Whatever `tarn` keeps for its user belongs to this cluster, not to the developer's own settings.
                "XDG_CONFIG_HOME": directory + "/config",
            ])
    }
}
