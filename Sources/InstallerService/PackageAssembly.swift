import FoundationEssentials
import HostControl
package import PackageArchive
package import Primitives
package import TLS

/// Collects what belongs into a package and makes a release of it: the package, and the `tarn` that trusts it.
package struct PackageAssembly {
    package struct Request: Sendable {
        /// Directory with our programs.
        package var programs: String
        package var redisServer: String
        package var etcd: String
        package var output: String
        /// Of zstd, 1...19.
        package var level: Int
        package var builtAt: WallTime

        package init(
            programs: String, redisServer: String, etcd: String, output: String, level: Int, builtAt: WallTime
        ) {
            self.programs = programs
            self.redisServer = redisServer
            self.etcd = etcd
            self.output = output
            self.level = level
            self.builtAt = builtAt
        }
    }

    package struct Release: Sendable {
        package var package: String
        /// The program to hand out beside the package; it carries the public key.
        package var tarn: String
        package var publicKey: String
        package var manifest: PackageManifest
        package var packageBytes: Int64
        /// What a releaser should know, e.g. a licence text that is not on this machine.
        package var warnings: [String]
    }

    package static let requiredPrograms = ["tarn", "tarn-manager", "tarn-proxy", "tarn-watchdog"]
    private static let optionalPrograms = ["tarn-syncer"]

    private let request: Request

    package init(_ request: Request) {
        self.request = request
    }

    /// - Throws: ``InstallerError`` with code `assembly`, ``HostError``, ``PackageError``.
    package func run(signedBy key: SigningKey) throws -> Release {
        let publicKey = try PublicKey(bytes: key.publicKey)
        try HostFile.makeDirectory(request.output)
        let workshop = "\(request.output)/.assembly-\(Hex.encode(Crypto.randomBytes(6)))"
        try HostFile.makeDirectory(workshop, mode: 0o700)
        defer { try? FileManager.default.removeItem(atPath: workshop) }
        var parts = PackageParts(workshop: workshop)
        for name in try ourPrograms() {
            let path = try parts.addStripped("\(request.programs)/\(name)", as: "bin/\(name)")
            if name == "tarn" { try Self.mark(path, publicKey) }
        }
        try parts.add(request.redisServer, as: "bin/redis-server", isExecutable: true)
        try parts.add(request.etcd, as: "bin/etcd", isExecutable: true)
        try parts.addLibraries()
        try parts.addLicenses()
        let writer = PackageWriter(
            version: ReleaseVersion.current, architecture: try parts.architecture(), builtAt: request.builtAt,
            components: try components(parts), glibc: try parts.requiredGlibc().description, level: request.level)
        let (path, manifest) = try writer.write(parts.inputs, into: request.output, signedBy: key)
        let tarn = "\(request.output)/tarn"
        try HostFile.write(try HostFile.read("\(workshop)/bin/tarn"), to: tarn, mode: 0o755)
        try HostFile.write(publicKey.pem.utf8, to: "\(path).pub", mode: 0o644)
        return Release(
            package: path, tarn: tarn, publicKey: "\(path).pub", manifest: manifest,
            packageBytes: Int64(try HostFile.read(path).count), warnings: parts.warnings)
    }

    private func ourPrograms() throws -> [String] {
        let missing = Self.requiredPrograms.filter { !HostFile.exists("\(request.programs)/\($0)") }
        guard missing.isEmpty else {
            throw InstallerError(
                .assembly,
                "\(request.programs) lacks \(missing.joined(separator: ", ")): build them first with"
                    + " `swift build -c release --static-swift-stdlib`.")
        }
        let optional = Self.optionalPrograms.filter { HostFile.exists("\(request.programs)/\($0)") }
        return Self.requiredPrograms + optional
    }

    private static func mark(_ path: String, _ key: PublicKey) throws {
        try HostFile.write(ReleaseKey.attach(key, to: try HostFile.read(path)), to: path, mode: 0o755)
    }

    private func components(_ parts: PackageParts) throws -> [String: String] {
        var components = ["tarn": ReleaseVersion.current]
        components["redis-server"] = try Self.version(request.redisServer, ["--version"], after: "v=")
        components["etcd"] = try Self.version(request.etcd, ["--version"], after: "etcd Version: ")
        if let library = parts.source(of: "lib/openssl/libcrypto.so.3") {
            components["openssl"] = LibraryVersion.ofOpenSSL(libraryFile: library)?.description
        }
        return components
    }

    /// Asks a program for its version, in the words it has used for years.
    private static func version(_ program: String, _ arguments: [String], after mark: String) throws -> String {
        let outcome = try Subprocess.run(program, arguments, timeout: .seconds(10))
        let parts = outcome.output.split(separator: mark, maxSplits: 1, omittingEmptySubsequences: false)
        guard outcome.status == 0, parts.count == 2, let version = LibraryVersion(parts[1].prefix { $0 != " " }) else {
            throw InstallerError(.assembly, "\(program) does not tell its version; is it the right program?")
        }
        return version.description
    }
}
