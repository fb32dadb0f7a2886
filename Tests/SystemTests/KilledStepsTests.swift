import Glibc
import Testing

@testable import dev

/// Creating a cluster, joining it and creating a database are killed at random moments: once the command that was
/// typed, once the manager that does the work. The same command, given again, succeeds, and nothing is there twice.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct KilledStepsTests {
    enum Victim: String, CaseIterable { case command, manager }

    private static let rounds = TestedRelease.variable("TARN_ROUNDS").flatMap { Int($0) } ?? 20

    @Test(arguments: Victim.allCases) func aSecondTrySucceeds(victim: Victim) throws {
        var random = SeededMoments()
        print("killing the \(victim): TARN_SEED=\(random.seed)")
        let network = victim == .command ? "127.0.41" : "127.0.42"
        try LoopbackCluster.temporary("killed-\(victim)", network: network) { cluster in
            try cluster.install([1, 2])
            var rounds = KilledRound(cluster: cluster, victim: victim)
            try rounds.measure()
            for number in 1...Self.rounds {
                do {
                    try rounds.run(&random)
                } catch let failure as Failure {
                    throw Failure(failure.code, "round \(number), seed \(random.seed): \(failure.message)")
                }
            }
            rounds.report()
        }
    }
}

/// Two nodes from nothing to a database, each step killed once.
private struct KilledRound {
    let cluster: LoopbackCluster
    let victim: KilledStepsTests.Victim
    /// How long each step takes when nobody disturbs it.
    private var typical: [String: Duration] = [:]
    private var interruptions: [String: Int] = [:]
    private var slowestSecondTry: [String: Duration] = [:]

    init(cluster: LoopbackCluster, victim: KilledStepsTests.Victim) {
        self.cluster = cluster
        self.victim = victim
    }

    mutating func measure() throws {
        try startOver()
        for step in ["create", "join", "database"] {
            let result = try command(step).run()
            guard result.succeeded else {
                throw Failure(.product, "undisturbed \(step): \(result.errors)\(result.output)")
            }
            typical[step] = result.duration
        }
        try check()
    }

    mutating func run(_ random: inout SeededMoments) throws {
        try startOver()
        for step in ["create", "join", "database"] { try interrupt(step, &random) }
        try check()
    }

    func report() {
        for step in ["create", "join", "database"] {
            let slowest = slowestSecondTry[step] ?? .zero
            print(
                "\(step): \((typical[step] ?? .zero).milliseconds) ms undisturbed, interrupted "
                    + "\(interruptions[step] ?? 0) times, slowest second try \(slowest.milliseconds) ms")
        }
    }

    private func startOver() throws {
        // The client keeps notes of what it saw; they are of the cluster before.
        try Files.remove(cluster.directory + "/config")
        for node in [1, 2] { try cluster.startOver(node) }
        try Files.write("a-good-password\n", to: cluster.passwordFile, mode: 0o600)
    }

    private func command(_ step: String) throws -> Command {
        switch step {
        case "create":
            return cluster.client.command([
                "cluster", "create", "--name", LoopbackCluster.name, "--admin", LoopbackCluster.adminUser,
                "--password-file", cluster.passwordFile, "--prefix", cluster.prefix(1),
            ])
        case "join":
            return cluster.client.command([
                "cluster", "join", cluster.address(1), "--token", try token(), "--prefix", cluster.prefix(2),
            ])
        default:
            return cluster.client.command(["db", "create", "killed", "--memory", "20mb", "--json"])
        }
    }

    private func token() throws -> String {
        let made = try cluster.client.json("token", "create", "--uses", "2")
        guard let token = made["token"]?.text else { throw Failure(.product, "no token in \(made)") }
        return token
    }

    private mutating func interrupt(_ step: String, _ random: inout SeededMoments) throws {
        let command = try command(step)
        let span = (typical[step] ?? .zero).milliseconds
        let delay = Int64.random(in: 0...span, using: &random)
        // A join has two managers in it, the joiner's and the one that admits.
        let node = step == "join" && Bool.random(using: &random) ? 2 : 1
        let manager = try TestedRelease.eventually("a manager on node \(node)") {
            cluster.pids("tarn-manager", on: node).first
        }
        let child = try ChildProcess(command)
        usleep(UInt32(delay) * 1000)
        kill(victim == .command ? child.pid : pid_t(manager), SIGKILL)
        try ChildProcess.wait(for: [child])
        if victim == .manager {
            try cluster.waitForAnother("tarn-manager", than: manager, on: node)
            // Who types it again has seen that the API is back; a cluster that is not made yet has none to ask.
            if step != "create" { try cluster.waitForAPI(of: 1) }
        }
        guard !child.result.succeeded, !hasTold(child.result, step) else {
            // It was done before the blow.
            if victim == .manager { try cluster.waitForAPI(of: 1) }
            return
        }
        interruptions[step, default: 0] += 1
        let second = try command.run()
        guard second.succeeded else {
            throw Failure(
                .product,
                "\(step), \(victim) of node \(node) killed after \(delay) ms of \(span): the first try said "
                    + "\(child.result.errors)\(child.result.output); the second try ended with \(second.status): "
                    + "\(second.errors)\(second.output)")
        }
        slowestSecondTry[step] = max(slowestSecondTry[step] ?? .zero, second.duration)
    }

    /// Killed after its last word, it was not interrupted.
    private func hasTold(_ result: Command.Result, _ step: String) -> Bool {
        step == "database"
            ? (try? JSONValue(parsing: result.output)) != nil && result.output.contains("endpoint")
            : result.output.hasSuffix("\n")
    }

    /// One cluster of two nodes, one use of the token, one database that answers on both.
    private func check() throws {
        let nodes = try cluster.client.json("node", "list").listed("nodes")
        let addresses = nodes.compactMap { ($0["address"] ?? $0["addr"])?.text }.sorted()
        try require(addresses == [cluster.address(1), cluster.address(2)], "nodes are \(addresses)")
        try require(Set(nodes.compactMap { $0["uid"]?.int }) == [1, 2], "the nodes' numbers are not 1 and 2")
        let uses = try cluster.client.json("token", "list").elements.compactMap { $0["uses_left"]?.int }
        try require(uses == [1], "the token for two has \(uses) uses left after one join")
        let databases = try cluster.databases()
        try require(databases.map(\.name) == ["killed"], "databases are \(databases.map(\.name))")
        for node in [1, 2] {
            var endpoint = databases[0].endpoint
            endpoint.host = cluster.address(node)
            _ = try TestedRelease.eventually(within: .seconds(10), "a PONG at \(endpoint.host)") {
                try cluster.ping(endpoint)
                return true
            }
        }
        let shards = [1, 2].flatMap { cluster.pids("redis-server", on: $0) }
        try require(shards.count == 1, "\(shards.count) shard processes run for one shard")
    }

    private func require(_ isTrue: Bool, _ what: String) throws {
        if !isTrue { throw Failure(.product, what) }
    }
}
