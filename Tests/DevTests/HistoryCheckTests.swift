import Testing

@testable import dev

/// Each violation is planted in an otherwise sound history and found; a sound one shows none.
@Suite struct HistoryCheckTests {
    private typealias Outcome = Operation.Outcome

    private static func append(
        _ element: Int, _ start: Int64, _ end: Int64, _ outcome: Operation.Outcome = .done, list: Int = 0,
        shard: Int = 0
    ) -> Operation {
        Operation(
            client: 0, shard: shard, kind: .append(list: list, element: element), outcome: outcome, start: start,
            end: end)
    }

    private static func last(_ element: Int?, _ start: Int64, _ end: Int64) -> Operation {
        Operation(client: 1, shard: 0, kind: .last(list: 0), outcome: .value(element), start: start, end: end)
    }

    private static func write(
        _ version: Int, _ start: Int64, _ end: Int64, _ outcome: Operation.Outcome = .done
    ) -> Operation {
        Operation(
            client: 0, shard: 0, kind: .write(register: 0, version: version), outcome: outcome, start: start, end: end)
    }

    private static func read(_ version: Int?, _ start: Int64, _ end: Int64) -> Operation {
        Operation(client: 1, shard: 0, kind: .read(register: 0), outcome: .value(version), start: start, end: end)
    }

    /// Three appends one after the other, a read of each.
    private let sound = [
        append(1, 0, 10), last(1, 11, 15), append(2, 20, 30), last(2, 31, 35), append(3, 40, 50), last(3, 51, 55),
    ]

    @Test func aSoundHistoryShowsNothing() {
        let report = History(operations: sound, lists: [0: [1, 2, 3]]).report()
        #expect(report.isConsistent)
        #expect(report.lost.isEmpty)
        #expect(report.acknowledgedWrites == 3)
    }

    @Test func whatHappensAtTheSameTimeMayStandInAnyOrder() {
        let operations = [
            Self.append(1, 0, 100), Self.append(2, 10, 90), Self.last(1, 20, 80), Self.last(nil, 5, 30),
        ]
        #expect(History(operations: operations, lists: [0: [2, 1]]).report().isConsistent)
        #expect(History(operations: operations, lists: [0: [1, 2]]).report().isConsistent)
    }

    @Test func anUnknownWriteMayBeThereOrNot() {
        let operations = sound + [Self.append(4, 60, 70, .unknown)]
        let without = History(operations: operations, lists: [0: [1, 2, 3]]).report()
        let with = History(operations: operations, lists: [0: [1, 2, 3, 4]]).report()
        #expect(without.isConsistent && with.isConsistent && without.lost.isEmpty && with.lost.isEmpty)
        #expect((without.unknown, without.unknownDone) == (1, 0))
        #expect((with.unknown, with.unknownDone) == (1, 1))
        // Late, long after its client gave up: sound, too.
        let late = operations + [Self.append(5, 80, 90)]
        #expect(History(operations: late, lists: [0: [1, 2, 3, 5, 4]]).report().isConsistent)
    }

    @Test func findsALostWrite() {
        let report = History(operations: sound, lists: [0: [1, 2]]).report()
        #expect(report.lost == [3])
        #expect(report.isConsistent)
    }

    @Test func findsADuplicate() {
        #expect(History(operations: sound, lists: [0: [1, 2, 2, 3]]).report().duplicated == [2])
    }

    @Test func findsWhatHadBeenRefused() {
        let operations = sound + [Self.append(4, 60, 70, .refused)]
        #expect(History(operations: operations, lists: [0: [1, 2, 3]]).report().undead.isEmpty)
        #expect(History(operations: operations, lists: [0: [1, 2, 3, 4]]).report().undead == [4])
        let registers = [Self.write(7, 0, 10, .refused), Self.read(7, 20, 30)]
        #expect(History(operations: registers, lists: [:]).report().undead == [7])
    }

    @Test func findsWhatNobodyWrote() {
        #expect(History(operations: sound, lists: [0: [1, 2, 3, 9]]).report().strange == [9])
        #expect(History(operations: sound, lists: [0: [1, 2, 3], 1: [2]]).report().strange == [2])
    }

    @Test func findsAnAppendInTheWrongPlace() {
        #expect(History(operations: sound, lists: [0: [1, 3, 2]]).report().misplaced == [2])
    }

    @Test func findsAStaleReadOfAList() {
        let operations = sound + [Self.last(2, 60, 65)]
        #expect(History(operations: operations, lists: [0: [1, 2, 3]]).report().stale == [Self.last(2, 60, 65)])
        // Of a list that it had to find.
        let empty = sound + [Self.last(nil, 12, 14)]
        #expect(History(operations: empty, lists: [0: [1, 2, 3]]).report().stale == [Self.last(nil, 12, 14)])
    }

    @Test func aReadThatGoesBackBehindAnotherReadIsStale() {
        // The append of 3 has not been acknowledged, but somebody has seen it.
        let operations = [
            Self.append(1, 0, 10), Self.append(3, 20, 100, .unknown), Self.last(3, 30, 40), Self.last(1, 50, 60),
        ]
        #expect(History(operations: operations, lists: [0: [1, 3]]).report().stale == [Self.last(1, 50, 60)])
    }

    @Test func aReadOfALostElementIsNotStale() {
        // 3 was acknowledged and lost; the new primary knows 2 only.
        let operations = sound + [Self.last(2, 60, 65)]
        let report = History(operations: operations, lists: [0: [1, 2]]).report()
        #expect(report.stale.isEmpty)
        #expect(report.lost == [3])
    }

