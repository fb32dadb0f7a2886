import Glibc
import Testing

@testable import dev

/// Every program of a cluster is killed while a client writes through another node's proxy. Each comes back by itself;
/// the client notices only the loss of a primary, and that only until the replica has taken over.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct SurvivalTests {
    @Test func whatIsKilledComesBack() throws {
        try LoopbackCluster.temporary("survival", network: "127.0.43", nodes: 3) { cluster in
            try cluster.waitForStores()
            let killing = try KillingSpree(cluster)
            defer { killing.writer.stop() }
            for program in ["tarn-manager", "etcd", "tarn-proxy", "tarn-watchdog"] {
                let tally = try killing.kill(program, on: 1)
                #expect(tally.errors.isEmpty, "\(program) of node 1 was killed: \(tally.errors.prefix(3))")
            }
            for node in [2, 3] {
                let tally = try killing.kill("tarn-manager", on: node)
                #expect(tally.errors.isEmpty, "the manager of node \(node) was killed: \(tally.errors.prefix(3))")
            }
            let replica = try killing.killShard(role: "slave")
            #expect(replica.errors.isEmpty, "a replica was killed: \(replica.errors.prefix(3))")
            for _ in 0..<3 {
                let primary = try killing.killShard(role: "master")
                #expect(primary.longestGap < .seconds(5))
            }
            killing.writer.stop()
            try killing.checkSavedKeys()
            try LeftOvers(cluster).check(shards: 6)
        }
    }

    /// As a machine that is restarted without maintenance stops it: its primaries are elsewhere before anything ends.
    @Test func aNodeThatIsStoppedHandsOverItsPrimaries() throws {
        try LoopbackCluster.temporary("stopped-node", network: "127.0.62", nodes: 3) { cluster in
            try cluster.waitForStores()
            let killing = try KillingSpree(cluster)
            defer { killing.writer.stop() }
            var handedOver = 0
            for node in [1, 3] {  // The writer is at node 2.
                handedOver += try killing.primaries(on: node).count
                let tally = try killing.stop(node)
                #expect(tally.errors.isEmpty, "node \(node) was stopped: \(tally.errors.prefix(3))")
                #expect(tally.longestGap < .milliseconds(1500), "less than it takes to notice that a node is gone")
                #expect(try killing.primaries(on: node).isEmpty)
            }
            #expect(try handedOver > 0 && killing.failovers() == 0)
            killing.writer.stop()
            try killing.checkSavedKeys()
            try LeftOvers(cluster).check(shards: 6)
        }
    }

    /// One whole node dies at once, as with its power: everything of it is killed, then its watchdog is started.
    @Test func aDeadNodeComesBack() throws {
        try LoopbackCluster.temporary("dead-node", network: "127.0.44", nodes: 3) { cluster in
            let endpoint = try KillingSpree.createDatabase(cluster)
            try cluster.waitForStores()
            for pid in NodeProcesses(prefix: cluster.prefix(3)).pids { Glibc.kill(pid_t(pid), SIGKILL) }
            _ = try TestedRelease.eventually("all of node 3 to be gone") {
                NodeProcesses(prefix: cluster.prefix(3)).pids.isEmpty ? true : nil
            }
            let began = ContinuousClock.now
            try cluster.startStoppedNodes()
            _ = try TestedRelease.eventually(within: .seconds(30), "writes to every shard through node 3") {
                try KillingSpree.write(keys: 200, endpoint, at: cluster.address(3)) ? true : nil
            }
            print("a node started anew serves after \((ContinuousClock.now - began).milliseconds) ms")
            try LeftOvers(cluster).check(shards: 6)
        }
    }
}

/// Kills one process after another below one writing client.
private struct KillingSpree {
    let cluster: LoopbackCluster
    let endpoint: Endpoint
    let writer: WritingClient

    init(_ cluster: LoopbackCluster) throws {
        self.cluster = cluster
        endpoint = try Self.createDatabase(cluster)
        guard try Self.write(keys: 1000, endpoint, at: cluster.address(2)) else {
            throw Failure(.product, "the keys that are to survive could not be written")
        }
        writer = WritingClient(endpoint, at: cluster.address(2))
        try waitForWrites(200)
    }

