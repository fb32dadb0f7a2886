import ArgumentParser
import Glibc
import HostControl
import InstallerService

struct ContainerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Runs the installed node as a container's PID 1, as its environment says.",
        discussion: """
            TARN_ADDRESS                IPv4 of this node; default: the container's only one
            TARN_CLUSTER_NAME           make a cluster of this name, with TARN_ADMIN_USER and TARN_ADMIN_PASSWORD_FILE
            TARN_JOIN_ADDRESS           join the cluster of the node at this IPv4, with the token in TARN_TOKEN_FILE
            TARN_TOKEN_FILE             when making a cluster: a join token is put there for the others
            With neither name nor join address the node waits for `tarn cluster create` or `join`.
            """)

    @Option(help: "Directory it was installed under.")
    var prefix = "/"

    @Flag(help: "Only make or join the cluster; the node runs already.")
    var bootstrap = false

    @Flag(help: "Exit status 0 when the node answers and is what the environment asks for: a health check.")
    var check = false

    func run() async throws {
        try LocalCommand.run(json: false) {
            let names = ["ADDRESS", "CLUSTER_NAME", "ADMIN_USER", "ADMIN_PASSWORD_FILE", "JOIN_ADDRESS", "TOKEN_FILE"]
            var environment: [String: String] = [:]
            for name in names { environment["TARN_" + name] = LocalCommand.environment("TARN_" + name) }
            let settings = try ContainerSettings(environment: environment, addresses: NetworkProbe.addresses())
            let node = ContainerNode(settings, prefix: LocalCommand.absolute(prefix))
            if check {
                if !node.isHealthy { throw ExitCode(1) }
            } else if bootstrap {
                try node.bootstrap { LocalCommand.printToStandardError("tarn: \($0)") }
            } else {
                try node.start()
            }
        }
    }
}
