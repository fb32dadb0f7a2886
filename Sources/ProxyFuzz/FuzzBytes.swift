import Primitives
import RESP

extension SeededRandom {
    mutating func below(_ count: Int) -> Int { Int((next() >> 16) % UInt64(max(1, count))) }
    mutating func one<Value>(of values: [Value]) -> Value { values[below(values.count)] }
    mutating func isOne(in count: Int) -> Bool { below(count) == 0 }
}

/// Lengths that have broken parsers before.
let interestingNumbers = [
    "0", "-1", "-0", "00", "01", "+1", "1", "2", "9", "10", "16", "-2", "64", "1048576", "1048577", "536870912",
    "536870913", "2147483647", "2147483648", "4294967295", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "18446744073709551615", "99999999999999999999", "12345678901234567890123", "", " 1", "1 ",
    "x",
    "0x10", "1e3", "?",
]

/// Spoils bytes in the ways that matter to parsers of lengths and lines.
func mutated(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.below(3) {
        let at = random.below(bytes.count + 1)
        switch random.below(9) {
        case 0: if at < bytes.count { bytes[at] = UInt8(random.below(256)) }
        case 1: bytes.insert(random.one(of: Array("*$\r\n0:-+%~>#_,(=!| \0".utf8)), at: at)
        case 2: if at < bytes.count { bytes.remove(at: at) }
        case 3: bytes.removeLast(min(bytes.count, random.below(12)))
        case 4: bytes.append(contentsOf: bytes.prefix(random.below(40)))
        case 5:  // A piece of it once more, somewhere.
            let length = min(random.below(30), bytes.count - at)
            bytes.insert(contentsOf: bytes[at..<at + length], at: random.below(bytes.count + 1))
        default:  // A number for another.
            guard let digit = bytes[at...].firstIndex(where: { $0 >= 48 && $0 <= 57 }) else { continue }
            let end = bytes[digit...].firstIndex { $0 < 48 || $0 > 57 } ?? bytes.count
            bytes.replaceSubrange(digit..<end, with: random.one(of: interestingNumbers).utf8)
        }
    }
    return bytes
}

/// Runs a body over a copy with the slack that scanners may read. What the slack holds must not matter, so whoever
/// compares calls twice.
func withSlack<Value>(_ text: [UInt8], slack: UInt8 = 0x30, _ body: (Bytes, Int) -> Value) -> Value {
    let buffer = Bytes.allocate(capacity: text.count + scanSlackBytes)
    defer { buffer.deallocate() }
    text.withUnsafeBufferPointer { source in
        if let base = source.baseAddress { buffer.update(from: base, count: source.count) }
    }
    (buffer + text.count).update(repeating: slack, count: scanSlackBytes)
    return body(buffer, text.count)
}

/// As a Swift literal would have it, cut where it gets long.
func shown(_ bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes.prefix(400) {
        switch byte {
        case 13: text += "\\r"
        case 10: text += "\\n"
        case 32...126: text.unicodeScalars.append(UnicodeScalar(byte))
        default: text += "\\x" + String(byte, radix: 16)
        }
    }
    return "\"\(text)\"" + (bytes.count > 400 ? " … \(bytes.count) bytes" : "")
}