    @Test func findsAStaleReadOfARegister() {
        let operations = [Self.write(1, 0, 10), Self.write(2, 20, 30), Self.read(1, 40, 50)]
        #expect(History(operations: operations, lists: [:]).report().stale == [Self.read(1, 40, 50)])
        #expect(
            History(operations: operations.dropLast() + [Self.read(1, 25, 50)], lists: [:]).report().stale.isEmpty)
    }

    /// It waited in a socket of a stopped proxy, while its client wrote the next version through another one.
    @Test func aWriteThatWasGivenUpMayArriveAfterNewerOnes() {
        let operations = [Self.write(1, 0, 10, .unknown), Self.write(2, 20, 30), Self.read(2, 31, 35)]
        #expect(History(operations: operations + [Self.read(1, 40, 50)], lists: [:]).report().isConsistent)
        #expect(!History(operations: operations + [Self.read(nil, 40, 50)], lists: [:]).report().isConsistent)
    }

    @Test func anOlderVersionAfterALossIsRolledBackUnlessTheNewerOneIsSeenAgain() {
        let losing = [Self.append(5, 0, 10), Self.write(1, 0, 10), Self.write(2, 20, 30), Self.read(1, 40, 50)]
        let report = History(operations: losing, lists: [0: []]).report()
        #expect(report.lost == [5])
        #expect(report.stale.isEmpty)
        #expect(report.rolledBack == 1)
        let seenAgain = History(operations: losing + [Self.read(2, 60, 70)], lists: [0: []]).report()
        #expect(seenAgain.stale == [Self.read(1, 40, 50)])
        // Nothing but the register was lost.
        let only = losing.dropFirst()
        #expect(!History(operations: Array(only), lists: [:]).report().isConsistent)
        #expect(History(operations: Array(only), lists: [:]).report(mayLose: true).rolledBack == 1)
        let both = Array(only) + [Self.read(2, 60, 70)]
        #expect(History(operations: both, lists: [:]).report(mayLose: true).stale == [Self.read(1, 40, 50)])
    }

    /// Its writer was never told that it was done: a primary that was cut off shows it and takes it along.
    @Test func whatWasNeverConfirmedMayGoThoughSomebodyReadIt() {
        let operations = [
            Self.write(1, 0, 10), Self.write(2, 20, 90, .unknown), Self.read(2, 30, 40), Self.read(1, 100, 110),
        ]
        let report = History(operations: operations, lists: [:]).report()
        #expect(report.stale.isEmpty && report.rolledBack == 1)
        // It was not gone.
        let there = operations + [Self.read(2, 120, 130)]
        #expect(History(operations: there, lists: [:]).report().stale == [Self.read(1, 100, 110)])
        let confirmed = [Self.write(1, 0, 10), Self.write(2, 20, 30), Self.read(1, 100, 110)]
        #expect(History(operations: confirmed, lists: [:]).report().stale == [Self.read(1, 100, 110)])
    }

    @Test func findsTwoPrimaries() {
        let operations = [
            Self.append(1, 0, 10), Self.append(2, 20, 30), Self.append(3, 40, 50), Self.append(4, 60, 70),
        ]
        // 3 was taken by the new primary, 4 afterwards still by the old one.
        #expect(History(operations: operations, lists: [0: [1, 3]]).report().split == [3])
        #expect(History(operations: operations, lists: [0: [1, 3]]).report(forksOnce: false).split.isEmpty)
        // The end of the old one's history, then the new one's: as it should be.
        #expect(History(operations: operations, lists: [0: [1, 4]]).report().split.isEmpty)
        // On another shard nothing was lost.
        let other = operations + [Self.append(5, 40, 50, list: 1, shard: 1)]
        #expect(History(operations: other, lists: [0: [1], 1: [5]]).report().split.isEmpty)
    }
}

@Suite struct GapsTests {
    private func success(_ end: Int64, client: Int = 0, shard: Int = 0) -> Operation {
        Operation(
            client: client, shard: shard, kind: .read(register: 0), outcome: .value(nil), start: end - 1, end: end)
    }

    @Test func countsFromTheFaultToTheEnd() {
        let place = Gaps.Place(client: 0, shard: 0)
        #expect(Gaps.longest(in: [success(50), success(100), success(130)], from: 100, to: 150) == [place: 30])
        #expect(Gaps.longest(in: [success(50), success(130)], from: 60, to: 135) == [place: 70])
        // Never again.
        #expect(Gaps.longest(in: [success(50)], from: 60, to: 200) == [place: 140])
        // A failure is no success.
        var failed = success(120)
        failed.outcome = .unknown
        #expect(Gaps.longest(in: [success(50), failed], from: 60, to: 200) == [place: 140])
    }

    @Test func oneShardThatAnswersDoesNotHideAnother() {
        let operations = (1...10).map { success(Int64($0) * 10) } + [success(10, shard: 1), success(100, shard: 1)]
        let gaps = Gaps.longest(in: operations, from: 0, to: 100)
        #expect(gaps[Gaps.Place(client: 0, shard: 0)] == 10)
        #expect(gaps[Gaps.Place(client: 0, shard: 1)] == 90)
    }

    @Test func percentiles() {
        let numbers = (1...100).map { Int64($0) }
        #expect(numbers.percentile(0.5) == 50)
        #expect(numbers.percentile(0.99) == 99)
        #expect(numbers.percentile(1) == 100)
        #expect([Int64]().percentile(0.5) == nil)
        #expect([Int64(7)].percentile(0.99) == 7)
    }
}
