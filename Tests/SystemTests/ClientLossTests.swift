import Testing

@testable import dev

/// What applications see of a node's loss, with the default settings of their libraries: at the endpoint of a node that
/// stays, and at the one that is lost. docs/reliability.md has what it printed.
@Suite(
    .serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"),
    .enabled(if: NetworkNamespace.problem == nil, Comment(rawValue: NetworkNamespace.problem ?? "")))
struct ClientLossTests {
    private static let kinds = ["redis-py", "glide-sync", "glide-async", "redis-cli"]

    @Test func applicationsGoOnAfterTheLossOfANode() throws {
        let python = try PythonClients().prepared()
        let script = try Workspace.find().root + "/Tests/SystemTestScripts/survivor.py"
        try FaultLab.with(
            directory: Workspace.find().build + "/system-tests/client-loss",
            network: NodeNetwork(network: "198.18.22"), nodes: 3,
            kinds: DatabaseKind.all.filter { $0.name == "ha-clustered" }, tarn: TestedRelease.tarn ?? "",
            package: TestedRelease.package ?? ""
        ) { lab in
            let endpoint = try #require(lab.databases.first).endpoint
            let scene = try FaultScene(lab: lab, run: 0, seeksPrimary: true)
            let homes = [scene.others[0], scene.node]
            let directory = lab.cluster.directory + "/clients"
            try Files.makeDirectory(directory)
            let clients = homes.flatMap { home in
                Self.kinds.map { Client(kind: $0, host: lab.cluster.address(home), directory: directory) }
            }
            let children = try clients.map { client in
                var command = Command(
                    python, script, client.kind, client.host, String(endpoint.port), endpoint.password, directory)
                command.limit = .seconds(180)
                return try ChildProcess(command)
            }
            defer { try? Files.write("", to: directory + "/stop") }
            try wait(for: clients, toDo: 100, "to work")

            let powerOff = try #require(Fault.named("node-off").first)
            let injury = try powerOff.inject(scene)
            // Those at the other node go on without the one that is off.
            try wait(for: clients.filter { $0.host != lab.cluster.address(scene.node) }, toDo: 200, "to go on")
            try injury.heal()
            try lab.waitUntilWhole(limit: powerOff.recovery)
            // Without a time limit of its own a client only notices when TCP repeats what was not acknowledged.
            try wait(for: clients, toDo: 100, within: .seconds(90), "to work with the node that is back")
            try Files.write("", to: directory + "/stop")
            try ChildProcess.wait(for: children)

            for (client, child) in zip(clients, children) {
                let home = client.host == lab.cluster.address(scene.node) ? "the lost node" : "another node"
                // Libraries print warnings before.
                let summary = child.result.output.split(separator: "\n").last { $0.hasPrefix("{") }
                print("\(client.kind) at \(home): \(summary ?? "")")
                let seen = try JSONValue(parsing: String(try #require(summary, "\(child.result)")))
                let gap = try #require(seen["longest gap ms"]?.int)
                if client.host != lab.cluster.address(scene.node) {
                    #expect(gap < Fault.lossLimit.milliseconds * 10, "\(client.kind): \(seen)")
                }
            }
        }
    }

    private struct Client {
        var kind: String
        var host: String
        var directory: String

        var successes: Int { Files.text("\(directory)/\(kind)-\(host).count").flatMap { Int($0) } ?? 0 }
    }

    private func wait(
        for clients: [Client], toDo count: Int, within limit: Duration = .seconds(40), _ what: String
    ) throws {
        let before = clients.map(\.successes)
        _ = try TestedRelease.eventually(within: limit, "all clients \(what)") {
            let late = zip(clients, before).filter { $0.successes < $1 + count }
            if late.isEmpty { return true }
            throw Failure(.product, late.map { "\($0.0.kind) at \($0.0.host)" }.joined(separator: ", "))
        }
    }
}
