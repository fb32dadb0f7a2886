/// Reads parts of replies that the proxy merges. The replies are whole; that was checked before.
package struct ReplyReader {
    private let base: Bytes
    private let count: Int
    /// How far it has come.
    package private(set) var index = 0

    package init(_ bytes: Bytes, _ count: Int) {
        base = bytes
        self.count = count
    }

    package var isAtEnd: Bool { index >= count }
    package var type: UInt8 { index < count ? base[index] : 0 }
    package var isError: Bool { type == UInt8(ascii: "-") }

    /// The line behind the type byte as a number: the value of `:`, the length of `$` and `*`.
    package mutating func number() -> Int? {
        let start = index + 1
        guard let end = lineEnd() else { return nil }
        index = end + 2
        return ByteSpan(start: base + start, count: end - start).integer
    }

    /// A bulk string; nil when it is null or something else, which is skipped.
    package mutating func bulk() -> ByteSpan? {
        guard type == UInt8(ascii: "$") else {
            _ = value()
            return nil
        }
        guard let length = number(), length >= 0, index + length + 2 <= count else { return nil }
        defer { index += length + 2 }
        return ByteSpan(start: base + index, count: length)
    }

    /// The next value whatever it is, with its own bytes.
    package mutating func value() -> ByteSpan? {
        let length = replyLength(base + index, count - index)
        guard length > 0 else {
            index = count
            return nil
        }
        defer { index += length }
        return ByteSpan(start: base + index, count: length)
    }

    private func lineEnd() -> Int? {
        var at = index
        while at < count && base[at] != Ascii.carriageReturn { at += 1 }
        return at + 1 < count ? at : nil
    }
}
