/// Lower-case hexadecimal text, two digits a byte.
package enum Hex {
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil unless the text is an even number of hexadecimal digits.
    package static func decode(_ text: String) -> [UInt8]? {
        let digits = text.utf8.map { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") ? Int($0) - 48 : letter($0) }
        guard digits.count % 2 == 0, !digits.contains(-1) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    private static func letter(_ character: UInt8) -> Int {
        let lowered = character | 0x20
        return lowered >= UInt8(ascii: "a") && lowered <= UInt8(ascii: "f") ? Int(lowered) - 87 : -1
    }
}
