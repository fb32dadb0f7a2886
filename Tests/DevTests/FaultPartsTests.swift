import Testing

@testable import dev

@Suite struct FaultPartsTests {
    @Test func slotsAreThoseOfTheSpecification() {
        // From the Redis cluster specification, and from CLUSTER KEYSLOT.
        #expect(LoadKeys.slot(of: "123456789") == 12739)
        #expect(LoadKeys.slot(of: "foo") == 12182)
    }

    @Test func everyShardHasItsKeys() {
        let ranges = [0...5460, 5461...10921, 10922...16383]
        let keys = LoadKeys(prefix: "run1", slots: ranges)
        for list in keys.lists {
            let tag = keys.list(list).drop { $0 != "{" }.dropFirst().prefix { $0 != "}" }
            #expect(ranges[keys.shard(ofList: list)].contains(LoadKeys.slot(of: String(tag))))
        }
        #expect(keys.lists.count == 6)
        #expect(keys.shard(ofRegister: LoadKeys.register(of: 3, shard: 2)) == 2)
    }

    @Test func onlyAClearRefusalCountsAsNotDone() {
        #expect(ErrorReply.outcome("READONLY You can't write against a read only replica.") == .refused)
        #expect(
            ErrorReply.outcome("ERR the shard could not be reached for 5 seconds, the command was not sent") == .refused
        )
        #expect(
            ErrorReply.outcome("ERR upstream connection lost, the write may or may not have been applied") == .unknown)
        #expect(ErrorReply.outcome("NOREPLICAS not confirmed in time, the write may exist") == .unknown)
        #expect(ErrorReply.outcome("ERR something new") == .unknown)
    }

    @Test func faultsHaveNamesOfTheirOwn() throws {
        #expect(Set(Fault.all.map(\.name)).count == Fault.all.count)
        #expect(
            try Fault.named("proxy-kill,etcd").map(\.name) == ["proxy-kill", "etcd-kill", "etcd-stop", "etcd-corrupt"])
        #expect(throws: Failure.self) { try Fault.named("earthquake") }
    }

    @Test func theTableHasARowForEachFaultAndKind() {
        func outcome(_ kind: Int, gap: Int64, lost: [Int] = [], whole: Duration? = .seconds(2)) -> FaultOutcome {
            var report = HistoryReport()
            report.acknowledgedWrites = 100
            report.lost = lost
            return FaultOutcome(
                fault: "primary-kill", kind: DatabaseKind.all[kind], gap: gap * 1_000_000, hitGap: nil,
                stall: gap * 2_000_000, errors: ["ERR a|b": 2], report: report, wholeAfter: whole)
        }
        let table = FaultTable([
            outcome(0, gap: 10), outcome(2, gap: 5), outcome(0, gap: 30, lost: [1, 2], whole: nil),
        ])
        let lines = table.markdown.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(
            lines[2]
                == "| primary-kill | simple | 2 | 10 / 30 / 30 | 20 / 60 | - | 2.0 / 2.0, never in 1 | 200 "
                + "| 2 in 1 runs | 0 | 0 | 0 | 0 | 4 ERR a/b |")
        #expect(lines[3].contains("| ha | 1 | 5 / 5 / 5 |"))
    }
}
