import FoundationEssentials
import Glibc
import HostControl
import NodeLayout

/// The node as a container: started by the engine as PID 1, it becomes the watchdog, while a child of it makes or
/// joins the cluster.
/// ```
///  PID 1: tarn container ─▶ node.conf ─▶ exec tarn-watchdog ─▶ proxy, manager, …
///             └─ spawn: tarn container --bootstrap ─▶ waits for the manager ─▶ tarn cluster create | join
/// ```
/// The child is an ordinary client of the node; when it fails the container goes on and stays unhealthy, so that
/// `docker logs` shows why and the node can be looked into.
package struct ContainerNode {
    private let settings: ContainerSettings
    private let paths: NodePaths

    package init(_ settings: ContainerSettings, prefix: String) {
        self.settings = settings
        paths = NodePaths(prefix: prefix)
    }

    /// Does not return when all is well: the process becomes the watchdog.
    package func start() throws {
        try writeAddress()
        if needsBootstrap { try spawnBootstrap() }
        try becomeWatchdog()
    }

    /// Whether the node answers and has become what its environment asks for.
    package var isHealthy: Bool {
        NetworkProbe.accepts(settings.address, port: 9443) && (settings.purpose == .idle || isMember)
    }

    /// Written by the manager as the last step of creating and of joining.
    private var isMember: Bool { HostFile.exists(paths.identity) }

    private var needsBootstrap: Bool {
        switch settings.purpose {
        case .idle: false
        case .join: !isMember
        case .create(_, _, _, let tokenFile): !isMember || tokenFile.map { !HostFile.exists($0) } ?? false
        }
    }

    private func writeAddress() throws {
        guard var configuration = try NodeSettings.installed(paths) else {
            throw InstallerError(.badArgument, "\(paths.settings) is missing: run `tarn install` first.")
        }
        if let old = configuration.address, old != settings.address, isMember {
            throw InstallerError(
                .conflict,
                "This node is a member of a cluster as \(old), and now has the address \(settings.address):"
                    + " give the container its old address.")
        }
        guard configuration.address != settings.address else { return }
        configuration.address = settings.address
        try HostFile.write(configuration.text.utf8, to: paths.settings, mode: 0o644)
    }

    private func spawnBootstrap() throws {
        let arguments = [paths.program("tarn"), "container", "--bootstrap", "--prefix", paths.prefix]
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        // Inherits the outputs of PID 1, so what it says is in `docker logs`. The watchdog reaps it.
        let result = posix_spawn(&pid, arguments[0], nil, nil, &pointers, environ)
        guard result == 0 else {
            throw HostError(.process, "Cannot run \(arguments[0]): \(String(cString: strerror(result))).")
        }
    }

    private func becomeWatchdog() throws {
        let program = paths.program("tarn-watchdog")
        let arguments = [program, "--prefix", paths.prefix]
        execv(program, arguments.map { strdup($0) } + [nil])
        throw HostError(.process, "Cannot run \(program): \(String(cString: strerror(errno))).")
    }
}

extension ContainerNode {
    /// How long the manager, the other node and the token file are waited for.
    private static let patience = Duration.seconds(300)

    /// Creates or joins, as the environment asks. Safe to run again at any point.
    package func bootstrap(say: (String) -> Void) throws {
        try wait("the manager at \(settings.address):9443") {
            NetworkProbe.accepts(settings.address, port: 9443)
        }
        switch settings.purpose {
        case .idle: return
        case .create(let name, let administrator, let passwordFile, let tokenFile):
            if !isMember {
                try tarn([
                    "cluster", "create", "--name", name, "--admin", administrator, "--password-file", passwordFile,
                ])
                say("created the cluster \(name)")
            }
            if let tokenFile { try provideToken(tokenFile, say) }
        case .join(let address, let tokenFile):
            try join(address, tokenFile, say)
        }
    }

    private struct TokenAnswer: Decodable {
        var token: String
    }

    private func provideToken(_ path: String, _ say: (String) -> Void) throws {
        guard !HostFile.exists(path) else { return }
        let output = try tarn(["token", "create", "--json"])
        let answer = try JSONDecoder().decode(TokenAnswer.self, from: Data(output.utf8))
        try HostFile.write((answer.token + "\n").utf8, to: path, mode: 0o600)
        say("put a join token into \(path)")
    }

    /// Tries until it works or patience ends: the other node may be making its cluster just now.
    private func join(_ address: String, _ tokenFile: String, _ say: (String) -> Void) throws {
        try wait("a join token in \(tokenFile)") { HostFile.text(tokenFile).map { !$0.isEmpty } ?? false }
        let deadline = ContinuousClock.now + Self.patience
        while !isMember {
            do {
                try tarn(["cluster", "join", address, "--token-file", tokenFile])
                say("joined the cluster of \(address)")
                return
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
                say("\(error); trying again")
                sleep(2)
            }
        }
    }

    @discardableResult
    private func tarn(_ arguments: [String]) throws -> String {
        let outcome = try Subprocess.run(
            paths.program("tarn"), arguments + ["--prefix", paths.prefix], timeout: .seconds(120))
        guard outcome.status == 0 else {
            throw InstallerError(.notStarted, "`tarn \(arguments[0]) \(arguments[1])` failed: \(outcome.output)")
        }
        return outcome.output
    }

    private func wait(_ what: String, _ condition: () -> Bool) throws {
        let deadline = ContinuousClock.now + Self.patience
        while !condition() {
            guard ContinuousClock.now < deadline else {
                throw InstallerError(.notStarted, "Waited \(Self.patience) for \(what), in vain.")
            }
            usleep(200_000)
        }
    }
}
