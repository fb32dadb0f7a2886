import Glibc

@testable import dev

/// What system tests do to a loopback cluster beyond what `dev up` does. Each suite has addresses of its own in
/// 127.0.41.0 to 127.0.49.255 and a directory of its own, so that one that was left behind disturbs no other.
extension LoopbackCluster {
    /// A directory without any node in it for the time of `body`; whatever was started in it ends with it.
    static func temporary(_ name: String, network: String, _ body: (LoopbackCluster) throws -> Void) throws {
        let workspace = try Workspace.find()
        let cluster = LoopbackCluster(directory: "\(workspace.build)/system-tests/\(name)", network: network)
        cluster.endAll()
        try Files.makeDirectory(cluster.directory)
        defer { cluster.endAll() }
        try body(cluster)
    }

    /// A cluster of `count` nodes without a database.
    static func temporary(
        _ name: String, network: String, nodes count: Int, _ body: (LoopbackCluster) throws -> Void
    ) throws {
        try temporary(name, network: network) { cluster in
            try cluster.make(of: count, tarn: TestedRelease.tarn ?? "", package: TestedRelease.package ?? "")
            try body(cluster)
        }
    }

    /// The release's `tarn`, which is there before any node is.
    var installer: TarnCommand { TarnCommand(program: TestedRelease.tarn ?? "", environment: client.environment) }

    func install(_ numbers: [Int]) throws {
        try Command.runTogether(
            numbers.map { node in
                installer.command([
                    "install", "--package", TestedRelease.package ?? "", "--prefix", prefix(node), "--address",
                    address(node), "--yes",
                ])
            })
    }

    /// Makes an installed node as it was before it was in any cluster; quicker than installing it again.
    func startOver(_ node: Int) throws {
        endProcesses(of: node)
        let data = prefix(node) + "/var/lib/tarn"
        try Files.remove(data)
        for name in ["etcd", "shards", "flash", "pki"] { try Files.makeDirectory("\(data)/\(name)") }
        for name in Files.list(prefix(node) + "/run/tarn") { try Files.remove("\(prefix(node))/run/tarn/\(name)") }
        var start = Command(prefix(node) + "/opt/tarn/current/bin/tarn-watchdog", "--prefix", prefix(node), "--daemon")
        start.limit = .seconds(20)
        try start.outputOrFail()
        // Moments to kill something at are to lie in the step, not in the manager's start before it.
        _ = try TestedRelease.eventually("the API of the new node \(node)") {
            close(try TCP.connect(host: address(node), port: 9443, timeoutSeconds: 1))
            return true
        }
    }

    func pids(_ program: String, on node: Int) -> [Int] {
        NodeProcesses(prefix: prefix(node)).byProgram()[program] ?? []
    }

    /// Waits until another process of that program runs in place of `pid`.
    @discardableResult
    func waitForAnother(_ program: String, than pid: Int, on node: Int) throws -> Int {
        try TestedRelease.eventually("another \(program) than \(pid) on node \(node)") {
            pids(program, on: node).first { $0 != pid }
        }
    }

    /// The node's API answers as that of a member.
    func waitForAPI(of node: Int) throws {
        var client = client
        client.environment["TARN_URL"] = "https://\(address(node)):9443"
        _ = try TestedRelease.eventually("the API of node \(node)") {
            try client.command(["node", "list", "--json"]).run().succeeded ? true : nil
        }
    }

    /// Each node keeps a copy of the cluster store; the second and third get theirs a moment after they joined.
    func waitForStores() throws {
        _ = try TestedRelease.eventually("a cluster store on every node") {
            nodes.allSatisfy { pids("etcd", on: $0).count == 1 } ? true : nil
        }
    }

    private func endAll() {
        for node in nodes { endProcesses(of: node) }
        try? Files.remove(directory)
    }

    private func endProcesses(of node: Int) {
        let processes = NodeProcesses(prefix: prefix(node))
        // The watchdog first, or it starts again what is ended here; then whatever it started in its last moment.
        for pid in processes.byProgram()["tarn-watchdog"] ?? [] { kill(pid_t(pid), SIGKILL) }
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let left = processes.pids
            if left.isEmpty { return }
            for pid in left { kill(pid_t(pid), SIGKILL) }
            usleep(5_000)
        }
    }
}

/// The same moments again for the same seed (splitmix64).
struct SeededMoments: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    /// TARN_SEED, or any.
    init() {
        seed = TestedRelease.variable("TARN_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000_000)
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
