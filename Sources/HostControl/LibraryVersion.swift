/// Dotted numbers, compared number by number: 3.0.9 is before 3.0.17, 2.36 equals 2.36.0.
package struct LibraryVersion: Comparable, Sendable, CustomStringConvertible {
    package var numbers: [Int]

    /// Nil unless the text begins with a number; stops at the first thing that is none (`3.0.2-beta` is 3.0.2).
    package init?(_ text: some StringProtocol) {
        var numbers: [Int] = []
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            let digits = part.prefix { ("0"..."9").contains($0) }
            guard let number = Int(digits) else { break }
            numbers.append(number)
            if digits.count != part.count { break }
        }
        guard !numbers.isEmpty else { return nil }
        self.numbers = numbers
    }

    package var description: String { numbers.map(String.init).joined(separator: ".") }

    package static func < (left: LibraryVersion, right: LibraryVersion) -> Bool { compare(left, right) < 0 }
    package static func == (left: LibraryVersion, right: LibraryVersion) -> Bool { compare(left, right) == 0 }

    private static func compare(_ left: LibraryVersion, _ right: LibraryVersion) -> Int {
        for index in 0..<max(left.numbers.count, right.numbers.count) {
            let one = index < left.numbers.count ? left.numbers[index] : 0
            let other = index < right.numbers.count ? right.numbers[index] : 0
            if one != other { return one < other ? -1 : 1 }
        }
        return 0
    }

    /// The version that a `libcrypto.so.3` carries in its text (`OpenSSL 3.0.17 1 Jul 2025`).
    ///
    /// Read, not loaded: loading a second libcrypto into this process, which carries its own, is asking for trouble.
    package static func ofOpenSSL(libraryFile path: String) -> LibraryVersion? {
        guard let bytes = try? HostFile.read(path) else { return nil }
        let mark = Array("OpenSSL ".utf8)
        let isDigit: (UInt8) -> Bool = { $0 >= 0x30 && $0 <= 0x39 }
        return bytes.withUnsafeBytes { buffer in
            var index = 0
            while index + mark.count + 5 < buffer.count {
                // The first byte decides nearly always; the file has four megabytes.
                guard buffer[index] == mark[0], mark.indices.allSatisfy({ buffer[index + $0] == mark[$0] }),
                    isDigit(buffer[index + mark.count])
                else {
                    index += 1
                    continue
                }
                let text = buffer[(index + mark.count)...].prefix(16).prefix { isDigit($0) || $0 == 0x2E }
                if let version = LibraryVersion(String(decoding: text, as: UTF8.self)), version.numbers.count >= 3 {
                    return version
                }
                index += 1
            }
            return nil
        }
    }
}
