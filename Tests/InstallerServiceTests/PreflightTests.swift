import HostControl
import InstallerService
import Primitives
import Testing

@Suite struct PreflightTests {
    private static let released = WallTime(milliseconds: 1_790_000_000_000)

    private static func healthy() -> Preflight {
        let facts = HostFacts(
            architecture: "x86_64", kernel: "6.1.0", glibc: LibraryVersion("2.36")!, processorCount: 4,
            memory: .gigabytes(16), swap: .zero, freeDisk: .gigabytes(100), overcommitMemory: 1,
            transparentHugePages: "madvise", listenBacklogLimit: 4096, openFileHardLimit: 1 << 20,
            localPorts: 32768...60999, reservedPorts: [], clock: released.adding(seconds: 60),
            isClockSynchronised: true, isRoot: true, isUnderSystemd: true)
        return Preflight(
            facts: facts, architecture: "x86_64", glibc: LibraryVersion("2.36")!, builtAt: released,
            address: "10.0.0.1", ports: [9443: .free, 9379: .free, 9380: .free], isRunning: false)
    }

    @Test func aGoodMachinePassesEverything() {
        let checks = Self.healthy().checks()
        #expect(checks.allSatisfy { $0.outcome == .pass && $0.fix == nil })
        #expect(checks.count == 15)
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var outcome: PreflightCheck.Outcome
        var change: @Sendable (inout Preflight) -> Void
        var testDescription: String { "\(name) \(outcome.rawValue)" }
    }

    static let cases: [Case] = [
        Case(name: "architecture", outcome: .fail) { $0.facts.architecture = "aarch64" },
        Case(name: "glibc", outcome: .fail) { $0.facts.glibc = LibraryVersion("2.31")! },
        Case(name: "memory", outcome: .fail) { $0.facts.memory = .megabytes(512) },
        Case(name: "memory", outcome: .warn) { $0.facts.memory = .gigabytes(2) },
        Case(name: "swap", outcome: .warn) { $0.facts.swap = .gigabytes(1) },
        Case(name: "disk", outcome: .fail) { $0.facts.freeDisk = .megabytes(900) },
        Case(name: "disk", outcome: .warn) { $0.facts.freeDisk = .gigabytes(5) },
        Case(name: "clock", outcome: .fail) { $0.facts.clock = released.adding(seconds: -90_000) },
        Case(name: "clock", outcome: .warn) { $0.facts.isClockSynchronised = false },
        Case(name: "overcommit_memory", outcome: .warn) { $0.facts.overcommitMemory = 0 },
        Case(name: "transparent_hugepage", outcome: .warn) { $0.facts.transparentHugePages = "always" },
        Case(name: "somaxconn", outcome: .warn) { $0.facts.listenBacklogLimit = 128 },
        Case(name: "open_files", outcome: .warn) { $0.facts.openFileHardLimit = 20_000 },
        Case(name: "open_files", outcome: .fail) { $0.facts.openFileHardLimit = 1024 },
        Case(name: "local_ports", outcome: .warn) { $0.facts.localPorts = 1024...65535 },
        Case(name: "local_ports", outcome: .pass) {
            $0.facts.localPorts = 1024...65535
            $0.facts.reservedPorts = HostFacts.portRanges("9379-9380,9443,10000-29999")
        },
        Case(name: "address", outcome: .fail) { $0.ports = [9443: .addressMissing] },
        Case(name: "port_9379", outcome: .fail) { $0.ports[9379] = .inUse },
        Case(name: "port_9379", outcome: .pass) {
            $0.ports[9379] = .inUse
            $0.isRunning = true
        },
    ]

    @Test(arguments: cases) func oneThingWrongIsFoundAloneAndHasAFix(_ wrong: Case) {
        var preflight = Self.healthy()
        wrong.change(&preflight)
        let checks = preflight.checks()
        let check = checks.first { $0.name == wrong.name }
        #expect(check?.outcome == wrong.outcome)
        #expect((check?.fix == nil) == (wrong.outcome == .pass))
        #expect(checks.filter { $0.outcome != .pass && $0.name != wrong.name }.isEmpty)
    }
}
