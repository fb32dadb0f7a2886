/// One reply of a shard in RESP2.
package enum ShardReply: Hashable, Sendable {
    case simple(String)
    case error(String)
    case integer(Int64)
    /// Nil: the null bulk string.
    case bulk([UInt8]?)
    /// Nil: the null array.
    case array([ShardReply]?)

    /// Text of a simple or bulk string; nil for the other kinds and for null.
    package var text: String? {
        switch self {
        case .simple(let text): text
        case .bulk(let bytes): bytes.map { String(decoding: $0, as: UTF8.self) }
        case .error, .integer, .array: nil
        }
    }
}

/// Cuts a byte stream into RESP2 replies.
///
/// For a handful of administrative commands per shard; the proxy's data path has its own, faster parser in `RESP`.
package struct ShardReplyDecoder: Sendable {
    /// The longest reply we ask for is INFO, a few KiB. A longer one means that this is no shard.
    package static let maximumReplyBytes = 16 << 20
    private static let maximumDepth = 8

    private var pending: [UInt8] = []

    package init() {}

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        pending.append(contentsOf: bytes)
    }

    /// The next whole reply, or nil when more bytes are needed.
    package mutating func next() throws(ShardError) -> ShardReply? {
        var position = 0
        guard let reply = try parse(&position, depth: 0) else {
            guard pending.count <= Self.maximumReplyBytes else {
                throw ShardError(.protocolViolation, "a reply of more than \(Self.maximumReplyBytes) bytes")
            }
            return nil
        }
        pending.removeFirst(position)
        return reply
    }

    private func parse(_ position: inout Int, depth: Int) throws(ShardError) -> ShardReply? {
        guard depth <= Self.maximumDepth else { throw ShardError(.protocolViolation, "arrays nested too deeply") }
        guard let line = try self.line(&position), let kind = line.first else { return nil }
        let text = String(decoding: line.dropFirst(), as: UTF8.self)
        switch kind {
        case UInt8(ascii: "+"): return .simple(text)
        case UInt8(ascii: "-"): return .error(text)
        case UInt8(ascii: ":"): return .integer(Int64(try number(text)))
        case UInt8(ascii: "$"): return try bulk(&position, count: try number(text))
        case UInt8(ascii: "*"): return try array(&position, count: try number(text), depth: depth)
        default: throw ShardError(.protocolViolation, "a reply that starts with byte \(kind)")
        }
    }

    /// A line without its CR LF, never empty.
    private func line(_ position: inout Int) throws(ShardError) -> ArraySlice<UInt8>? {
        guard let end = pending[position...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        guard end > position + 1, pending[end - 1] == UInt8(ascii: "\r") else {
            throw ShardError(.protocolViolation, "a line without CR LF")
        }
        defer { position = end + 1 }
        return pending[position..<end - 1]
    }

    private func number(_ text: String) throws(ShardError) -> Int {
        guard let number = Int(text) else { throw ShardError(.protocolViolation, "`\(text)` where a number belongs") }
        return number
    }

    private func bulk(_ position: inout Int, count: Int) throws(ShardError) -> ShardReply? {
        guard count >= 0 else { return .bulk(nil) }
        guard count <= Self.maximumReplyBytes else {
            throw ShardError(.protocolViolation, "a bulk string of \(count) bytes")
        }
        guard pending.count - position >= count + 2 else { return nil }
        defer { position += count + 2 }
        return .bulk(Array(pending[position..<position + count]))
    }

    private func array(_ position: inout Int, count: Int, depth: Int) throws(ShardError) -> ShardReply? {
        guard count >= 0 else { return .array(nil) }
        var elements: [ShardReply] = []
        for _ in 0..<count {
            guard let element = try parse(&position, depth: depth + 1) else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }
}
