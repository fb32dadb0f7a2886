import Glibc
import Testing

@testable import dev

/// Parts of the configuration store are lost, for good: by one member, by its majority, with its machines. Whatever
/// happens to it, clients of a database with replicas notice nothing that they would not notice without it.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct StoreLossTests {
    /// First one member's data, then that of two of three, beyond repair each time.
    @Test func aStoreThatIsLostIsMadeAnew() throws {
        try LoopbackCluster.temporary("store-loss", network: "127.0.66", nodes: 3) { cluster in
            let endpoint = try cluster.createReplicated()
            try cluster.waitForVoters()
            let writers = [1, 2, 3].map { WritingClient(endpoint, at: cluster.address($0)) }
            defer { for writer in writers { writer.stop() } }
            let shards = cluster.shardPids

            try cluster.damageStore(of: [2])
            _ = try TestedRelease.eventually(within: .seconds(30), "the damaged data to be set aside") {
                cluster.setAside(on: 2).isEmpty ? nil : true
            }
            try cluster.waitForVoters(after: "node 2's member was damaged")

            try cluster.damageStore(of: [2, 3])
            let began = ContinuousClock.now
            _ = try TestedRelease.eventually("changes to be refused") {
                try cluster.refusal(toCreate: "too late") == "no_quorum" ? true : nil
            }
            let listed = try cluster.client.json("node", "list").listed("nodes")
            #expect(listed.count == 3, "who asks is still answered")
            // Longer than any lease and any patience in the cluster.
            while ContinuousClock.now - began < .seconds(30) { usleep(100_000) }

            try cluster.recover(on: 1)
            try cluster.waitForVoters(after: "the store was made anew")
            #expect(cluster.shardPids == shards, "no shard was started again")
            for (node, writer) in zip([1, 2, 3], writers) {
                let tally = writer.takeTally()
                print("node \(node): \(tally.written) writes, longest gap \(tally.longestGap.milliseconds) ms")
                #expect(tally.errors.isEmpty, "through node \(node): \(tally.errors.prefix(3))")
                #expect(tally.longestGap < .seconds(2))
            }
            #expect(try cluster.refusal(toCreate: "other") == nil)
        }
    }

    /// Two machines of three go with their power, the third recovers, though its manager is killed again and again. The
    /// two come back with data by which they have a majority of the old store.
    @Test func machinesThatComeBackFollowTheNewStore() throws {
        try LoopbackCluster.temporary("store-machines", network: "127.0.66", nodes: 3) { cluster in
            let endpoint = try cluster.createReplicated()
            try cluster.waitForVoters()
            try cluster.powerOff([2, 3])
            let writer = WritingClient(endpoint, at: cluster.address(1))
            defer { writer.stop() }

            try cluster.recover(on: 1) {
                for _ in 0..<3 {
                    for pid in cluster.pids("tarn-manager", on: 1) { kill(pid_t(pid), SIGKILL) }
                    usleep(300_000)
                }
            }
            _ = try TestedRelease.eventually(within: .seconds(30), "the survivor to serve alone") {
                _ = writer.takeTally()
                usleep(300_000)
                let tally = writer.takeTally()
                return tally.written > 50 && tally.errors.isEmpty ? true : nil
            }
            try cluster.startStoppedNodes()
            try cluster.waitForVoters(after: "the lost machines came back")
            let tally = writer.takeTally()
            #expect(tally.errors.isEmpty, "while they came back: \(tally.errors.prefix(3))")
            let stores = [1, 2, 3].map { Files.text(cluster.prefix($0) + "/run/tarn/etcd.store") ?? "" }
            #expect(Set(stores).count == 1 && stores[0].hasPrefix("1-"), "\(stores)")
            for node in [2, 3] {
                let data = Files.list(cluster.prefix(node) + "/var/lib/tarn")
                #expect(
                    Files.exists(cluster.prefix(node) + "/var/lib/tarn/etcd/member"),
                    "the data of the lost store stays where it was: \(data)")
            }
        }
    }

    /// A fresh machine takes the place of a lost node, and another node comes back with another address.
    @Test func nodesAreReplacedAndMoved() throws {
        try LoopbackCluster.temporary("store-nodes", network: "127.0.66", nodes: 3) { cluster in
            let endpoint = try cluster.createReplicated()
            try cluster.waitForVoters()
            try cluster.install([4])
            let made = try cluster.client.json("token", "create", "--prefix", cluster.prefix(1))
            let token = try #require(made["token"]?.text)
            func join() throws -> Command.Result {
                try cluster.installer.command([
                    "cluster", "join", cluster.address(1), "--token", token, "--replace", "3", "--prefix",
                    cluster.prefix(4),
                ]).run()
            }
            let early = try join()
            #expect(!early.succeeded && early.errors.contains("node_alive"), "\(early.errors)")
            try cluster.powerOff([3])
            _ = try TestedRelease.eventually("node 3 to be held lost") {
                try cluster.status(of: 3) == "down" ? true : nil
            }
            let late = try join()
            #expect(late.succeeded, "\(late.errors)")
            try cluster.waitForVoters(after: "node 3 was replaced")
            #expect(try cluster.record(of: 3)["addr"]?.text == cluster.address(4))

            try cluster.startStoppedNodes()
            _ = try TestedRelease.eventually("the machine that was replaced to notice") {
                cluster.pids("etcd", on: 3).isEmpty && cluster.log(of: 3).contains("has taken the place") ? true : nil
            }
            try cluster.powerOff([3])
            try cluster.move(2, to: "\(cluster.network).40")
            try cluster.waitForVoters(after: "node 2 has another address")
            #expect(try cluster.record(of: 2)["addr"]?.text == "\(cluster.network).40")
            // Its proxy binds the new address when it has the record: a moment after the cluster has.
            _ = try TestedRelease.eventually("the database to be served at the new address") {
                let moved = try? RESPClient(
                    host: "\(cluster.network).40", port: endpoint.port, password: endpoint.password)
                return try? moved?.send([["SET", "moved", "1"]])[0] == .simple("OK") ? true : nil
            }
        }
    }
}

