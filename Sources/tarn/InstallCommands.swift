import ArgumentParser
import HostControl
import InstallerService
import NodeLayout
import PackageArchive
import Primitives

extension NodeSettings.Supervisor: ExpressibleByArgument {}

struct InstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Installs a package on this machine and starts the node.",
        discussion: """
            Running it again repairs what is missing; after an interruption it goes on where it stopped.
            """)

    @Option(help: "The package (tarn-<version>-linux-<arch>.tar.zst).")
    var package: String

    @Option(help: "Directory to install under.")
    var prefix = "/"

    @Option(help: "IPv4 address by which other nodes and clients reach this node.")
    var address: String?

    @Option(help: "Who keeps the node running: systemd, self or container. Default: what fits the machine.")
    var supervisor: NodeSettings.Supervisor?

    @Flag(help: "Lay everything down but start nothing.")
    var noStart = false

    @Flag(name: .shortAndLong, help: "Go on in spite of warnings.")
    var yes = false

    @Option(help: "Public key in PEM form to trust instead of the one that tarn carries.")
    var publicKey: String?

    @OptionGroup var output: JSONOption

    func run() async throws {
        try LocalCommand.run(json: output.json) {
            let prefix = LocalCommand.absolute(prefix)
            let request = Installer.Request(
                package: LocalCommand.absolute(package), prefix: prefix, address: address, supervisor: supervisor,
                isStarted: !noStart && supervisor != .container,
                trusted: try LocalCommand.trustedKeys(given: publicKey, prefix: prefix))
            let installer = Installer(request) { line in
                if !output.json { print(line) }
            }
            let report = try installer.run(confirm: confirm)
            if output.json { try LocalCommand.printJSON(report) }
        }
    }

    private func confirm(_ checks: [PreflightCheck]) -> Bool {
        if !output.json { PreflightCommand.show(checks.filter { $0.outcome != .pass }) }
        // Scripts cannot answer, and a warning is no reason to hang or to fail them.
        if yes || output.json || !LocalCommand.isInteractive { return true }
        return LocalCommand.ask("Install in spite of these warnings?")
    }
}

struct UninstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall", abstract: "Stops the node on this machine and removes it.")

    @Option(help: "Directory it was installed under.")
    var prefix = "/"

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(help: "Leave data, settings and logs.")
    var keepData = false

    @OptionGroup var output: JSONOption

    private struct Summary: Encodable {
        var prefix: String
        var removed: Bool
        var data_kept: Bool
    }

    func run() async throws {
        try LocalCommand.run(json: output.json) {
            let prefix = LocalCommand.absolute(prefix)
            let uninstaller = Uninstaller(prefix: prefix) { line in
                if !output.json { print(line) }
            }
            let wasInstalled = uninstaller.isInstalled
            if wasInstalled { try confirm(prefix) }
            try uninstaller.run(keepsData: keepData)
            if output.json {
                try LocalCommand.printJSON(Summary(prefix: prefix, removed: wasInstalled, data_kept: keepData))
            }
        }
    }

    private func confirm(_ prefix: String) throws {
        if yes { return }
        guard LocalCommand.isInteractive, !output.json else {
            throw InstallerError(.declined, "This stops the node and removes its data: give --yes.")
        }
        let what = keepData ? "the programs (data stays)" : "the programs and ALL DATA"
        guard LocalCommand.ask("Stop the node under \(prefix) and remove \(what)?") else {
            throw InstallerError(.declined, "Stopped as you wished; nothing was changed.")
        }
    }
}

struct PreflightCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preflight", abstract: "Checks whether this machine is ready; changes nothing.",
        discussion: "The exit status is 1 when a check fails, 0 when some only warn.")

    @Option(help: "Directory to install under.")
    var prefix = "/"

    @Option(help: "IPv4 address that the node would have.")
    var address: String?

    @Option(help: "Judge by what this package needs.")
    var package: String?

    @Option(help: "Public key in PEM form to trust instead of the one that tarn carries.")
    var publicKey: String?

    @OptionGroup var output: JSONOption

    private struct Summary: Encodable {
        var ready: Bool
        var checks: [PreflightCheck]
    }

    func run() async throws {
        try LocalCommand.run(json: output.json) {
            let prefix = LocalCommand.absolute(prefix)
            let manifest = try package.map { path in
                let trusted = try LocalCommand.trustedKeys(given: publicKey, prefix: prefix)
                return try PackageReader(path: path, trusted: trusted).head().manifest
            }
            let checks = Preflight.ofThisMachine(prefix: prefix, address: address, package: manifest)
            let isReady = !checks.contains { $0.outcome == .fail }
            if output.json {
                try LocalCommand.printJSON(Summary(ready: isReady, checks: checks))
            } else {
                Self.show(checks)
            }
            if !isReady { throw ExitCode(1) }
        }
    }

    static func show(_ checks: [PreflightCheck]) {
        let width = checks.map(\.name.count).max() ?? 0
        for check in checks {
            let name = check.name + String(repeating: " ", count: width - check.name.count)
            print("\(check.outcome.rawValue)  \(name)  \(check.found)")
            if let fix = check.fix { print("      \(String(repeating: " ", count: width))  → \(fix)") }
        }
    }
}
