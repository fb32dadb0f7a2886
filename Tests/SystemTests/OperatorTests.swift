import Testing

@testable import dev

/// An operator's first hour: installing, joining with a wrong token, four kinds of databases, removing.
@Suite(.serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"))
struct OperatorTests {
    @Test func everyKindOfDatabaseServes() throws {
        try TestedRelease.withCluster(of: 3) { cluster in
            let kinds = [["--shards", "1"], ["--shards", "1", "--replication"], ["--shards", "3"]]
            for (number, options) in kinds.enumerated() {
                try cluster.client.command(["db", "create", "kind\(number)", "--memory", "50mb", "--json"] + options)
                    .outputOrFail()
            }
            let databases = try cluster.databases()
            #expect(databases.count == 4)
            #expect(Set(databases.map(\.endpoint.port)).count == 4)
            for database in databases {
                for node in 1...3 { try checkServing(database.endpoint, at: cluster.address(node)) }
            }
            try cluster.client.run("db", "delete", String(databases[3].uid), "--yes")
            #expect(try cluster.databases().count == 3)
        }
    }

    @Test func aWrongTokenIsRefusedAndTheRightOneStillWorks() throws {
        try TestedRelease.withCluster(of: 1) { cluster in
            let release = TarnCommand(program: TestedRelease.tarn ?? "", environment: cluster.client.environment)
            try release.run(
                "install", "--package", TestedRelease.package ?? "", "--prefix", cluster.prefix(2), "--address",
                cluster.address(2), "--yes")
            let token = try #require(
                try cluster.client.json("token", "create", "--prefix", cluster.prefix(1))["token"]?.text)
            let last = token.last == "0" ? "1" : "0"
            let mistyped = try release.command([
                "cluster", "join", cluster.address(1), "--token", token.dropLast() + last, "--prefix",
                cluster.prefix(2),
            ]).run()
            #expect(mistyped.status != 0)
            #expect(!(mistyped.output + mistyped.errors).isEmpty)
            try cluster.join([2])
            #expect(try cluster.description().nodes.count == 2)
        }
    }

    private func checkServing(_ endpoint: Endpoint, at host: String) throws {
        let client = try RESPClient(host: host, port: endpoint.port, password: endpoint.password)
        let keys = (0..<50).map { "key:\(host):\($0)" }
        #expect(try client.send(keys.map { ["SET", $0, $0] }).allSatisfy { $0 == .simple("OK") })
        #expect(try client.send(keys.map { ["GET", $0] }) == keys.map { .bulk(Array($0.utf8)) })
    }
}
