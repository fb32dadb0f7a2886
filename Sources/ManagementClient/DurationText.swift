/// Reads and writes spans of time as people do: `90s`, `30m`, `1h`, `7d`, `1h30m`; a bare number is seconds.
package enum DurationText {
    /// Nil for anything else, zero included.
    package static func seconds(_ text: String) -> Int64? {
        if let plain = Int64(text) { return plain > 0 ? plain : nil }
        var total: Int64 = 0
        var digits = ""
        for character in text.lowercased() {
            if character.isASCII && character.isNumber {
                digits.append(character)
                continue
            }
            guard let unit = units[character], let number = Int64(digits) else { return nil }
            let (product, isTooLong) = number.multipliedReportingOverflow(by: unit)
            let (sum, isTooMuch) = total.addingReportingOverflow(product)
            guard !isTooLong, !isTooMuch else { return nil }
            total = sum
            digits = ""
        }
        return digits.isEmpty && total > 0 ? total : nil
    }

    private static let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]

    /// The two largest units that say something: `2d 3h`, `5m`, `12s`.
    package static func text(seconds: Int64) -> String {
        var rest = max(0, seconds)
        var parts: [String] = []
        for (name, size) in [("d", Int64(86_400)), ("h", 3600), ("m", 60), ("s", 1)] where parts.count < 2 {
            if rest >= size { parts.append("\(rest / size)\(name)") } else if !parts.isEmpty { break }
            rest %= size
        }
        return parts.isEmpty ? "0s" : parts.joined(separator: " ")
    }
}
