/// How far a long command has come, so that its next bytes are looked at once.
///
/// Used for a command that is passed on while it arrives, and for one that is gathered over many reads: scanning
/// from its start at every read would cost the square of its length.
package struct CommandProgress {
    package private(set) var argumentsLeft = 0
    /// Bytes of the current argument that have not come, its CRLF included.
    package private(set) var bulkLeft = 0

    package init() {}

    /// Right behind the head `*<count>\r\n`.
    package init(argumentCount: Int) {
        argumentsLeft = argumentCount
    }

    package var isComplete: Bool { argumentsLeft == 0 && bulkLeft == 0 }

    package enum Outcome { case needsMore, complete, expectedBulk, invalidBulkLength }

    /// Takes as many bytes as belong to the command and are not half a header.
    ///
    /// - Parameter longest: An argument longer than this has an invalid length; by default what redis has as its own
    ///   limit, 512 MiB, above which none is valid.
    /// - Returns: How many were taken, and what follows from it. After an error the state is of no use.
    package mutating func advance(
        _ bytes: Bytes, _ count: Int, longest: Int? = nil
    ) -> (taken: Int, outcome: Outcome) {
        var index = 0
        while true {
            if bulkLeft > 0 {
                let step = min(bulkLeft, count - index)
                bulkLeft -= step
                index += step
                if bulkLeft > 0 { return (index, .needsMore) }
            }
            if argumentsLeft == 0 { return (index, .complete) }
            if index >= count { return (index, .needsMore) }
            if bytes[index] != Ascii.dollar { return (index, .expectedBulk) }
            var at = index + 1
            var length = 0
            switch scanLength(bytes, count, &at, &length) {
            case .partial: return (index, .needsMore)
            case .invalid: return (index, .invalidBulkLength)
            case .complete: break
            }
            if length < 0 || length > min(longest ?? maximumBulkBytes, maximumBulkBytes) {
                return (index, .invalidBulkLength)
            }
            argumentsLeft -= 1
            bulkLeft = length + 2
            index = at
        }
    }

    /// Length of the head `*<count>\r\n` of a command that ``scanCommand(_:_:_:)`` found to be partial.
    package static func headBytes(_ bytes: Bytes, _ count: Int) -> Int {
        var index = 0
        while index < count && bytes[index] != Ascii.carriageReturn { index += 1 }
        return index + 2
    }
}
