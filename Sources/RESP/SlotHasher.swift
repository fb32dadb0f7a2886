/// Hash slot of a key: CRC16 (XMODEM) of the key, or of its hash tag, modulo 16384.
///
/// Holds its tables by pointer because a global would cost a lazy-initialisation check for every key. Four bytes a
/// step (slicing-by-4): a 16-byte key takes four dependent steps instead of sixteen.
/// - Source: Redis cluster specification, "Key distribution model".
@usableFromInline package struct SlotHasher: @unchecked Sendable {
    @usableFromInline let tables: UnsafeMutablePointer<UInt16>

    /// The tables (2 KiB) live as long as the process; make one hasher a thread.
    package init() {
        tables = .allocate(capacity: 4 * 256)
        for byte in 0..<256 {
            var crc = UInt16(byte) << 8
            for _ in 0..<8 { crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1 }
            tables[byte] = crc
        }
        for index in 256..<1024 {
            let before = tables[index - 256]
            tables[index] = (before << 8) ^ tables[Int(before >> 8)]
        }
    }

    /// - Returns: 0...16383.
    @inlinable @inline(__always)
    package func slot(of key: Bytes, count: Int) -> Int {
        var start = key
        var length = count
        var open = 0
        while open &+ 8 <= length {
            // Any byte equal to `{`? The usual test for a zero byte in a word.
            let word = UnsafeRawPointer(start + open).loadUnaligned(as: UInt64.self) ^ 0x7B7B_7B7B_7B7B_7B7B
            if (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0 { break }
            open &+= 8
        }
        while open < length && start[open] != 0x7B { open &+= 1 }
        if open < length {
            var close = open &+ 1
            while close < length && start[close] != 0x7D { close &+= 1 }
            if close < length && close > open &+ 1 {
                start += open &+ 1
                length = close &- open &- 1
            }
        }
        return Int(crc16(start, length) & 0x3FFF)
    }

    /// Of bytes that are hashed as they are.
    /// - Returns: 0...16383.
    package func slot(ofTag tag: Bytes, count: Int) -> Int { Int(crc16(tag, count) & 0x3FFF) }

    @inlinable @inline(__always)
    func crc16(_ bytes: Bytes, _ count: Int) -> UInt16 {
        var crc: UInt16 = 0
        var index = 0
        while index &+ 4 <= count {
            let high = Int(UInt8(truncatingIfNeeded: crc >> 8) ^ bytes[index])
            let low = Int(UInt8(truncatingIfNeeded: crc) ^ bytes[index &+ 1])
            crc =
                tables[768 &+ high] ^ tables[512 &+ low] ^ tables[256 &+ Int(bytes[index &+ 2])]
                ^ tables[Int(bytes[index &+ 3])]
            index &+= 4
        }
        while index < count {
            crc = (crc << 8) ^ tables[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ bytes[index])]
            index &+= 1
        }
        return crc
    }
}
