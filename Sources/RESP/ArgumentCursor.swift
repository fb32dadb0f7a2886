/// One argument of a command or one bulk of a reply, where it lies.
@usableFromInline package struct ByteSpan {
    @usableFromInline package let start: Bytes
    @usableFromInline package let count: Int

    @inlinable package init(start: Bytes, count: Int) {
        self.start = start
        self.count = count
    }

    package var text: String { String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self) }
    package var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: count)) }

    /// Same letters whatever their case; `lowered` is in lower case.
    package func isWord(_ lowered: StaticString) -> Bool {
        guard count == lowered.utf8CodeUnitCount else { return false }
        for index in 0..<count where asciiLowered(start[index]) != lowered.utf8Start[index] { return false }
        return true
    }

    /// The same for a word in upper case.
    package func isSameWord(_ uppered: [UInt8]) -> Bool {
        guard count == uppered.count else { return false }
        for index in 0..<count where asciiLowered(start[index]) != asciiLowered(uppered[index]) { return false }
        return true
    }

    package func isEqual(to other: [UInt8]) -> Bool {
        guard count == other.count else { return false }
        var difference: UInt8 = 0  // Whole length always: it also compares passwords.
        for index in 0..<count { difference |= start[index] ^ other[index] }
        return difference == 0
    }

    package func contains(_ byte: UInt8) -> Bool {
        for index in 0..<count where start[index] == byte { return true }
        return false
    }

    /// A decimal that fills the span, by the rules of Redis' `string2ll`: no plus, no leading zero, no `-0`, no blanks.
    package var integer: Int? {
        guard count > 0, count <= 20 else { return nil }
        let isNegative = start[0] == Ascii.minus
        var index = isNegative ? 1 : 0
        guard index < count else { return nil }
        if start[index] == Ascii.zero { return count == 1 ? 0 : nil }
        var value = 0
        while index < count {
            let digit = start[index] &- Ascii.zero
            guard digit <= 9 else { return nil }
            let (tens, overflows) = value.multipliedReportingOverflow(by: 10)
            let (next, overflowsToo) =
                isNegative
                ? tens.subtractingReportingOverflow(Int(digit)) : tens.addingReportingOverflow(Int(digit))
            if overflows || overflowsToo { return nil }
            value = next
            index += 1
        }
        return value
    }
}

@inlinable package func asciiLowered(_ byte: UInt8) -> UInt8 {
    byte &- 65 < 26 ? byte | 32 : byte
}

/// Walks the arguments of a command that was scanned as complete.
package struct ArgumentCursor {
    private let base: Bytes
    private var index: Int
    package private(set) var remaining: Int

    package init(_ bytes: Bytes, _ command: ScannedCommand) {
        base = bytes
        remaining = command.argumentCount
        index = 1
        // As the scanner has it: two bytes end a line, of which only the first is looked at.
        while base[index] != Ascii.carriageReturn { index += 1 }
        index += 2
    }

    package mutating func next() -> ByteSpan? {
        guard remaining > 0 else { return nil }
        remaining -= 1
        index += 1
        var length = 0
        while base[index] != Ascii.carriageReturn {
            length = length &* 10 &+ Int(base[index] &- Ascii.zero)
            index += 1
        }
        defer { index += length + 4 }
        return ByteSpan(start: base + index + 2, count: length)
    }

    /// Every argument, the name first. For commands that are answered here, not for those that pass.
    package static func all(_ bytes: Bytes, _ command: ScannedCommand) -> [ByteSpan] {
        var cursor = ArgumentCursor(bytes, command)
        var arguments: [ByteSpan] = []
        arguments.reserveCapacity(command.argumentCount)
        while let argument = cursor.next() { arguments.append(argument) }
        return arguments
    }
}
