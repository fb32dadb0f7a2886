import ClusterModel
import Glibc
import NodeService
import ShardControl
import TLS
import TestSupport
import Testing

/// What a real redis-server makes of our configuration file.
@Suite(.serialized) struct ShardTests {
    @Test func usersMayDoWhatTheyAreFor() async throws {
        try await TestCluster.with(1) { cluster in
            try await cluster.apply(cluster.database(1))
            let node = cluster[1]
            let proxy = try await node.connect(11, user: "proxy")
            defer { proxy.close() }
            for command in [
                ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "REWRITE"], ["REPLICAOF", "NO", "ONE"],
                ["ACL", "LIST"],
                ["ACL", "SETUSER", "x"], ["SHUTDOWN", "NOSAVE"], ["SAVE"], ["BGSAVE"],
                ["BGREWRITEAOF"], ["MODULE", "LIST"], ["CLUSTER", "RESET"], ["PSYNC", "?", "-1"],
                ["REPLCONF", "x", "y"], ["MIGRATE", "h", "1", "k", "0", "1"],
                ["CLIENT", "KILL", "ID", "1"], ["FAILOVER"],
            ] {
                let error = await #expect(throws: ShardError.self, "\(command)") { try await proxy.send(command) }
                #expect(error?.isRefusal("NOPERM") == true, "\(command): \(String(describing: error))")
            }
            // Refused to everybody, by the file.
            await #expect(throws: ShardError.self) { try await node.ask(11, "DEBUG", "SLEEP", "0") }
            for command in [
                ["SET", "k", "v"], ["GET", "k"], ["INFO"], ["KEYS", "*"], ["DBSIZE"], ["SCAN", "0"], ["RANDOMKEY"],
                ["SORT", "nolist"], ["CONFIG", "GET", "maxmemory"], ["SLOWLOG", "GET"], ["LATENCY", "HISTOGRAM"],
                ["MEMORY", "USAGE", "k"], ["SCRIPT", "LOAD", "return 1"], ["FUNCTION", "LIST"], ["COMMAND", "COUNT"],
                ["CLIENT", "SETNAME", "n"], ["PUBLISH", "c", "m"], ["WAIT", "0", "0"], ["OBJECT", "HELP"],
                ["SWAPDB", "0", "1"], ["FLUSHDB"], ["FLUSHALL"],
            ] {
                await #expect(throws: Never.self, "\(command)") { try await proxy.send(command) }
            }
            for (user, password) in [("default", ""), ("default", "proxy"), ("manager", "proxy"), ("nobody", "x")] {
                await #expect(throws: ShardError.self) { try await node.connect(11, user: user, password: password) }
            }
            let replica = try await node.connect(11, user: "replica")
            defer { replica.close() }
            await #expect(throws: ShardError.self) { try await replica.send(["GET", "k"]) }
            try await replica.send(["PING"])
        }
    }

    @Test func onlyNodesMayTalkToThePort() async throws {
        try await TestCluster.with(1) { cluster in
            try await cluster.apply(cluster.database(1))
            let node = cluster[1]
            let stranger = try CertificateAuthority.make(clusterName: "stranger.test")
            let forged = try TestCluster.identity(stranger, name: "node1", address: node.address)
            let base = cluster.directory.path
            try TestCluster.write(forged.certificateChainPEM, "\(base)/forged.crt")
            try TestCluster.write(forged.privateKeyPEM, "\(base)/forged.key")
            func ping(_ certificate: [String]) async throws -> String {
                let log = "\(base)/cli.log"
                unlink(log)
                let client = try TestProcess(
                    "redis-cli",
                    ["-h", node.address, "-p", "20011", "--tls", "--cacert", node.paths.authorityCertificate]
                        + certificate + ["--user", "manager", "--pass", "manager", "--no-auth-warning", "PING"],
                    log: log)
                return try await eventually("redis-cli to say something") {
                    let text = try Self.text(log)
                    _ = client
                    return text.isEmpty ? nil : text
                }
            }
            let own = ["--cert", node.paths.nodeCertificate, "--key", node.paths.nodeKey]
            #expect(try await ping(own) == "PONG\n")
            #expect(try await !ping(["--cert", "\(base)/forged.crt", "--key", "\(base)/forged.key"]).contains("PONG"))
            #expect(try await !ping([]).contains("PONG"))
        }
    }

    @Test func theFileIsForItsOwnerOnly() async throws {
        try await TestCluster.with(1) { cluster in
            try await cluster.apply(cluster.database(1))
            for path in [
                cluster[1].paths.shardConfiguration(ShardID(11)), cluster[1].paths.shardDirectory(ShardID(11)),
            ] {
                var information = stat()
                #expect(stat(path, &information) == 0)
                #expect(information.st_mode & 0o077 == 0, "\(path)")
            }
        }
    }

    private static func text(_ path: String) throws -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
