import Testing

@testable import bench

@Suite struct HistogramTests {
    @Test func percentilesAreWithinAStep() {
        var histogram = Histogram()
        for value in 1...100_000 { histogram.add(nanoseconds: value * 100) }
        for (share, microseconds) in [(0.5, 5000.0), (0.99, 9900.0), (0.999, 9990.0)] {
            let error = abs(histogram.microseconds(at: share) - microseconds) / microseconds
            #expect(error < 0.016, "at \(share)")
        }
    }

    @Test func smallValuesAreExact() {
        var histogram = Histogram()
        for value in [3, 5, 63] { histogram.add(nanoseconds: value) }
        #expect(histogram.microseconds(at: 0.5) == 0.005)
        #expect(histogram.microseconds(at: 0.99) == 0.063)
    }

    @Test func noValuesGiveZero() {
        #expect(Histogram().microseconds(at: 0.5) == 0)
    }

    @Test func sumsOfThreadsCountEverything() {
        var one = Histogram()
        var other = Histogram()
        for _ in 0..<10 { one.add(nanoseconds: 1000) }
        for _ in 0..<30 { other.add(nanoseconds: 9000) }
        one.add(other)
        #expect(one.count == 40)
        #expect(one.microseconds(at: 0.2) < 1.1)
        #expect(one.microseconds(at: 0.5) > 8.8)
    }
}

@Suite struct StatisticsTests {
    @Test func mediansOfOddEvenAndNone() {
        #expect(Statistics.median([9, 1, 5]) == 5)
        #expect(Statistics.median([4, 1, 3, 2]) == 2.5)
        #expect(Statistics.median([]) == 0)
    }

    @Test func ratiosNeedBothSides() {
        #expect(Statistics.ratio(1, 4) == 0.25)
        #expect(Statistics.ratio(1, 0) == nil)
        #expect(Statistics.ratio(0, 4) == nil)
    }

    /// Medians are compared, so one wild sample decides nothing; and the shards are those of the peer.
    @Test func ratiosAreOfMediansAtEqualShards() {
        var results = Results()
        let load = Load(.get, 64)
        let peer = SystemName(.nutcracker, shards: 2)
        for (tarn, other) in [(1.0, 4.0), (2.0, 4.0), (90.0, 4.0)] {
            var sample = Sample()
            results.add(sample, peer, load)  // Without an answer: does not count.
            sample.requestsPerSecond = 1000
            sample.proxy = tarn
            results.add(sample, SystemName(.tarn, shards: 2), load)
            sample.proxy = 77
            results.add(sample, SystemName(.tarn, shards: 1), load)
            sample.proxy = other
            results.add(sample, peer, load)
        }
        #expect(results.ratio(load, to: peer) == 0.5)
        #expect(results.ratio(Load(.set, 64), to: peer) == nil)
    }
}

@Suite struct TextTests {
    @Test func numbers() {
        #expect(fixed(0.004, 2) == "0.00")
        #expect(fixed(-1.255, 1) == "-1.3")
        #expect(fixed(12.999, 2) == "13.00")
        #expect(fixed(7, 0) == "7")
        #expect(short(461_234) == "461k")
        #expect(short(13.94) == "13.9")
    }

    @Test func columnsLineUp() {
        var table = Table(["a", "long"])
        table.add(["wide", "1"])
        #expect(table.text == "a     long\nwide     1")
    }
}
