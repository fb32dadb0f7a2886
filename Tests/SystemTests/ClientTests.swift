import Testing

@testable import dev

/// Client libraries as people use them, against an endpoint of a clustered database: they see one Redis.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct ClientTests {
    private static let kinds = ["redis-py", "redis-py-resp3", "glide-sync", "glide-async", "glide-resp2"]

    @Test func librariesWork() throws {
        let python = try PythonClients().prepared()
        try withEndpoint(network: "127.0.41") { endpoint in
            for kind in Self.kinds {
                var command = Command(
                    python, try Self.script(), kind, endpoint.host, String(endpoint.port), endpoint.password)
                command.limit = .seconds(60)
                let result = try command.run()
                print(result.output.split(separator: "\n").last.map(String.init) ?? "\(kind) printed nothing")
                #expect(result.succeeded, "\(result.output)\(result.errors.suffix(1500))")
            }
        }
    }

    @Test func redisCLIWorks() throws {
        try withEndpoint(network: "127.0.42") { endpoint in
            let cli = RedisCLI(endpoint)
            let answer = try cli.run("PING")
            #expect(answer == "PONG")
            #expect(try cli.run("SET", "greeting", "hello") == "OK")
            #expect(try cli.run("GET", "greeting") == "hello")
            #expect(try cli.run("--scan") == "greeting")
            #expect(try cli.run("DBSIZE") == "1")
            #expect(try cli.run("INFO", "server").contains("redis_version:"))
            let refusal = try cli.run("CONFIG", "SET", "maxmemory", "100gb")
            #expect(refusal != "OK" && !refusal.isEmpty, "\(refusal)")
            print("CONFIG SET: \(refusal)")
            // Lowered, shared out to four shards, and taken back.
            #expect(try cli.run("CONFIG", "SET", "maxmemory", "100mb") == "OK")
            #expect(try cli.run("CONFIG", "GET", "maxmemory") == "maxmemory\n104857600")
            #expect(try cli.run("INFO", "memory").contains("maxmemory:104857600"))
            #expect(try cli.run("CONFIG", "SET", "maxmemory", "4") == "OK")
            #expect(try cli.run("SET", "greeting", "no").hasPrefix("OOM "))
            #expect(try cli.run("CONFIG", "SET", "maxmemory", "0") == "OK")
            #expect(try cli.run("CONFIG", "GET", "maxmemory") == "maxmemory\n209715200")
            #expect(try cli.run("SET", "greeting", "hello") == "OK")
            #expect(try cli.run("-3", "HSET", "h", "field", "value") == "1")
            #expect(try cli.run("-3", "HGETALL", "h").contains("value"))
        }
    }

    private static func script() throws -> String {
        try Workspace.find().root + "/Tests/SystemTestScripts/clients.py"
    }

    private func withEndpoint(network: String, _ body: (Endpoint) throws -> Void) throws {
        try LoopbackCluster.temporary("clients", network: network, nodes: 2) { cluster in
            let password = cluster.directory + "/database.password"
            try Files.write("a-database-password\n", to: password, mode: 0o600)
            let made = try cluster.client.json(
                "db", "create", "clients", "--memory", "200mb", "--shards", "4", "--password-file", password)
            try body(try #require(Endpoint(made["endpoint"])))
        }
    }
}

private struct RedisCLI {
    let endpoint: Endpoint

    init(_ endpoint: Endpoint) { self.endpoint = endpoint }

    func run(_ arguments: String...) throws -> String {
        var command = Command(["redis-cli", "-h", endpoint.host, "-p", String(endpoint.port)] + arguments)
        command.environment = ["REDISCLI_AUTH": endpoint.password]
        command.limit = .seconds(20)
        let result = try command.run()
        return String(result.output.reversed().drop { $0.isWhitespace }.reversed())
    }
}
