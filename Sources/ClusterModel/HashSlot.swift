/// One of the 16384 classes of keys.
package struct HashSlot: Hashable, Comparable, Sendable {
    package static let count = 16384

    package let index: UInt16

    /// - Precondition: `index` is below 16384.
    package init(_ index: UInt16) {
        precondition(index < Self.count, "hash slot out of range")
        self.index = index
    }

    package static func < (left: HashSlot, right: HashSlot) -> Bool { left.index < right.index }
}

/// A run of hash slots, both ends included.
package struct SlotRange: Hashable, Codable, Sendable, CustomStringConvertible {
    package var first: UInt16
    package var last: UInt16

    package init(first: UInt16, last: UInt16) {
        self.first = first
        self.last = last
    }

    package static let all = SlotRange(first: 0, last: UInt16(HashSlot.count - 1))
    package var description: String { "\(first)-\(last)" }
    package var count: Int { Int(last) - Int(first) + 1 }

    /// The whole key space cut into `parts` runs whose sizes differ by one at most. `parts` in 1...16384.
    package static func even(parts: Int) -> [SlotRange] {
        (0..<parts).map { part in
            SlotRange(
                first: UInt16(part * HashSlot.count / parts), last: UInt16((part + 1) * HashSlot.count / parts - 1))
        }
    }
}
