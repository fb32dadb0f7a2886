/// A whole reply as a value, for the few that the proxy itself reads: what a shard knows of a command.
package indirect enum ReplyValue: Equatable, Sendable {
    /// Of any kind that is text: bulk, simple, error, verbatim.
    case text([UInt8])
    case number(Int)
    /// Arrays, sets and pushes; maps with keys and values in turn, as RESP2 sends them.
    case elements([ReplyValue])
    case null

    /// Deeper replies are refused: nothing that is read here needs it, and a hostile one must not exhaust the stack.
    private static let maximumDepth = 16

    /// - Returns: Nil for what is no whole reply, or nested too deeply.
    package init?(_ bytes: [UInt8]) {
        var copy = bytes
        let value = copy.withUnsafeMutableBufferPointer { buffer -> ReplyValue? in
            guard let base = buffer.baseAddress else { return nil }
            var reader = ReplyReader(base, buffer.count)
            return ReplyValue(&reader, depth: 0)
        }
        guard let value else { return nil }
        self = value
    }

    private init?(_ reader: inout ReplyReader, depth: Int) {
        switch reader.type {
        case UInt8(ascii: ":"):
            guard let number = reader.number() else { return nil }
            self = .number(number)
        case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"), UInt8(ascii: "%"):
            let isMap = reader.type == UInt8(ascii: "%")
            guard depth < Self.maximumDepth, let count = reader.number() else { return nil }
            if count < 0 {
                self = .null
                return
            }
            var elements: [ReplyValue] = []
            var left = isMap ? count.multipliedReportingOverflow(by: 2).partialValue : count
            while left > 0 {
                guard let element = ReplyValue(&reader, depth: depth + 1) else { return nil }
                elements.append(element)
                left -= 1
            }
            self = .elements(elements)
        case UInt8(ascii: "$"):
            guard let value = reader.value() else { return nil }
            self = value.count >= 2 && value.start[1] == UInt8(ascii: "-") ? .null : .text(Self.content(value))
        case UInt8(ascii: "_"):
            guard reader.value() != nil else { return nil }
            self = .null
        default:
            guard let value = reader.value() else { return nil }
            self = .text(Array(value.bytes.dropFirst().dropLast(2)))
        }
    }

    private static func content(_ bulk: ByteSpan) -> [UInt8] {
        let bytes = bulk.bytes
        guard let line = bytes.firstIndex(of: Ascii.lineFeed) else { return [] }
        return Array(bytes[(line + 1)...].dropLast(2))
    }

    package var text: String? {
        guard case .text(let bytes) = self else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    package var number: Int? {
        guard case .number(let number) = self else { return nil }
        return number
    }

    /// Of an array or a map; else none.
    package var elements: [ReplyValue] {
        guard case .elements(let elements) = self else { return [] }
        return elements
    }

    /// The value behind a key of a map.
    package subscript(key: String) -> ReplyValue? {
        var index = 0
        let elements = elements
        while index + 1 < elements.count {
            if elements[index].text == key { return elements[index + 1] }
            index += 2
        }
        return nil
    }
}
