import Glibc

/// The bytes of one batch of commands and of the replies to it, and where the numbers of the keys stand in both.
///
/// A batch always has the same length, so a reply needs no parsing: its bytes are counted, or all compared.
struct Batch {
    /// A key of the batch: where its eight digits stand in the request, and where in the replies.
    struct Key {
        var offsets: [Int]
        var replyOffsets: [Int] = []
    }

    let commandCount: Int
    private(set) var request: [UInt8] = []
    private(set) var reply: [UInt8] = []
    private(set) var keys: [Key] = []

    init(_ load: Load, commandCount: Int? = nil) {
        self.commandCount = commandCount ?? load.pipeline
        for position in 0..<self.commandCount {
            switch (load.operation, position % 16) {
            case (.get, _): get(load.valueBytes)
            case (.set, _): set(load.valueBytes)
            case (.mix, 15): get(load.valueBytes, keyCount: 10)
            case (.mix, let place): place % 4 == 3 ? set(load.valueBytes) : get(load.valueBytes)
            }
        }
    }

    /// GET, or MGET of several.
    private mutating func get(_ valueBytes: Int, keyCount: Int = 1) {
        request += Array("*\(keyCount + 1)\r\n".utf8)
        request += Array((keyCount == 1 ? "$3\r\nGET\r\n" : "$4\r\nMGET\r\n").utf8)
        if keyCount > 1 { reply += Array("*\(keyCount)\r\n".utf8) }
        for _ in 0..<keyCount {
            keys.append(Key(offsets: [key(valueBytes)]))
            reply += Array("$\(valueBytes)\r\n".utf8)
            keys[keys.count - 1].replyOffsets = [reply.count]
            reply += Self.value(valueBytes) + Array("\r\n".utf8)
        }
    }

    private mutating func set(_ valueBytes: Int) {
        request += Array("*3\r\n$3\r\nSET\r\n".utf8)
        let keyOffset = key(valueBytes)
        request += Array("$\(valueBytes)\r\n".utf8)
        keys.append(Key(offsets: [keyOffset, request.count]))
        request += Self.value(valueBytes) + Array("\r\n".utf8)
        reply += Array("+OK\r\n".utf8)
    }

    /// - Returns: Where the digits stand.
    private mutating func key(_ valueBytes: Int) -> Int {
        let size = String(1_000_000 + valueBytes).dropFirst()
        request += Array("$16\r\nb\(size):00000000\r\n".utf8)
        return request.count - 10
    }

    /// The key's digits, then a filling.
    private static func value(_ count: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(ascii: "0"), count: 8) + [UInt8](repeating: UInt8(ascii: "x"), count: count - 8)
    }

    /// The replies to a request with these numbers as keys.
    func expectedReply(_ numbers: UnsafePointer<UInt32>) -> [UInt8] {
        var expected = reply
        expected.withUnsafeMutableBytes { bytes in
            for (index, key) in keys.enumerated() {
                for offset in key.replyOffsets {
                    bytes.storeBytes(of: eightDigits(numbers[index]), toByteOffset: offset, as: UInt64.self)
                }
            }
        }
        return expected
    }
}

/// Eight decimal digits as text, in the memory order of a little-endian word.
///
/// All digits at once: pairs, then single digits, are split off by multiplication within one word.
/// - Parameter number: Below 100,000,000.
@inline(__always)
func eightDigits(_ number: UInt32) -> UInt64 {
    let halves = UInt64(number / 10_000) | UInt64(number % 10_000) << 32
    let hundreds = ((halves &* 10486) >> 20) & 0x0000_007F_0000_007F
    let pairs = hundreds | (halves &- 100 &* hundreds) << 16
    let tens = ((pairs &* 103) >> 10) & 0x000F_000F_000F_000F
    return (tens | (pairs &- 10 &* tens) << 8) &+ 0x3030_3030_3030_3030
}
