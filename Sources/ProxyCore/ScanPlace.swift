/// Where a SCAN over all shards stands, and how that is a cursor.
///
/// ```
///   cursor = cursor of the shard << 22 | mark of the shard << 14 | first slot of the shard
/// ```
/// The shards are walked in the order of their slots. A cursor is of use only to the shard that gave it (its hash seed
/// is in it, so to speak), which the mark tells in 255 of 256 cases: one of another shard, of other routes or of nobody
/// starts the walk anew, since a key twice is allowed and a key left out is not. 0 starts and ends. Clients that read
/// cursors as floating point numbers (53 bits) are right up to 2^30 buckets a shard.
package struct ScanPlace: Equatable {
    package var firstSlot: Int
    /// Tells a shard from others that have been or will be in its place.
    package var mark: UInt8
    package var cursor: UInt64
    /// The place behind this shard; nil behind the last one.
    package var following: UInt64?

    package init(firstSlot: Int, mark: UInt8, cursor: UInt64, following: UInt64?) {
        self.firstSlot = firstSlot
        self.mark = mark
        self.cursor = cursor
        self.following = following
    }

    /// The client's cursor taken apart.
    package static func parts(of cursor: UInt64) -> (firstSlot: Int, mark: UInt8, cursor: UInt64) {
        (Int(cursor & 0x3FFF), UInt8(truncatingIfNeeded: cursor >> 14), cursor >> 22)
    }

    package static func whole(firstSlot: Int, mark: UInt8, cursor: UInt64) -> UInt64 {
        cursor << 22 | UInt64(mark) << 14 | UInt64(firstSlot)
    }

    package static func mark(shard: Int) -> UInt8 {
        // Never 0 for the shard at slot 0, whose places would be taken for the start.
        UInt8(truncatingIfNeeded: (UInt64(truncatingIfNeeded: shard) &* 0x9E37_79B9_7F4A_7C15) >> 57) | 0x80
    }

    /// - Parameter shardCursor: What the shard answered; 0 means that it is through.
    package func next(_ shardCursor: UInt64) -> UInt64 {
        shardCursor == 0 ? following ?? 0 : Self.whole(firstSlot: firstSlot, mark: mark, cursor: shardCursor)
    }

    /// A cursor by the rules of Redis (`strtoul`): a sign is allowed, blanks in front and overflow are not.
    package static func parse(_ text: [UInt8]) -> UInt64? {
        var digits = text.prefix { $0 != 0 }[...]
        if digits.isEmpty { return 0 }
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        guard !digits.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            guard byte >= 48, byte <= 57 else { return nil }
            let (tens, overflows) = value.multipliedReportingOverflow(by: 10)
            let (next, overflowsToo) = tens.addingReportingOverflow(UInt64(byte - 48))
            if overflows || overflowsToo { return nil }
            value = next
        }
        return isNegative ? 0 &- value : value
    }
}
