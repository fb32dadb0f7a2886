import Primitives
import Testing

@testable import NodeService

@Suite struct HangWatchTests {
    /// Looks once a second; each entry is (has answered, processor ticks) and whether it hangs.
    @Test(
        arguments: [
            ("silent and idle", [(true, 5), (false, 5), (false, 5), (false, 5)], [false, false, false, true]),
            ("in a long script", [(true, 5), (false, 105), (false, 205), (false, 305)], [false, false, false, false]),
            (
                "slow to answer", [(true, 5), (false, 5), (false, 5), (true, 5), (false, 5)],
                [false, false, false, false, false]
            ),
            (
                "back after work", [(true, 5), (false, 5), (false, 6), (false, 6), (false, 6)],
                [false, false, false, false, false]
            ),
        ] as [(String, [(Bool, UInt64)], [Bool])])
    func hangs(what: String, looks: [(Bool, UInt64)], expected: [Bool]) {
        var watch = HangWatch<Int>()
        let found = looks.enumerated().map { index, look in
            let now = BootTime(milliseconds: Int64(index) * 1000)
            watch.begin(at: now, interval: 1000)
            return watch.looked(1, pid: 7, hasAnswered: look.0, processorTicks: look.1, at: now, limit: 3000)
        }
        #expect(found == expected, "\(what)")
    }

    @Test func aNewProcessAndASleepingWatcherStartAnew() {
        var watch = HangWatch<Int>()
        func look(_ pid: Int32, at milliseconds: Int64) -> Bool {
            let now = BootTime(milliseconds: milliseconds)
            watch.begin(at: now, interval: 1000)
            return watch.looked(1, pid: pid, hasAnswered: false, processorTicks: 5, at: now, limit: 3000)
        }
        #expect(!look(7, at: 0) && !look(7, at: 1000) && !look(7, at: 2000))
        #expect(!look(8, at: 3000), "another process")
        #expect(!look(8, at: 33_000), "the node was paused, everybody slept")
        #expect(!look(8, at: 34_000) && !look(8, at: 35_000) && look(8, at: 36_000))
        #expect(!look(8, at: 37_000), "who acts on it acts once")
    }
}
