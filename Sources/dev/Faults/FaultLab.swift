import Glibc

/// A cluster whose nodes have addresses and disks of their own, with a database of every kind: what faults happen to.
final class FaultLab {
    let cluster: LoopbackCluster
    let network: NodeNetwork
    let nodeCount: Int
    private let kinds: [DatabaseKind]
    private(set) var databases: [LabDatabase] = []
    private var lock: Int32 = -1

    /// A disk holds a node's cluster store, certificates, and what its shards persist.
    private static let diskMegabytes = 320

    init(directory: String, network: NodeNetwork, nodes: Int, kinds: [DatabaseKind]) {
        cluster = LoopbackCluster(directory: directory, namespaces: network)
        self.network = network
        nodeCount = nodes
        self.kinds = kinds
    }

    var nodes: [Int] { Array(1...nodeCount) }
    func disk(_ node: Int) -> NodeDisk { NodeDisk(prefix: cluster.prefix(node)) }

    /// `tarn`, which asks whichever node answers.
    var client: TarnCommand {
        var client = cluster.client
        client.environment["TARN_URL"] = nodes.map { "https://\(cluster.address($0)):9443" }.joined(separator: ",")
        return client
    }

    /// A lab for the time of `body`, with this thread among the clients of its network. Nothing of it is left
    /// afterwards, nor of one that a killed run left.
    ///
    /// - Parameter keepsLogs: Where the logs of all nodes go when `body` throws.
    static func with(
        directory: String, network: NodeNetwork, nodes: Int, kinds: [DatabaseKind], tarn: String, package: String,
        _ body: (FaultLab) throws -> Void
    ) throws {
        let lab = FaultLab(directory: directory, network: network, nodes: nodes, kinds: kinds)
        try lab.takeLock()
        try lab.remove()
        let cleanUp = CleanUp.register {
            do { try Interruption.postponed { try lab.remove() } } catch { Console.error("removing the lab: \(error)") }
            lab.releaseLock()
        }
        defer { CleanUp.runNow(cleanUp) }
        try network.make(of: nodes)
        try network.hub.inside {
            try lab.make(tarn: tarn, package: package)
            try body(lab)
        }
    }

    private func make(tarn: String, package: String) throws {
        try Files.makeDirectory(cluster.directory)
        for node in nodes { try disk(node).make(megabytes: Self.diskMegabytes) }
        try cluster.make(of: nodeCount, tarn: tarn, package: package)
        let help = try client.run("db", "create", "--help")
        for kind in kinds where kind.needs.map(help.contains) ?? true { databases.append(try create(kind)) }
        try waitUntilWhole(limit: .seconds(90))
    }

    private func create(_ kind: DatabaseKind) throws -> LabDatabase {
        let passwordFile = cluster.directory + "/database.password"
        try Files.write("a-database-password\n", to: passwordFile, mode: 0o600)
        let command = client.command(
            ["db", "create", kind.name, "--memory", "100mb", "--password-file", passwordFile, "--json"] + kind.options)
        let made = try JSONValue(parsing: try command.outputOrFail())
        guard let uid = try uid(of: kind.name), let endpoint = Endpoint(made["endpoint"])
        else { throw Failure(.product, "no uid or endpoint in \(made)") }
        let slots = try shards().filter { $0.database == uid && $0.isPrimary }.map(\.slots)
            .sorted { $0.lowerBound < $1.lowerBound }
        return LabDatabase(kind: kind, uid: uid, endpoint: endpoint, slots: slots)
    }

    private func uid(of name: String) throws -> Int? {
        try client.json("db", "list").listed("databases").first { $0["name"]?.text == name }?["uid"]?.int
    }

    private func remove() throws {
        try network.remove()
        for node in 1...9 { try disk(node).remove() }
        try Files.remove(cluster.directory)
    }

    // MARK: - One at a time

    /// The kernel lets go of it whatever becomes of this process.
    private func takeLock() throws {
        let path = "/run/tarn-\(network.network).lock"
        lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            throw Failure(
                .environment,
                "another run uses the network \(network.network).0; wait for it, or give this one --network 198.18.9")
        }
    }

    private func releaseLock() {
        close(lock)
        lock = -1
    }
}
