/// Base64 without Foundation, for two headers of a request.
/// - Source: RFC 4648, sections 4 and 5.
package enum Base64 {
    package enum Alphabet: Sendable {
        /// With padding.
        case standard
        /// `-` and `_` instead of `+` and `/`, without padding.
        case url
    }

    package static func encode(_ bytes: [UInt8], alphabet: Alphabet) -> String {
        let digits = digits(alphabet)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for index in 0...group.count { text.append(digits[Int(bits >> (18 - 6 * UInt32(index))) & 63]) }
            guard alphabet == .standard else { continue }
            text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - group.count))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for text that no encoder writes: foreign characters, a length that can't be, bits left over.
    package static func decode(_ text: some StringProtocol, alphabet: Alphabet) -> [UInt8]? {
        var symbols = Array(text.utf8)
        if alphabet == .standard {
            guard symbols.count % 4 == 0 else { return nil }
            for _ in 0..<2 where symbols.last == UInt8(ascii: "=") { symbols.removeLast() }
        }
        guard symbols.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var held = 0
        for symbol in symbols {
            guard let value = value(of: symbol, alphabet) else { return nil }
            bits = bits << 6 | value
            held += 6
            guard held >= 8 else { continue }
            held -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            bits &= (1 << UInt32(held)) - 1
        }
        return bits == 0 ? bytes : nil
    }

    private static func digits(_ alphabet: Alphabet) -> [UInt8] {
        Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
            + Array((alphabet == .standard ? "+/" : "-_").utf8)
    }

    private static func value(of symbol: UInt8, _ alphabet: Alphabet) -> UInt32? {
        switch symbol {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(symbol) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(symbol) - 97 + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(symbol) - 48 + 52
        case UInt8(ascii: "+") where alphabet == .standard, UInt8(ascii: "-") where alphabet == .url: 62
        case UInt8(ascii: "/") where alphabet == .standard, UInt8(ascii: "_") where alphabet == .url: 63
        default: nil
        }
    }
}
