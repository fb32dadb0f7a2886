import FoundationEssentials
import Glibc
import HostControl
import InstallerService
import NodeLayout
import Primitives
import Testing

@Suite(.serialized) struct KilledInstallTests {
    /// The real program, which SwiftPM puts beside the test bundle.
    private var tarn: String { HostFile.parent(of: HostFile.linkTarget("/proc/self/exe") ?? "") + "/tarn" }

    @Test func killedAtTwentyMomentsASecondTrySucceeds() throws {
        try #require(HostFile.exists(tarn), "build the program tarn first")
        try ReleaseFixture.with { fixture in
            let prefix = fixture.prefix("p")
            let arguments = [
                "install", "--package", fixture.release.package, "--public-key", fixture.release.publicKey,
                "--prefix", prefix, "--address", "127.0.63.1", "--yes", "--no-start",
            ]
            let start = ContinuousClock.now
            try #require(try Subprocess.run(tarn, arguments).status == 0)
            let usual = start.duration(to: .now)
            let whole = try ReleaseFixture.tree(prefix)
            let seed = UInt64(getpid())
            var random = SeededRandom(seed: seed)
            for round in 0..<20 {
                // Even rounds begin on an empty prefix, odd ones on a damaged installation that is being repaired.
                if round % 2 == 0 {
                    try FileManager.default.removeItem(atPath: prefix)
                } else {
                    unlink("\(prefix)/opt/tarn/current/bin/etcd")
                }
                let pid = try Subprocess.start(tarn, arguments, log: "/dev/null")
                usleep(UInt32.random(in: 0...UInt32(usual / .microseconds(1)), using: &random))
                kill(pid, SIGKILL)
                while Subprocess.reap(pid) == nil { sched_yield() }
                expectNothingHalfDone(prefix)
                let second = try Subprocess.run(tarn, arguments)
                #expect(second.status == 0, "round \(round), seed \(seed): \(second.output)")
                #expect(try ReleaseFixture.tree(prefix) == whole, "round \(round), seed \(seed)")
            }
        }
    }

    /// Whatever is under the name of a version is whole, and `current` never points to nothing.
    private func expectNothingHalfDone(_ prefix: String) {
        let paths = NodePaths(prefix: prefix)
        if HostFile.linkTarget(paths.current) != nil { #expect(HostFile.exists("\(paths.current)/manifest.json")) }
        for name in HostFile.names(in: paths.versions) where !name.hasPrefix(".") {
            #expect(HostFile.exists("\(paths.versions)/\(name)/share/licenses"))
            #expect(HostFile.exists("\(paths.versions)/\(name)/bin/tarn-watchdog"))
        }
        if let configuration = HostFile.text(paths.settings) {
            #expect((try? NodeSettings(parsing: configuration, of: paths))?.address == "127.0.63.1")
        }
    }
}
