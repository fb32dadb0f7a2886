import ArgumentParser
import Primitives

/// The installer and the administrator's tool.
@main
struct Tarn: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tarn",
        abstract: "Installs Tarn and manages its clusters and databases.",
        version: ReleaseVersion.current,
        subcommands: [
            PackageCommand.self, InstallCommand.self, UninstallCommand.self, PreflightCommand.self,
            ContainerCommand.self,
        ])
}
