import Primitives

extension SeededRandom {
    /// 0 ..< `limit`. The remainder's bias doesn't matter for limits this small.
    mutating func below(_ limit: UInt64) -> UInt64 { next() % limit }
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    mutating func isOne(in count: Int) -> Bool { below(count) == 0 }

    mutating func milliseconds(_ range: ClosedRange<Int64>) -> Span {
        .milliseconds(range.lowerBound + Int64(below(UInt64(range.upperBound - range.lowerBound + 1))))
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[below(elements.count)]
    }
}
