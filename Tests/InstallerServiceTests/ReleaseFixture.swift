import FoundationEssentials
import Glibc
import HostControl
import InstallerService
import PackageArchive
import Primitives
import TLS

/// A directory of its own with a release in it: real redis-server and libraries, our programs as scripts that wait.
struct ReleaseFixture {
    let directory: String
    let key: SigningKey
    let release: PackageAssembly.Release

    var trusted: [PublicKey] { [try! PublicKey(bytes: key.publicKey)] }

    /// - Parameter etcd: Nil: a script, because the real one is two thirds of a package and takes as much of the time.
    static func with<Result>(etcd: String? = nil, _ body: (ReleaseFixture) throws -> Result) throws -> Result {
        let directory = "/tmp/tarn-install-\(Hex.encode(Crypto.randomBytes(8)))"
        try HostFile.makeDirectory("\(directory)/programs")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for name in PackageAssembly.requiredPrograms {
            try HostFile.write("#!/bin/sh\nexec sleep 600\n".utf8, to: "\(directory)/programs/\(name)", mode: 0o755)
        }
        let script = "#!/bin/sh\necho etcd Version: 3.4.23\n"
        try HostFile.write(script.utf8, to: "\(directory)/etcd", mode: 0o755)
        let key = try SigningKey.generate()
        let request = PackageAssembly.Request(
            programs: "\(directory)/programs", redisServer: "/usr/bin/redis-server", etcd: etcd ?? "\(directory)/etcd",
            output: "\(directory)/release", level: 1, builtAt: WallTime(milliseconds: 1_700_000_000_000))
        return try body(
            ReleaseFixture(directory: directory, key: key, release: PackageAssembly(request).run(signedBy: key)))
    }

    func prefix(_ name: String) -> String { "\(directory)/\(name)" }

    func install(_ name: String, address: String? = "127.0.62.1") throws -> Installer.Report {
        let request = Installer.Request(
            package: release.package, prefix: prefix(name), address: address, supervisor: nil, isStarted: false,
            trusted: trusted)
        return try Installer(request) { _ in }.run { _ in true }
    }

    /// Every path under a directory with its kind, mode and link target.
    static func tree(_ directory: String) throws -> [String] {
        let outcome = try Subprocess.run("find", [directory, "-printf", "%P %y %m %l\n"])
        return outcome.output.split(separator: "\n").map(String.init).sorted()
    }
}