    static func createDatabase(_ cluster: LoopbackCluster) throws -> Endpoint {
        let password = cluster.directory + "/database.password"
        try Files.write("a-database-password\n", to: password, mode: 0o600)
        let made = try cluster.client.json(
            "db", "create", "survivor", "--memory", "300mb", "--shards", "3", "--replication", "--password-file",
            password)
        guard let endpoint = Endpoint(made["endpoint"]) else { throw Failure(.product, "no endpoint in \(made)") }
        return endpoint
    }

    /// Whether each of the keys could be written.
    static func write(keys: Int, _ endpoint: Endpoint, at host: String) throws -> Bool {
        let client = try RESPClient(host: host, port: endpoint.port, password: endpoint.password)
        for start in stride(from: 0, to: keys, by: 100) {
            let commands = (start..<min(start + 100, keys)).map { ["SET", "saved:\($0)", "value \($0)"] }
            guard try client.send(commands).allSatisfy({ $0 == .simple("OK") }) else { return false }
        }
        return true
    }

    func checkSavedKeys() throws {
        let client = try RESPClient(host: cluster.address(2), port: endpoint.port, password: endpoint.password)
        for number in 0..<1000 {
            let reply = try client.send([["GET", "saved:\(number)"]])[0]
            #expect(reply.text == "value \(number)")
        }
    }

    func kill(_ program: String, on node: Int) throws -> WritingClient.Tally {
        let victim = try #require(cluster.pids(program, on: node).first)
        let began = try strike(victim)
        try cluster.waitForAnother(program, than: victim, on: node)
        return try settle("\(program) of node \(node)", since: began) { try cluster.waitForAPI(of: node) }
    }

    /// SIGTERM to its watchdog, and a start when everything has ended.
    func stop(_ node: Int) throws -> WritingClient.Tally {
        let watchdog = try #require(cluster.pids("tarn-watchdog", on: node).first)
        _ = writer.takeTally()
        let began = ContinuousClock.now
        Glibc.kill(pid_t(watchdog), SIGTERM)
        _ = try TestedRelease.eventually("node \(node) to have stopped") {
            NodeProcesses(prefix: cluster.prefix(node)).pids.isEmpty ? true : nil
        }
        print("node \(node) stopped within \((ContinuousClock.now - began).milliseconds) ms")
        try cluster.startStoppedNodes()
        return try settle("node \(node)", since: began) {
            try cluster.waitForAPI(of: node)
            try waitForShards()
        }
    }

    func primaries(on node: Int) throws -> [Int] {
        try cluster.client.json("shard", "list").listed("shards").compactMap { shard in
            guard shard["role"]?.text == "master", shard["node_uid"]?.text == "\(node)" else { return nil }
            return shard["pid"]?.int
        }
    }

    func failovers() throws -> Int {
        let actions = try cluster.client.json("action", "list").listed("actions")
        return actions.count { $0["name"]?.text == "SMFailoverShard" }
    }

    func killShard(role: String) throws -> WritingClient.Tally {
        // Its pid and its answer to a report say that a shard is whole again.
        try waitForShards()
        let shards = try cluster.client.json("shard", "list").listed("shards")
        let victim = try #require(shards.first { $0["role"]?.text == role })
        let pid = try #require(victim["pid"]?.int)
        let before = try savedKeysAreThere()
        #expect(before)
        let began = try strike(pid)
        let tally = try settle("a shard with role \(role)", since: began) { try waitForShards() }
        try waitForWrites(500)
        let after = writer.takeTally()
        #expect(after.errors.isEmpty, "after the shard was back: \(after.errors.prefix(3))")
        return tally
    }

    private func savedKeysAreThere() throws -> Bool {
        let client = try RESPClient(host: cluster.address(2), port: endpoint.port, password: endpoint.password)
        return try client.send((0..<100).map { ["GET", "saved:\($0)"] }).allSatisfy { $0 != .null }
    }

