import ArgumentParser
import Glibc
import ManagementClient

/// Where the API is and who asks.
struct ConnectionOptions: ParsableArguments {
    @Option(help: "API address, https://<node>[:9443]; several with commas. [TARN_URL]")
    var url: String?

    @Option(help: "PEM file of the cluster's CA certificate. [TARN_CA]")
    var ca: String?

    @Option(help: "E-mail address of a management user. [TARN_USER]")
    var user: String?

    @Option(help: ArgumentHelp("File with that user's password. [TARN_PASSWORD_FILE]", valueName: "file"))
    var loginPasswordFile: String?

    @Flag(help: "Do not check the server's certificate.")
    var insecure = false

    @Option(help: "Ask the node installed under this directory.")
    var prefix: String?

    func sources() throws -> ConfigurationSources {
        var sources = ConfigurationSources()
        sources.flags.url = url
        sources.flags.ca = ca
        sources.flags.user = user
        sources.flags.passwordFile = loginPasswordFile
        sources.flags.isInsecure = insecure
        sources.flags.prefix = prefix
        sources.environment = ClientEnvironment.variables()
        sources.saved = try SavedClusterFile.usual(environment: sources.environment).load()
        let path = LocalCommand.absolute(prefix ?? "/")
        let node = LocalNode(prefix: path)
        if prefix != nil && node == nil {
            throw ClientFailure(
                .usage, "no_node", "no node is installed under \(path) (no etc/tarn/node.conf with an address)")
        }
        sources.node = node.map { ConfigurationSources.Node(address: $0.address, caCertificate: $0.authorityPEM) }
        return sources
    }
}

/// How long a verb that starts an operation stays with it.
struct WaitOptions: ParsableArguments {
    @Flag(help: "Return as soon as the operation has begun.")
    var noWait = false

    @Option(help: "How long to wait, e.g. 30s or 5m; exit status 5 when it is over.")
    var timeout: Span = Span(seconds: 90)
}

/// A span of time on the command line.
struct Span: ExpressibleByArgument {
    var seconds: Int64

    init(seconds: Int64) {
        self.seconds = seconds
    }

    init?(argument: String) {
        guard let seconds = DurationText.seconds(argument) else { return nil }
        self.seconds = seconds
    }

    var defaultValueDescription: String { DurationText.text(seconds: seconds) }
    var duration: Duration { .seconds(seconds) }
}

enum ClientEnvironment {
    private static let names = [
        "TARN_URL", "TARN_CA", "TARN_USER", "TARN_PASSWORD_FILE", "TARN_PASSWORD", "TARN_CONFIG", "XDG_CONFIG_HOME",
        "HOME",
    ]

    static func variables() -> [String: String] {
        var values: [String: String] = [:]
        for name in names { values[name] = LocalCommand.environment(name) }
        return values
    }
}
