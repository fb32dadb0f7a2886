import Glibc
import Testing

@testable import dev

/// Three containers of `compose/three-nodes.yml` become a cluster by their environment alone.
@Suite(.serialized, .enabled(if: TestedRelease.hasImage, Comment(rawValue: TestedRelease.whyNoImage)))
struct ContainerTests {
    private static let project = "tarn-system-test"
    private static let addresses = (1...3).map { "172.30.79.1\($0)" }

    @Test func threeNodesFormAClusterAndServe() throws {
        try withNodes { compose in
            let nodes = try docker("exec", container(1), "tarn", "node", "list", "--json")
            #expect(try JSONValue(parsing: nodes).listed("nodes").count == 3)
            let created = try docker(
                "exec", container(1), "tarn", "db", "create", "demo", "--memory", "50mb", "--shards", "2",
                "--replication",
                "--json")
            let endpoint = try #require(Endpoint(try JSONValue(parsing: created)["endpoint"]))
            for host in Self.addresses {
                let client = try RESPClient(host: host, port: endpoint.port, password: endpoint.password)
                #expect(try client.send([["PING"]]) == [.simple("PONG")])
            }
        }
    }

    @Test func theImageHasNoRootAndNoCompiler() throws {
        try withNodes { _ in
            #expect(try docker("exec", container(1), "id", "-u").filter(\.isNumber) == "10379")
            #expect(try docker("exec", container(1), "cat", "/proc/1/comm").hasPrefix("tarn-watchdog"))
            for program in ["cc", "gcc", "swift", "curl"] {
                let found = try Command("docker", "exec", container(1), "sh", "-c", "command -v \(program)").run()
                #expect(!found.succeeded, "\(program) is in the image")
            }
        }
    }

    @Test func aRestartedNodeIsAMemberAgain() throws {
        try withNodes { _ in
            try docker("restart", container(2))
            try waitUntilHealthy(container(2))
            let nodes = try docker("exec", container(1), "tarn", "node", "list", "--json")
            #expect(try JSONValue(parsing: nodes).listed("nodes").count == 3)
        }
    }

    private func withNodes(_ body: (Command) throws -> Void) throws {
        let workspace = try Workspace.find()
        let password = workspace.build + "/container-test.password"
        try Files.write(Secrets.password() + "\n", to: password, mode: 0o400)
        // The number of the user in the image.
        if geteuid() == 0 { chown(password, 10379, 10379) } else { chmod(password, 0o444) }
        var compose = Command("docker-compose", "-p", Self.project, "-f", workspace.root + "/compose/three-nodes.yml")
        compose.environment = ["TARN_ADMIN_PASSWORD_FILE": password, "TARN_NODE_IMAGE": TestedRelease.image ?? ""]
        compose.limit = .seconds(180)
        func run(_ arguments: String...) throws {
            var command = compose
            command.arguments += arguments
            try command.outputOrFail()
        }
        try run("down", "-v", "--remove-orphans")
        defer {
            try? run("down", "-v", "--remove-orphans")
            unlink(password)
        }
        try run("up", "-d")
        do {
            for number in 1...3 { try waitUntilHealthy(container(number)) }
            try body(compose)
        } catch {
            for number in 1...3 {
                Console.error((try? Command("docker", "logs", container(number)).run().errors) ?? "")
            }
            throw error
        }
    }

    private func waitUntilHealthy(_ name: String) throws {
        _ = try TestedRelease.eventually(within: .seconds(120), "\(name) to be healthy") {
            let state = try docker("inspect", "--format", "{{.State.Health.Status}}", name)
            return state.hasPrefix("healthy") ? true : nil
        }
    }

    /// Compose 1.29 puts underscores, Compose v2 dashes.
    private func container(_ number: Int) -> String {
        let dashed = "\(Self.project)-node\(number)-1"
        let isThere = (try? Command("docker", "inspect", dashed).run().succeeded) ?? false
        return isThere ? dashed : "\(Self.project)_node\(number)_1"
    }

    @discardableResult
    private func docker(_ arguments: String...) throws -> String {
        var command = Command(["docker"] + arguments)
        command.limit = .seconds(60)
        return try command.outputOrFail()
    }
}
