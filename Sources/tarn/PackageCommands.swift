import ArgumentParser
import FoundationEssentials
import HostControl
import InstallerService
import PackageArchive
import Primitives

struct PackageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "package",
        abstract: "Makes and checks release packages.",
        subcommands: [PackageBuildCommand.self, PackageInspectCommand.self, PackageVerifyCommand.self])
}

struct PackageBuildCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Makes a release: the package, and the tarn program that trusts it.",
        discussion: "With SOURCE_DATE_EPOCH set, equal inputs give equal bytes.")

    @Option(help: "Directory with tarn, tarn-manager, tarn-proxy and tarn-watchdog.")
    var programs: String

    @Option(help: "The redis-server program to put in.")
    var redisServer = "/usr/bin/redis-server"

    @Option(help: "The etcd program to put in.")
    var etcd = "/usr/bin/etcd"

    @Option(help: "Where the release goes.")
    var output = "."

    @Option(help: "Ed25519 private key in PEM form. Default: ~/.config/tarn/signing.key, made when missing.")
    var signingKey: String?

    @Option(help: "Of zstd, 1 (fast) to 19 (small).")
    var level = 9

    @OptionGroup var format: JSONOption

    func validate() throws {
        guard (1...19).contains(level) else { throw ValidationError("--level takes 1 to 19, not \(level).") }
    }

    private struct Summary: Encodable {
        var package: String
        var tarn: String
        var public_key: String
        var package_bytes: Int64
        var unpacked_bytes: Int64
        var manifest: PackageManifest
        var warnings: [String]
    }

    func run() async throws {
        try LocalCommand.run(json: format.json) {
            let home = LocalCommand.environment("HOME") ?? "/root"
            let keyPath = signingKey.map(LocalCommand.absolute) ?? SigningKeyFile.usualPath(home: home)
            let key = try SigningKeyFile.load(keyPath, isCreated: signingKey == nil)
            let seconds = LocalCommand.environment("SOURCE_DATE_EPOCH").flatMap { Int64($0) }
            let request = PackageAssembly.Request(
                programs: LocalCommand.absolute(programs), redisServer: redisServer, etcd: etcd,
                output: LocalCommand.absolute(output), level: level,
                builtAt: WallTime(milliseconds: (seconds ?? HostFacts.now().milliseconds / 1000) * 1000))
            let release = try PackageAssembly(request).run(signedBy: key)
            try show(release)
        }
    }

    private func show(_ release: PackageAssembly.Release) throws {
        if format.json {
            return try LocalCommand.printJSON(
                Summary(
                    package: release.package, tarn: release.tarn, public_key: release.publicKey,
                    package_bytes: release.packageBytes, unpacked_bytes: release.manifest.unpackedBytes,
                    manifest: release.manifest, warnings: release.warnings))
        }
        for warning in release.warnings { print("warning: \(warning)") }
        print("package     \(release.package)  \(ByteCount(bytes: release.packageBytes))")
        print("unpacked    \(ByteCount(bytes: release.manifest.unpackedBytes))")
        print("program     \(release.tarn)")
        print("public key  \(release.publicKey)")
    }
}

/// A package to look at, and whom to believe about it.
struct PackageSource: ParsableArguments {
    @Argument(help: "The package.")
    var file: String

    @Option(help: "Public key in PEM form to trust instead of the one that tarn carries.")
    var publicKey: String?

    func reader() throws -> PackageReader {
        PackageReader(path: file, trusted: try LocalCommand.trustedKeys(given: publicKey, prefix: nil))
    }
}

struct PackageInspectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows what a package says of itself, and who signed it.")

    @OptionGroup var source: PackageSource
    @OptionGroup var output: JSONOption

    private struct Summary: Encodable {
        var manifest: PackageManifest
        var key_id: String
        var trusted: Bool
    }

    func run() async throws {
        try LocalCommand.run(json: output.json) {
            let reader = try source.reader()
            let (manifest, signature) = try reader.unverifiedHead()
            let isTrusted = (try? reader.head()) != nil
            if output.json {
                return try LocalCommand.printJSON(
                    Summary(manifest: manifest, key_id: signature.keyIdentifier, trusted: isTrusted))
            }
            print("\(manifest.name) \(manifest.version) for \(manifest.architecture), built \(manifest.builtAt)")
            print("signed by key \(signature.keyIdentifier) (\(isTrusted ? "trusted here" : "not trusted here"))")
            print("needs glibc \(manifest.glibc); \(ByteCount(bytes: manifest.unpackedBytes)) unpacked")
            for (name, version) in manifest.components.sorted(by: { $0.key < $1.key }) {
                print("component   \(name) \(version)")
            }
            for file in manifest.files {
                print("file        \(file.path)  \(ByteCount(bytes: file.size))")
            }
        }
    }
}

struct PackageVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Reads a whole package and checks signature, digests and names.")

    @OptionGroup var source: PackageSource
    @OptionGroup var output: JSONOption

    private struct Summary: Encodable {
        var valid: Bool
        var version: String
        var architecture: String
    }

    func run() async throws {
        try LocalCommand.run(json: output.json) {
            let manifest = try source.reader().verify(architecture: nil)
            if output.json {
                return try LocalCommand.printJSON(
                    Summary(valid: true, version: manifest.version, architecture: manifest.architecture))
            }
            print("valid: \(manifest.fileName), \(manifest.files.count) files")
        }
    }
}
