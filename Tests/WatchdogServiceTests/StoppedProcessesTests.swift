import Testing

@testable import WatchdogService

@Suite struct StoppedProcessesTests {
    private let one = ProcessIdentity(pid: 10, startTicks: 1)
    private let two = ProcessIdentity(pid: 11, startTicks: 1)

    @Test func whatStaysStoppedIsNamedAndWhatGoesOnIsNot() {
        var stopped = StoppedProcesses()
        func look(_ found: Set<ProcessIdentity>, at second: Int64) -> [ProcessIdentity] {
            stopped.looked(found, at: Moment(milliseconds: second * 1000))
        }
        #expect(look([one], at: 0).isEmpty)
        #expect(look([one, two], at: 1).isEmpty)
        #expect(look([one], at: 2).isEmpty)
        #expect(look([one, two], at: 3) == [one])
        #expect(look([one, two], at: 4) == [one], "again, it may be slow to go")
        #expect(look([two], at: 5).isEmpty, "the second was continued in between")
        #expect(look([two], at: 6) == [two])
    }

    @Test func aWatchdogThatWasStoppedItselfBlamesNobody() {
        var stopped = StoppedProcesses()
        #expect(stopped.looked([one], at: Moment(milliseconds: 0)).isEmpty)
        #expect(stopped.looked([one], at: Moment(milliseconds: 30_000)).isEmpty)
        #expect(!stopped.isDue(at: Moment(milliseconds: 30_999)) && stopped.isDue(at: Moment(milliseconds: 31_000)))
    }
}
