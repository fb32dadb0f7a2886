import Testing

@testable import dev

/// Every main fault once or twice under load, on one cluster whose nodes have addresses of their own. What must never
/// happen is asserted exactly; times are what docs/architecture.md promises, times ten: these machines are slow and
/// shared, and a test run is not where a guarantee's percentile is measured (`dev faults` does that,
/// docs/reliability.md).
@Suite(
    .serialized, .enabled(if: TestedRelease.isThere, "no release; `swift run dev test` builds one"),
    .enabled(if: NetworkNamespace.problem == nil, Comment(rawValue: NetworkNamespace.problem ?? "")))
struct FaultTests {
    private static let slowness = 10

    @Test func promisesHoldWhileThingsFail() throws {
        let kinds = DatabaseKind.usual.filter { $0.isReplicated }
        try FaultLab.with(
            directory: Workspace.find().build + "/system-tests/faults", network: NodeNetwork(network: "198.18.21"),
            nodes: 3, kinds: kinds, tarn: TestedRelease.tarn ?? "", package: TestedRelease.package ?? ""
        ) { lab in
            var serial = 0
            for fault in Fault.tested {
                for number in 0..<(fault.name == "primary-kill" ? 2 : 1) {
                    serial += 1
                    let result = try FaultRun(lab: lab, fault: fault, number: number, serial: serial).run()
                    for outcome in result.outcomes { check(outcome, of: fault, result) }
                    // A cluster that is not whole tells nothing about the next fault.
                    let failure = result.failure
                    try #require(failure == nil, "\(fault.name), \(result.what)")
                }
            }
        }
    }

    private func check(_ outcome: FaultOutcome, of fault: Fault, _ result: FaultRun.Result) {
        let what = "\(fault.name) on \(outcome.kind.name): \(result.what)"
        let report = outcome.report
        let gap = Duration.nanoseconds(outcome.gap ?? 0)
        let errors = outcome.errors.map { "\($0.value) \($0.key)" }.joined(separator: "; ")
        print("\(what): gap \(gap.milliseconds) ms, errors \(errors), lost \(report.lost.count)")
        #expect(report.acknowledgedWrites > 0)
        #expect(report.duplicated.isEmpty, "\(what)")
        #expect(report.undead.isEmpty && report.strange.isEmpty && report.misplaced.isEmpty, "\(what)")
        #expect(report.stale.isEmpty, "\(what)")
        #expect(report.split.isEmpty, "two primaries: \(what)")
        if outcome.kind.isDurable { #expect(report.lost.isEmpty, "\(what)") }
        // Who asked for durability `replica` is told when there is no replica, and waits for it to come back.
        let losesItsWitness = outcome.kind.isDurable && fault.name == "replica-kill"
        if fault.isUnnoticed {
            #expect(
                outcome.errors.keys.allSatisfy { losesItsWitness && $0.hasPrefix("NOREPLICAS") }, "\(what)")
            #expect(report.lost.isEmpty, "\(what)")
        }
        if !losesItsWitness, let limit = fault.gapLimit { #expect(gap <= limit * Self.slowness, "\(what)") }
    }
}

extension Fault {
    /// The ones that a test run has time for.
    static let tested = [
        "proxy-kill", "manager-kill", "leader-kill", "watchdog-kill", "etcd-kill", "primary-kill", "replica-kill",
        "node-off", "partition", "node-pause-12s", "switchover", "drain",
    ].compactMap { name in all.first { $0.name == name } }
}
