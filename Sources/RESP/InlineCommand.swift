/// The second request format of Redis: words on a line, quoted where they hold blanks.
package enum InlineCommand {
    /// Redis' `PROTO_INLINE_MAX_SIZE`.
    package static let maximumBytes = 64 << 10

    /// Splits a line by the rules of `sdssplitargs`; nil when quotes don't match.
    package static func words(_ bytes: Bytes, _ count: Int) -> [[UInt8]]? {
        var words: [[UInt8]] = []
        var index = 0
        while true {
            while index < count && isBlank(bytes[index]) { index += 1 }
            if index >= count { return words }
            var word: [UInt8] = []
            while index < count && !isBlank(bytes[index]) {
                switch bytes[index] {
                case UInt8(ascii: "\""):
                    guard doubleQuoted(bytes, count, &index, &word) else { return nil }
                case UInt8(ascii: "'"):
                    guard singleQuoted(bytes, count, &index, &word) else { return nil }
                default:
                    word.append(bytes[index])
                    index += 1
                }
            }
            words.append(word)
        }
    }

    private static func doubleQuoted(
        _ bytes: Bytes, _ count: Int, _ index: inout Int, _ word: inout [UInt8]
    ) -> Bool {
        index += 1
        while index < count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\\"), index + 3 < count, bytes[index + 1] == UInt8(ascii: "x"),
                let high = hexDigit(bytes[index + 2]), let low = hexDigit(bytes[index + 3])
            {
                word.append(high << 4 | low)
                index += 4
            } else if byte == UInt8(ascii: "\\"), index + 1 < count {
                word.append(escaped(bytes[index + 1]))
                index += 2
            } else if byte == UInt8(ascii: "\"") {
                index += 1
                return index >= count || isBlank(bytes[index])
            } else {
                word.append(byte)
                index += 1
            }
        }
        return false
    }

    private static func singleQuoted(
        _ bytes: Bytes, _ count: Int, _ index: inout Int, _ word: inout [UInt8]
    ) -> Bool {
        index += 1
        while index < count {
            if bytes[index] == UInt8(ascii: "\\"), index + 1 < count, bytes[index + 1] == UInt8(ascii: "'") {
                word.append(UInt8(ascii: "'"))
                index += 2
            } else if bytes[index] == UInt8(ascii: "'") {
                index += 1
                return index >= count || isBlank(bytes[index])
            } else {
                word.append(bytes[index])
                index += 1
            }
        }
        return false
    }

    private static func escaped(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "n"): 10
        case UInt8(ascii: "r"): 13
        case UInt8(ascii: "t"): 9
        case UInt8(ascii: "b"): 8
        case UInt8(ascii: "a"): 7
        default: byte
        }
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (byte >= 9 && byte <= 13) || byte == 0 }
}
