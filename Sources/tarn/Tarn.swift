import ArgumentParser
import Glibc
import ManagementClient
import Primitives

/// The installer and the administrator's tool.
@main
struct Tarn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tarn",
        abstract: "Installs Tarn and manages its clusters and databases.",
        discussion: """
            EXIT STATUS
              0  done
              1  refused, or the operation failed
              2  wrong usage
              3  the API can't be reached or isn't trusted
              4  not logged in, or not allowed
              5  still going on when the wait was over

            The API is found by --url, --prefix, TARN_URL and TARN_CA, ~/.config/tarn/config.json (made by `tarn \
            cluster create`), or the node on this machine, in this order; the user by --user and \
            --login-password-file, TARN_USER and TARN_PASSWORD_FILE, or that file.
            """,
        version: ReleaseVersion.current,
        groupedSubcommands: [
            CommandGroup(
                name: "CLUSTER",
                subcommands: [
                    ClusterCommand.self, TokenCommand.self, StatusCommand.self, NodeCommand.self, ActionCommand.self,
                    VerifyCommand.self, LicenseCommand.self,
                ]),
            CommandGroup(
                name: "DATABASE", subcommands: [DatabaseCommand.self, ShardCommand.self, EndpointCommand.self]),
            CommandGroup(
                name: "MACHINE",
                subcommands: [
                    InstallCommand.self, UninstallCommand.self, PreflightCommand.self, PackageCommand.self,
                    ContainerCommand.self, CompletionCommand.self,
                ]),
        ])

    /// The library's own exit status for wrong usage is 64 (sysexits.h); ours is 2, as most tools have it.
    static func main() async {
        // A reader that has seen enough (`tarn status | head`) is no reason to die of a signal.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            let status = exitCode(for: error)
            guard status == .validationFailure else { exit(withError: error) }
            LocalCommand.printToStandardError(fullMessage(for: error))
            Glibc.exit(ClientFailure.Kind.usage.rawValue)
        }
    }
}

struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Prints the completion script of a shell.",
        discussion: "bash: source <(tarn completion bash). zsh and fish: save it where they look for completions.")

    @Argument(help: "bash, zsh or fish.")
    var shell: String

    func run() throws {
        guard ["bash", "zsh", "fish"].contains(shell) else {
            throw ValidationError("No completion for '\(shell)': bash, zsh and fish have one.")
        }
        print(Tarn.completionScript(for: CompletionShell(rawValue: shell)!))
    }
}
