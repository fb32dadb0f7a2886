/// Latencies in 64 steps per power of two: a percentile is right within 1.6 %, and a count costs a few instructions.
struct Histogram {
    private static let steps = 64
    private var counts = [UInt64](repeating: 0, count: 64 * Histogram.steps)
    private(set) var count: UInt64 = 0

    mutating func add(nanoseconds: Int) {
        counts[Self.index(UInt64(max(0, nanoseconds)))] &+= 1
        count &+= 1
    }

    mutating func add(_ other: Histogram) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        count &+= other.count
    }

    /// - Parameter share: 0.5 for the median.
    /// - Returns: Microseconds; 0 when nothing was counted.
    func microseconds(at share: Double) -> Double {
        if count == 0 { return 0 }
        let wanted = UInt64(Double(count) * share)
        var seen: UInt64 = 0
        for (index, number) in counts.enumerated() {
            seen += number
            if seen > wanted { return Double(Self.value(index)) / 1000 }
        }
        return Double(Self.value(counts.count - 1)) / 1000
    }

    private static func index(_ value: UInt64) -> Int {
        if value < UInt64(steps) { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return (exponent - 5) * steps + Int((value >> UInt64(exponent - 6)) & UInt64(steps - 1))
    }

    /// Middle of a step.
    private static func value(_ index: Int) -> UInt64 {
        if index < steps { return UInt64(index) }
        let exponent = UInt64(index / steps + 5)
        let width = UInt64(1) << (exponent - 6)
        return (1 << exponent) + UInt64(index % steps) * width + width / 2
    }
}
