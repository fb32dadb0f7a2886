import FoundationEssentials
import Glibc
import HostControl
import InstallerService
import NodeLayout
import PackageArchive
import Testing

@Suite(.serialized) struct InstallerTests {
    @Test func installingTwiceChangesNothingAndDamageIsRepaired() throws {
        try ReleaseFixture.with { fixture in
            #expect(try !fixture.install("p").alreadyInstalled)
            let paths = NodePaths(prefix: fixture.prefix("p"))
            let tree = try ReleaseFixture.tree(paths.prefix)
            #expect(HostFile.linkTarget(paths.current) == "versions/0.1.0")
            #expect(try fixture.install("p", address: nil).alreadyInstalled)
            #expect(try ReleaseFixture.tree(paths.prefix) == tree)

            try HostFile.write("changed".utf8, to: paths.program("etcd"), mode: 0o755)
            unlink(paths.program("tarn-proxy"))
            unlink(paths.settings)
            try FileManager.default.createDirectory(
                atPath: "\(paths.versions)/.0.1.0.partial-dead", withIntermediateDirectories: false)
            #expect(try !fixture.install("p").alreadyInstalled)
            #expect(try ReleaseFixture.tree(paths.prefix) == tree)
            #expect(try HostFile.read(paths.program("etcd")) == HostFile.read("\(fixture.directory)/etcd"))
        }
    }

    @Test func damagedSettingsAreNotGuessedAt() throws {
        try ReleaseFixture.with { fixture in
            _ = try fixture.install("p")
            let settings = NodePaths(prefix: fixture.prefix("p")).settings
            try HostFile.write("supervisor = nobody\n".utf8, to: settings, mode: 0o644)
            let error = #expect(throws: InstallerError.self) { try fixture.install("p") }
            #expect(error?.message.contains("`supervisor = nobody`; accepted: systemd, self, container") == true)
        }
    }

    @Test func twoPrefixesStandSideBySideAndUninstallTakesOnlyItsOwn() throws {
        try ReleaseFixture.with { fixture in
            _ = try fixture.install("a", address: "127.0.62.1")
            _ = try fixture.install("b", address: "127.0.62.2")
            let untouched = try ReleaseFixture.tree(fixture.prefix("b"))
            let paths = NodePaths(prefix: fixture.prefix("a"))
            try HostFile.write("mine".utf8, to: "\(paths.prefix)/etc/mine", mode: 0o644)
            let watchdog = try Subprocess.start("/bin/sh", [paths.program("tarn-watchdog")], log: "/dev/null")
            let other = NodePaths(prefix: fixture.prefix("b"))
            let neighbour = try startRedis(other, socket: fixture.prefix("b.sock"))
            let ours = try startRedis(paths, socket: fixture.prefix("a.sock"))
            defer { for pid in [watchdog, neighbour, ours] { kill(pid, SIGKILL) } }

            try Uninstaller(prefix: paths.prefix) { _ in }.run(keepsData: false)
            #expect(!RunningProcess.isAlive(ours))
            #expect(RunningProcess.isAlive(neighbour))
            #expect(try ReleaseFixture.tree(fixture.prefix("b")) == untouched)
            #expect(try ReleaseFixture.tree(paths.prefix).map { $0.prefix { $0 != " " } } == ["", "etc", "etc/mine"])

            unlink("\(paths.prefix)/etc/mine")
            try Uninstaller(prefix: paths.prefix) { _ in }.run(keepsData: false)
            kill(neighbour, SIGKILL)
            try Uninstaller(prefix: other.prefix) { _ in }.run(keepsData: false)
            #expect(!HostFile.exists(other.prefix))
        }
    }

    /// A shard of an installation; returns when it serves.
    private func startRedis(_ paths: NodePaths, socket: String) throws -> Int32 {
        let pid = try Subprocess.start(
            "\(paths.versions)/0.1.0/bin/redis-server", ["--port", "0", "--save", "", "--unixsocket", socket],
            log: "/dev/null")
        let deadline = ContinuousClock.now + .seconds(20)
        while !HostFile.exists(socket) {
            try #require(ContinuousClock.now < deadline && Subprocess.reap(pid) == nil, "redis-server did not start")
            usleep(10_000)
        }
        return pid
    }

    @Test func keptDataOutlivesTheProgramsAndANewInstallTakesItUp() throws {
        try ReleaseFixture.with { fixture in
            _ = try fixture.install("p")
            let paths = NodePaths(prefix: fixture.prefix("p"))
            try HostFile.write("data".utf8, to: "\(paths.data)/shards/x", mode: 0o600)
            try Uninstaller(prefix: paths.prefix) { _ in }.run(keepsData: true)
            #expect(!HostFile.exists(paths.programs) && HostFile.exists(paths.settings))
            #expect(try fixture.install("p", address: nil).address == "127.0.62.1")
            #expect(HostFile.text("\(paths.data)/shards/x") == "data")
        }
    }

    @Test func refusalsHaveTheirOwnCodesAndLeaveNothing() throws {
        try ReleaseFixture.with { fixture in
            #expect(throws: InstallerError(.badArgument, "")) { try fixture.install("p", address: "localhost") }
            // TEST-NET-1 of RFC 5737 is on no machine.
            #expect(throws: InstallerError(.preflight, "")) { try fixture.install("p", address: "192.0.2.1") }
            #expect(!HostFile.exists(fixture.prefix("p")))
            _ = try fixture.install("p", address: "127.0.62.1")
            #expect(throws: InstallerError(.conflict, "")) { try fixture.install("p", address: "127.0.62.2") }
        }
    }

    /// A chroot with glibc and the package, nothing else: what the programs need beyond glibc must have travelled.
    @Test(.enabled(if: geteuid() == 0, "chroot needs root")) func redisAndEtcdRunInABareTree() throws {
        try ReleaseFixture.with(etcd: "/usr/bin/etcd") { fixture in
            let root = fixture.prefix("bare")
            _ = try fixture.install("bare")
            let isARM = HostFacts.machineArchitecture() == "aarch64"
            let libraries = SharedLibraries.ofThisMachine(isARM ? .aarch64 : .x86_64)
            for name in ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2"] {
                let source = try #require(libraries.locate(name))
                try copy(source, root + source)
            }
            for loader in ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"] where HostFile.exists(loader) {
                try copy(loader, root + loader)
            }
            let current = "/opt/tarn/current"
            func run(_ program: String, path: String) throws -> Subprocess.Outcome {
                try Subprocess.run(
                    "env", ["LD_LIBRARY_PATH=\(path)", "chroot", root, "\(current)/bin/\(program)", "--version"])
            }
            let whole = "\(current)/lib:\(current)/lib/openssl"
            let redis = try run("redis-server", path: whole)
            #expect(redis.status == 0 && redis.output.hasPrefix("Redis server v="), "\(redis.output)")
            #expect(try run("etcd", path: whole).output.hasPrefix("etcd Version: "))
            // And it is the package that makes it run, not something that strayed into the tree.
            #expect(try run("redis-server", path: "\(current)/lib").output.contains("libssl.so.3"))
        }
    }

    private func copy(_ source: String, _ target: String) throws {
        try HostFile.makeDirectory(HostFile.parent(of: target))
        try HostFile.write(try HostFile.read(source), to: target, mode: 0o755)
    }
}
