import HostControl
package import NodeLayout
package import PackageArchive
import Primitives

/// Lays a package down on this machine and starts it.
///
/// There is no journal: every step looks at the world, does what is missing and changes it in one move, so after a kill
/// at any moment the same command goes on where it stopped.
/// ```
///  preflight ─▶ lock ─▶ directories ─▶ version ─▶ node.conf ─▶ user ─▶ current ─▶ unit or watchdog ─▶ answers?
///                                      unpacked beside,        (only on a server)  link, by rename
///                                      then renamed
/// ```
package struct Installer {
    package struct Request: Sendable {
        package var package: String
        /// Absolute.
        package var prefix: String
        /// IPv4; nil: the one that the node has already, or the only one of the machine.
        package var address: String?
        /// Nil: systemd where it runs and the prefix is `/`, else none (`self`).
        package var supervisor: NodeSettings.Supervisor?
        package var isStarted: Bool
        package var trusted: [PublicKey]

        package init(
            package: String, prefix: String, address: String?, supervisor: NodeSettings.Supervisor?,
            isStarted: Bool, trusted: [PublicKey]
        ) {
            self.package = package
            self.prefix = prefix
            self.address = address
            self.supervisor = supervisor
            self.isStarted = isStarted
            self.trusted = trusted
        }
    }

    package struct Report: Codable, Sendable {
        package var version: String
        package var prefix: String
        package var address: String?
        package var supervisor: String
        package var openssl: String
        /// Whether this very version was there already, whole.
        package var alreadyInstalled: Bool
        package var running: Bool
        package var checks: [PreflightCheck]

        enum CodingKeys: String, CodingKey {
            case version, prefix, address, supervisor, openssl, running, checks
            case alreadyInstalled = "already_installed"
        }
    }

    private let request: Request
    private let paths: NodePaths
    private let processes: NodeProcesses
    /// Hears what is being done, one line a step.
    private let progress: (String) -> Void

    package init(_ request: Request, progress: @escaping (String) -> Void) {
        self.request = request
        self.progress = progress
        paths = NodePaths(prefix: request.prefix)
        processes = NodeProcesses(paths: paths)
    }

    /// - Parameter confirm: Called with the checks when some warn; false stops the installation.
    /// - Throws: ``InstallerError``, ``PackageError`` or ``HostError``.
    package func run(confirm: ([PreflightCheck]) -> Bool) throws -> Report {
        let facts = HostFacts.ofThisMachine(prefix: paths.prefix)
        guard !paths.isSystem || facts.isRoot else {
            throw InstallerError(.notRoot, "Installing under / needs root: use sudo, or give --prefix DIR.")
        }
        let package = PackageReader(path: request.package, trusted: request.trusted)
        let manifest = try package.head().manifest
        let settings = try decide(facts, manifest)
        let checks = try preflight(facts, manifest, settings, confirm)
        let hostArchitecture = facts.architecture

        try makeDirectories()
        let lock = try InstallationLock(paths.installationLock)
        defer { withExtendedLifetime(lock) {} }
        let store = VersionStore(paths: paths)
        store.removePartials()
        let change = try store.lay(package, manifest, architecture: hostArchitecture)
        say(change, manifest)
        try write(settings)
        if paths.isSystem { try prepareUser() }
        if try store.makeCurrent(manifest.version) { progress("current version: \(manifest.version)") }
        if request.isStarted { try start(settings) }
        return Report(
            version: manifest.version, prefix: paths.prefix, address: settings.address,
            supervisor: settings.supervisor.rawValue, openssl: settings.openSSL.rawValue,
            alreadyInstalled: change == .alreadyThere, running: processes.isWatchdogUp, checks: checks)
    }

    private func decide(_ facts: HostFacts, _ manifest: PackageManifest) throws -> NodeSettings {
        let existing = try NodeSettings.installed(paths)
        let usual: NodeSettings.Supervisor = paths.isSystem && facts.isUnderSystemd ? .systemd : .itself
        let supervisor = request.supervisor ?? existing?.supervisor ?? usual
        if supervisor == .systemd, !paths.isSystem || !facts.isUnderSystemd {
            throw InstallerError(.badArgument, "A unit needs systemd and the prefix /: give --supervisor self.")
        }
        if let old = existing?.address, let new = request.address, old != new {
            throw InstallerError(
                .conflict,
                "This node is installed with the address \(old). To give it another one, run"
                    + " `tarn uninstall` first; a member of a cluster has to be removed from it before.")
        }
        let isImage = supervisor == .container
        let address = try request.address ?? existing?.address ?? (isImage ? nil : Self.onlyAddress())
        if let address, !NetworkProbe.isAddress(address) {
            throw InstallerError(.badArgument, "\(address) is not an IPv4 address.")
        }
        return NodeSettings(
            prefix: paths.prefix, address: address, supervisor: supervisor,
            openSSL: OpenSSLChoice.choose(packaged: manifest.components["openssl"], facts.architecture))
    }

    private static func onlyAddress() throws -> String {
        let candidates = NetworkProbe.addresses().filter { !$0.hasPrefix("127.") }
        guard let address = candidates.first, candidates.count == 1 else {
            let shown = candidates.isEmpty ? "none" : candidates.joined(separator: ", ")
            throw InstallerError(
                .badArgument, "Give --address: other nodes and clients reach this node by it (found: \(shown)).")
        }
        return address
    }

    private func preflight(
        _ facts: HostFacts, _ manifest: PackageManifest, _ settings: NodeSettings,
        _ confirm: ([PreflightCheck]) -> Bool
    ) throws -> [PreflightCheck] {
        let checks = Preflight(
            facts: facts, architecture: manifest.architecture, glibc: LibraryVersion(manifest.glibc) ?? facts.glibc,
            builtAt: manifest.builtAt, address: settings.address,
            ports: Preflight.probe(settings.address), isRunning: processes.isWatchdogUp
        ).checks()
        let failed = checks.filter { $0.outcome == .fail }
        guard failed.isEmpty else {
            let lines = failed.map { "  \($0.name): \($0.found). \($0.fix ?? "")" }.joined(separator: "\n")
            throw InstallerError(.preflight, "This machine is not ready; nothing was changed.\n\(lines)")
        }
        if checks.contains(where: { $0.outcome == .warn }), !confirm(checks) {
            throw InstallerError(.declined, "Stopped as you wished; nothing was changed.")
        }
        return checks
    }

    private func makeDirectories() throws {
        for path in paths.readable { try HostFile.makeDirectory(path) }
        for (path, mode) in paths.writable { try HostFile.makeDirectory(path, mode: mode) }
    }

    private func say(_ change: VersionStore.Change, _ manifest: PackageManifest) {
        switch change {
        case .alreadyThere: progress("version \(manifest.version) is already installed")
        case .unpacked: progress("unpacked version \(manifest.version) (\(ByteCount(bytes: manifest.unpackedBytes)))")
        case .repaired: progress("replaced version \(manifest.version), which was another build or damaged")
        }
    }

    private func write(_ settings: NodeSettings) throws {
        guard try NodeSettings.installed(paths) != settings else { return }
        try HostFile.write(settings.text.utf8, to: paths.settings, mode: 0o644)
        progress("wrote \(paths.settings)")
    }

    private func prepareUser() throws {
        if try ServiceUnit.ensureUser() { progress("made the user \(ServiceUnit.user)") }
        try ServiceUnit(paths: paths).giveToUser()
    }

    private func start(_ settings: NodeSettings) throws {
        switch settings.supervisor {
        case .container: return
        case .systemd: try ServiceUnit(paths: paths).enable()
        case .itself: try processes.start()
        }
        guard let address = settings.address else { return }
        try processes.waitUntilServing(address: address)
        progress("running; API at https://\(address):9443")
    }
}