    /// Six processes, three of them primaries, and each replica linked to its primary.
    private func waitForShards() throws {
        _ = try TestedRelease.eventually(within: .seconds(30), "six whole shards") { () -> Bool? in
            guard (1...3).flatMap({ cluster.pids("redis-server", on: $0) }).count == 6 else { return nil }
            let shards = try cluster.client.json("shard", "list").listed("shards")
            let isWhole = shards.allSatisfy { ["ok", "active"].contains($0["detailed_status"]?.text ?? "ok") }
            return shards.count == 6 && isWhole && shards.filter { $0["role"]?.text == "master" }.count == 3
                ? true : nil
        }
    }

    private func strike(_ pid: Int) throws -> ContinuousClock.Instant {
        _ = writer.takeTally()
        Glibc.kill(pid_t(pid), SIGKILL)
        return .now
    }

    private func settle(
        _ what: String, since began: ContinuousClock.Instant, _ isBack: () throws -> Void
    ) throws -> WritingClient.Tally {
        try isBack()
        let back = ContinuousClock.now - began
        try waitForWrites(300)
        let tally = writer.takeTally()
        print(
            "\(what) killed: back after \(back.milliseconds) ms, \(tally.written) writes, "
                + "\(tally.errors.count) errors, "
                + "longest gap \(tally.longestGap.milliseconds) ms \(tally.errors.first ?? "")")
        return tally
    }

    private func waitForWrites(_ count: Int) throws {
        let start = writer.written
        _ = try TestedRelease.eventually("\(count) more writes") { writer.written >= start + count ? true : nil }
    }
}

/// What a cluster must not have after a rough time.
private struct LeftOvers {
    let cluster: LoopbackCluster

    init(_ cluster: LoopbackCluster) { self.cluster = cluster }

    func check(shards: Int) throws {
        let running = cluster.nodes.flatMap { cluster.pids("redis-server", on: $0) }
        let directories = running.compactMap { NodeProcesses.link("/proc/\($0)/cwd") }
        #expect(running.count == shards)
        #expect(Set(directories).count == shards, "two processes share a shard's directory: \(directories)")
        for node in cluster.nodes { try checkKeeping(node) }
    }

    /// One process per program, none of them dead and unburied, and the watchdog can tell of each: it is its child, or
    /// in the state file by which a watchdog takes over from one that was killed.
    private func checkKeeping(_ node: Int) throws {
        let programs = try TestedRelease.eventually("each program of node \(node) to run once") {
            let programs = NodeProcesses(prefix: cluster.prefix(node)).byProgram()
            let isOnce = ["tarn-watchdog", "tarn-manager", "tarn-proxy", "etcd"].allSatisfy { programs[$0]?.count == 1 }
            return isOnce ? programs : nil
        }
        let watchdog = try #require(programs["tarn-watchdog"]?.first)
        let state = Files.read(cluster.prefix(node) + "/run/tarn/watchdog.state") ?? []
        for (name, pids) in programs where name != "tarn-watchdog" {
            for pid in pids where parent(of: pid) != watchdog {
                #expect(holds(state, pid: pid), "nobody keeps \(name) \(pid) of node \(node)")
            }
        }
        let zombies = Files.list("/proc").compactMap { Int($0) }.filter { status(of: $0)?.state == "Z" }
        #expect(zombies.filter { parent(of: $0) == watchdog }.isEmpty)
    }

    private func parent(of pid: Int) -> Int? { status(of: pid)?.parent }

    /// State and parent from /proc/N/stat; the name before them may hold anything, hence the last parenthesis.
    private func status(of pid: Int) -> (state: String, parent: Int)? {
        guard let text = Files.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return (String(fields[0]), Int(fields[1]) ?? 0)
    }

    /// Pids are written as 32 bits in that file.
    private func holds(_ state: [UInt8], pid: Int) -> Bool {
        let number = UInt32(pid)
        let big = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
        return [big, Array(big.reversed())].contains { pattern in
            state.indices.dropLast(3).contains { Array(state[$0..<$0 + 4]) == pattern }
        }
    }
}
