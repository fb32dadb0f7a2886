import ArgumentParser
import HTTPTransport
import ManagementAPI
import ManagementClient
import NIOPosix

struct ClusterRecoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Makes the lost configuration store of the cluster anew.",
        discussion: """
            For a cluster whose configuration store has lost its majority for good: changes are refused with \
            `no_quorum`, and the nodes or disks that are missing will not come back. Run it on ONE node that is up, \
            as the user who may read the node's files. It shows what would be done and asks for the cluster's name.

            The new store is made from the newest copy of the configuration that any answering node has. Shards that \
            run go on running with their data, and the proxies keep their routes. Nodes that do not answer are taken \
            for lost: make sure that they are switched off or cut off from clients. When they come back they find the \
            new store and join it. The data of the old store is kept beside the new one.
            """)

    @Option(help: "Directory that the node is installed under.")
    var prefix = "/"

    @Option(help: "Name of the cluster: recover without asking.")
    var confirm: String?

    @Flag(help: "Only show what would be done.")
    var plan = false

    @Option(help: "How long to wait, e.g. 30s or 5m.")
    var timeout: Span = Span(seconds: 90)

    @OptionGroup var output: JSONOption

    func run() async throws {
        try await APICommand.reporting(json: output.json) {
            let node = try LocalNode.installed(under: prefix)
            let bootstrapper = Bootstrapper(
                node: node, group: MultiThreadedEventLoopGroup.singleton, limit: timeout.duration)
            let found = try await bootstrapper.recoveryPlan()
            if let found {
                try show(found)
                if plan { return }
            }
            // Begun by a call that was interrupted: nothing is left to ask.
            let answer = try found.map(confirmation)
            let line = ProgressLine()
            defer { line.clear() }
            try await bootstrapper.recover(confirm: answer) { line.show("node \(node.address): \($0)") }
            line.clear()
            if !output.json { print("The configuration store was made anew; see tarn status") }
        }
    }

    private func show(_ plan: RecoveryPlanObject) throws {
        if output.json { return try LocalCommand.printJSON(plan) }
        print("Cluster \(plan.cluster): its configuration store has no majority.\n")
        var table = TextTable("NODE:ID", "ADDRESS", "ANSWERS", "COPY")
        for node in plan.nodes {
            let copy = node.revision.map { "revision \($0) of \(node.takenAt ?? "?")" }
            table.add("node:\(node.uid)", node.address, node.answers ? "yes" : "NO", copy)
        }
        print(table.text)
        print(
            """

            Newest copy: node \(plan.snapshotNode), revision \(plan.snapshotRevision), last changed \
            \(plan.snapshotTime) (\(age(plan.snapshotAgeSeconds)) ago), \(plan.databases) databases.
            A new store would be made of it on node \(plan.node).

            """)
        for finding in plan.findings { print("- \(finding)") }
        print()
    }

    private func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<120: "\(max(0, seconds)) s"
        case ..<7200: "\(seconds / 60) min"
        default: "\(seconds / 3600) h"
        }
    }

    private func confirmation(_ plan: RecoveryPlanObject) throws -> String {
        if let confirm { return confirm }
        guard LocalCommand.isInteractive else {
            throw ClientFailure(
                .usage, "not_confirmed", "to recover without being asked give --confirm \(plan.cluster)")
        }
        let silent = plan.nodes.filter { !$0.answers }.map { "node \($0.uid) (\($0.address))" }
        if !silent.isEmpty {
            Terminal.writeError(
                "Be sure that \(silent.joined(separator: ", ")) can't be reached by clients: two primaries of one "
                    + "shard would take writes, and those of one of them would be lost.\n")
        }
        Terminal.writeError("Type the name of the cluster to recover it: ")
        return readLine() ?? ""
    }
}