extension LoopbackCluster {
    fileprivate func createReplicated() throws -> Endpoint {
        let password = directory + "/database.password"
        try Files.write("a-database-password\n", to: password, mode: 0o600)
        let made = try client.json(
            "db", "create", "survivor", "--memory", "300mb", "--shards", "3", "--replication", "--password-file",
            password)
        guard let endpoint = Endpoint(made["endpoint"]) else { throw Failure(.product, "no endpoint in \(made)") }
        return endpoint
    }

    fileprivate func record(of node: Int) throws -> JSONValue {
        let listed = try client.json("node", "list").listed("nodes")
        guard let record = listed.first(where: { $0["uid"]?.int == node }) else {
            throw Failure(.product, "node \(node) is not listed")
        }
        return record
    }

    fileprivate func status(of node: Int) throws -> String { try record(of: node)["status"]?.text ?? "" }

    /// Three active nodes, each with a voter of the store.
    fileprivate func waitForVoters(after what: String = "the cluster was made") throws {
        _ = try TestedRelease.eventually(within: .seconds(60), "three voters after \(what)") {
            let listed = try client.json("node", "list").listed("nodes")
            let isWhole =
                listed.count == 3
                && listed.allSatisfy { $0["status"]?.text == "active" && $0["store_role"]?.text == "voter" }
            return isWhole ? true : nil
        }
    }

    fileprivate var shardPids: [Int] { nodes.flatMap { pids("redis-server", on: $0) } }

    /// What etcd can't start from, in every file of its data; and the running process ended.
    fileprivate func damageStore(of nodes: [Int]) throws {
        let garbage = [UInt8](repeating: 0xA5, count: 256 << 10)
        for node in nodes {
            let data = prefix(node) + "/var/lib/tarn/etcd"
            for path in Files.tree(data).map({ $0.hasPrefix("/") ? $0 : "\(data)/\($0)" })
            where !Files.isDirectory(path) {
                let descriptor = open(path, O_WRONLY)
                guard descriptor >= 0 else { throw Failure(.environment, "can't damage \(path)") }
                _ = write(descriptor, garbage, min(garbage.count, max(Files.size(path), 1)))
                close(descriptor)
            }
        }
        for node in nodes { for pid in pids("etcd", on: node) { kill(pid_t(pid), SIGKILL) } }
    }

    fileprivate func setAside(on node: Int) -> [String] {
        Files.list(prefix(node) + "/var/lib/tarn").filter { $0.contains(".broken-") }
    }

    /// Nil when the database could be created.
    fileprivate func refusal(toCreate name: String) throws -> String? {
        let result = try client.command([
            "db", "create", name, "--memory", "100mb", "--password-file", directory + "/database.password", "--json",
        ]).run()
        if result.succeeded { return nil }
        return try JSONValue(parsing: result.output)["error"]?["code"]?.text ?? "none in \(result.output)"
    }

    /// - Parameter meanwhile: Done once the order is on disk.
    fileprivate func recover(on node: Int, meanwhile: (() -> Void)? = nil) throws {
        let order = prefix(node) + "/var/lib/tarn/recovery.snapshot"
        let command = installer.command([
            "cluster", "recover", "--confirm", Self.name, "--prefix", prefix(node),
        ])
        let child = try ChildProcess(command)
        if let meanwhile {
            _ = try TestedRelease.eventually("the order to be on disk") { Files.exists(order) ? true : nil }
            meanwhile()
        }
        try ChildProcess.wait(for: [child])
        guard child.result.succeeded else { throw command.failure(child.result) }
    }

    fileprivate func powerOff(_ nodes: [Int]) throws {
        for node in nodes {
            let processes = NodeProcesses(prefix: prefix(node))
            for pid in processes.byProgram()["tarn-watchdog"] ?? [] { kill(pid_t(pid), SIGKILL) }
            _ = try TestedRelease.eventually("all of node \(node) to be gone") {
                for pid in processes.pids { kill(pid_t(pid), SIGKILL) }
                return processes.pids.isEmpty ? true : nil
            }
            // As a reboot would.
            for name in Files.list(prefix(node) + "/run/tarn") { try Files.remove("\(prefix(node))/run/tarn/\(name)") }
        }
    }

    /// Starts the node with another address in its settings.
    fileprivate func move(_ node: Int, to address: String) throws {
        try powerOff([node])
        let path = prefix(node) + "/etc/tarn/node.conf"
        guard let text = Files.text(path) else { throw Failure(.environment, "can't read \(path)") }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix("address") ? "address = \(address)" : String(line)
        }
        try Files.write(lines.joined(separator: "\n"), to: path)
        var start = Command(prefix(node) + "/opt/tarn/current/bin/tarn-watchdog", "--prefix", prefix(node), "--daemon")
        start.limit = .seconds(20)
        try start.outputOrFail()
    }

    fileprivate func log(of node: Int) -> String {
        Files.text(prefix(node) + "/var/log/tarn/manager.log") ?? ""
    }
}
