import Glibc
import Testing

@testable import dev

/// What is killed comes back by itself, and only those notice who used it.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct KillTests {
    @Test func clientsOfAnotherNodeSeeNoError() throws {
        try TestedRelease.withCluster(of: 3) { cluster in
            let endpoint = try #require(try cluster.databases().first).endpoint
            let writer = try Writer(endpoint, at: cluster.address(2))
            for program in ["tarn-manager", "etcd", "tarn-proxy", "tarn-watchdog"] {
                try killAndWait(program, cluster.prefix(1), writer)
                #expect(writer.errors == [], "while \(program) of node 1 was killed")
                try cluster.waitUntilServing(limit: .seconds(20))
            }
        }
    }

    @Test func aShardComesBack() throws {
        try TestedRelease.withCluster(of: 3) { cluster in
            let endpoint = try #require(try cluster.databases().first).endpoint
            let before = NodeProcesses(prefix: cluster.prefix(1)).byProgram()["redis-server"] ?? []
            let victim = try #require(before.first)
            kill(pid_t(victim), SIGKILL)
            _ = try TestedRelease.eventually("a shard in place of \(victim)") {
                let now = NodeProcesses(prefix: cluster.prefix(1)).byProgram()["redis-server"] ?? []
                return now.count == before.count && !now.contains(victim) ? now : nil
            }
            // Keys of every shard can be written again.
            let writer = try TestedRelease.eventually("writes to every shard") {
                let writer = try Writer(endpoint, at: cluster.address(1))
                for _ in 0..<64 { writer.write() }
                return writer.errors.isEmpty ? writer : nil
            }
            #expect(writer.count == 64)
        }
    }

    private func killAndWait(_ program: String, _ prefix: String, _ writer: Writer) throws {
        let processes = NodeProcesses(prefix: prefix)
        let victim = try #require(processes.byProgram()[program]?.first)
        kill(pid_t(victim), SIGKILL)
        _ = try TestedRelease.eventually("\(program) in place of \(victim)") {
            writer.write()
            return processes.byProgram()[program].flatMap { $0.contains(victim) ? nil : $0.first }
        }
        for _ in 0..<200 { writer.write() }
    }
}

/// Writes one key after another and notes what goes wrong.
private final class Writer {
    private let client: RESPClient
    private(set) var count = 0
    private(set) var errors: [String] = []

    init(_ endpoint: Endpoint, at host: String) throws {
        client = try RESPClient(host: host, port: endpoint.port, password: endpoint.password, timeoutSeconds: 10)
    }

    func write() {
        guard errors.count < 5 else { return }
        count += 1
        do {
            let reply = try client.send([["SET", "written:\(count)", "\(count)"]])[0]
            if reply != .simple("OK") { errors.append("write \(count): \(reply)") }
        } catch {
            errors.append("write \(count): \(error)")
        }
    }
}
