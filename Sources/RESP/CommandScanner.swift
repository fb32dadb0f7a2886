/// What a scan found at the start of its input.
@usableFromInline package enum CommandScan: UInt8, Sendable {
    /// A whole command.
    case complete
    /// The input ends inside a command.
    case partial
    /// The count of arguments is not a number that Redis takes.
    case invalidArgumentCount
    /// An argument does not begin with `$`.
    case expectedBulk
    /// The length of an argument is not a number that Redis takes.
    case invalidBulkLength
}

/// Where the parts of one multi-bulk command lie, as offsets from its first byte.
@usableFromInline package struct ScannedCommand {
    /// The whole command; with ``CommandScan/partial`` the least length that is known to be needed.
    @usableFromInline package var byteCount = 0
    /// As announced; 0 for `*0` and `*-1`, which clients may send and Redis skips.
    @usableFromInline package var argumentCount = 0
    /// Arguments that are wholly there.
    @usableFromInline package var completeArguments = 0
    @usableFromInline package var nameOffset = 0
    @usableFromInline package var nameCount = 0
    /// Argument 1, which is the key of most commands.
    @usableFromInline package var keyOffset = 0
    @usableFromInline package var keyCount = 0
    /// The byte that stood where `$` was expected.
    @usableFromInline package var unexpected: UInt8 = 0
    package init() {}
}

/// Largest count of arguments, and largest argument in bytes, as Redis has them (`proto-max-bulk-len` 512 MiB).
@usableFromInline let maximumArgumentCount = 1 << 20
@usableFromInline let maximumBulkBytes = 512 << 20

/// Finds the command that starts at `bytes[0]`, which must be `*`.
///
/// Accepts exactly what Redis accepts, no more: a length that Redis would refuse (a leading zero, a sign) must never
/// reach a shared upstream, where it would close the connection of everyone.
@inlinable @inline(__always)
package func scanCommand(_ bytes: Bytes, _ count: Int, _ command: inout ScannedCommand) -> CommandScan {
    var index = 1
    var arguments = 0
    command.completeArguments = 0
    command.nameCount = 0
    command.keyCount = 0
    command.byteCount = 0
    if count > 3 && bytes[2] == Ascii.carriageReturn {  // One digit: nearly every command.
        let digit = bytes[1] &- Ascii.zero
        if digit > 9 { return .invalidArgumentCount }
        arguments = Int(digit)
        index = 4
    } else {
        let outcome = scanLength(bytes, count, &index, &arguments)
        if outcome == .invalid { return .invalidArgumentCount }
        if outcome == .partial { return .partial }
        if arguments > maximumArgumentCount { return .invalidArgumentCount }
        if arguments < 0 { arguments = 0 }
    }
    command.argumentCount = arguments
    return scanArguments(bytes, count, from: index, argument: 0, &command)
}

/// The arguments from `argument` on, the first of which starts at `start`; their count is known.
@inlinable @inline(__always)
func scanArguments(
    _ bytes: Bytes, _ count: Int, from start: Int, argument first: Int, _ command: inout ScannedCommand
) -> CommandScan {
    var index = start
    var argument = first
    let arguments = command.argumentCount
    while argument < arguments {
        if index >= count { return .partial }
        if bytes[index] != Ascii.dollar {
            command.unexpected = bytes[index]
            return .expectedBulk
        }
        index &+= 1
        var length = 0
        let isShort = index &+ 3 < count  // At most two digits and CRLF can be looked at.
        if isShort && bytes[index &+ 1] == Ascii.carriageReturn {
            let digit = bytes[index] &- Ascii.zero
            if digit > 9 { return .invalidBulkLength }
            length = Int(digit)
            index &+= 3
        } else if isShort && bytes[index &+ 2] == Ascii.carriageReturn && bytes[index] &- Ascii.one <= 8 {
            let digit = bytes[index &+ 1] &- Ascii.zero  // Two digits: keys and small values.
            if digit > 9 { return .invalidBulkLength }
            length = Int(bytes[index] &- Ascii.zero) &* 10 &+ Int(digit)
            index &+= 4
        } else {
            let outcome = scanLength(bytes, count, &index, &length)
            if outcome == .invalid { return .invalidBulkLength }
            if outcome == .partial { return .partial }
            if length < 0 || length > maximumBulkBytes { return .invalidBulkLength }
        }
        let end = index &+ length &+ 2
        if end > count {
            command.byteCount = end
            return .partial
        }
        if argument == 1 {
            command.keyOffset = index
            command.keyCount = length
        } else if argument == 0 {
            command.nameOffset = index
            command.nameCount = length
        }
        index = end
        argument &+= 1
        command.completeArguments = argument
    }
    command.byteCount = index
    return .complete
}

@usableFromInline enum LengthScan { case complete, partial, invalid }

/// A decimal and its CRLF, by the rules of Redis' `string2ll`: no leading zero, no plus; `-1` is a number.
@inlinable
func scanLength(_ bytes: Bytes, _ count: Int, _ index: inout Int, _ value: inout Int) -> LengthScan {
    var at = index
    var number = 0
    var isNegative = false
    if at < count && bytes[at] == Ascii.minus {
        isNegative = true
        at &+= 1
    }
    let first = at
    while true {
        if at >= count { return at &- first > 11 ? .invalid : .partial }
        let digit = bytes[at] &- Ascii.zero
        if digit > 9 { break }
        number = number &* 10 &+ Int(digit)
        at &+= 1
        if at &- first > 11 { return .invalid }
    }
    if bytes[at] != Ascii.carriageReturn || at == first { return .invalid }
    if bytes[first] == Ascii.zero && (at &- first > 1 || isNegative) { return .invalid }
    if at &+ 1 >= count { return .partial }
    index = at &+ 2
    value = isNegative ? -number : number
    return .complete
}
