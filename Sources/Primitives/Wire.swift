/// Writes the small binary messages that our programs exchange on one machine.
///
/// Integers are little-endian and of fixed width, strings and lists carry a 32-bit count first. Both ends are of
/// one release or of neighbouring ones, so messages carry a type byte and no field names.
package struct WireWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func write<Integer: FixedWidthInteger>(_ value: Integer) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ value: Bool) {
        bytes.append(value ? 1 : 0)
    }

    package mutating func write(_ value: String) {
        write(UInt32(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    package mutating func write(_ value: [UInt8]) {
        write(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func write<Element>(
        list: [Element], each: (inout WireWriter, Element) -> Void
    ) {
        write(UInt32(list.count))
        for element in list { each(&self, element) }
    }

    package mutating func write<Value>(
        optional value: Value?, each: (inout WireWriter, Value) -> Void
    ) {
        write(value != nil)
        if let value { each(&self, value) }
    }
}

/// What is wrong with a message that could not be read.
package enum WireError: Error, Equatable {
    /// The message ended inside a value.
    case truncated
    /// A value is outside what its type allows; the text names it.
    case invalid(String)
}

/// Reads what ``WireWriter`` wrote. Every read checks the bounds; nothing is trusted.
package struct WireReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    package init(_ bytes: some Sequence<UInt8>) {
        self.bytes = ArraySlice(bytes)
        position = self.bytes.startIndex
    }

    package var isAtEnd: Bool { position == bytes.endIndex }

    package mutating func read<Integer: FixedWidthInteger>(
        _ type: Integer.Type = Integer.self
    ) throws(WireError) -> Integer {
        let width = MemoryLayout<Integer>.size
        guard bytes.endIndex - position >= width else { throw .truncated }
        var value: Integer = 0
        for index in (0..<width).reversed() {
            value = (width == 1 ? 0 : value << 8) | Integer(truncatingIfNeeded: bytes[position + index])
        }
        position += width
        return value
    }

    package mutating func readBool() throws(WireError) -> Bool {
        switch try read(UInt8.self) {
        case 0: return false
        case 1: return true
        default: throw .invalid("boolean")
        }
    }

    package mutating func readBytes() throws(WireError) -> [UInt8] {
        let count = Int(try read(UInt32.self))
        guard bytes.endIndex - position >= count else { throw .truncated }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    package mutating func readString() throws(WireError) -> String {
        guard let text = String(validating: try readBytes(), as: UTF8.self) else { throw .invalid("UTF-8 text") }
        return text
    }

    package mutating func readList<Element>(
        each: (inout WireReader) throws(WireError) -> Element
    ) throws(WireError) -> [Element] {
        let count = Int(try read(UInt32.self))
        // An element takes at least one byte, so a count beyond the rest is a lie that would reserve memory.
        guard count <= bytes.endIndex - position else { throw .truncated }
        var list: [Element] = []
        list.reserveCapacity(count)
        for _ in 0..<count { list.append(try each(&self)) }
        return list
    }

    package mutating func readOptional<Value>(
        each: (inout WireReader) throws(WireError) -> Value
    ) throws(WireError) -> Value? {
        try readBool() ? try each(&self) : nil
    }
}

/// A message of one of our local protocols.
package protocol WireMessage: Sendable {
    func encode(into writer: inout WireWriter)
    init(from reader: inout WireReader) throws(WireError)
}

extension WireMessage {
    /// The message as it travels: its length as a little-endian `UInt32`, then its bytes.
    package func framed() -> [UInt8] {
        var body = WireWriter()
        encode(into: &body)
        var frame = WireWriter()
        frame.write(body.bytes)
        return frame.bytes
    }
}

/// Cuts a byte stream back into frames.
package struct FrameBuffer: Sendable {
    /// A frame longer than this is refused: the largest real one, a full route push for 300 databases, is below 1 MiB.
    package static let maximumFrameBytes = 64 << 20

    private var pending: [UInt8] = []
    private var start = 0
    private let limitBytes: Int

    /// - Parameter limitBytes: Refuses longer frames; a peer that only orders processes never needs the default.
    package init(limitBytes: Int = FrameBuffer.maximumFrameBytes) {
        self.limitBytes = limitBytes
    }

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            pending.removeFirst(start)
            start = 0
        }
        pending.append(contentsOf: bytes)
    }

    /// The body of the next whole frame, or nil when more bytes are needed.
    package mutating func next() throws(WireError) -> [UInt8]? {
        guard pending.count - start >= 4 else { return nil }
        var header = WireReader(pending[start..<start + 4])
        let count = Int(try header.read(UInt32.self))
        guard count <= limitBytes else { throw .invalid("frame of \(count) bytes") }
        guard pending.count - start - 4 >= count else { return nil }
        defer { start += 4 + count }
        return Array(pending[start + 4..<start + 4 + count])
    }
}
