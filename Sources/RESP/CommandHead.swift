/// How the last command that passed began, up to its name: `*3\r\n$3\r\nSET\r\n`.
///
/// Pipelines repeat themselves. A command that begins with the same bytes has the same count of arguments and the same
/// name; comparing two words is cheaper than to read these again and look the name up.
@usableFromInline package struct CommandHead {
    @usableFromInline var low: UInt64 = 0
    @usableFromInline var high: UInt64 = 0
    @usableFromInline var lowMask: UInt64 = 0
    @usableFromInline var highMask: UInt64 = 0
    /// More than any input has while nothing is remembered.
    @usableFromInline var byteCount = Int.max
    @usableFromInline var argumentCount = 0
    @usableFromInline package private(set) var entry: CommandTable.Entry?

    @inlinable package init() {}

    /// - Parameter command: A whole one, at `bytes[0]`. A head longer than two words is not remembered.
    @inlinable @inline(__always)
    package mutating func remember(_ bytes: Bytes, _ command: ScannedCommand, _ entry: CommandTable.Entry) {
        self = CommandHead()
        let count = command.nameOffset &+ command.nameCount &+ 2
        if count > 16 { return }
        byteCount = count
        argumentCount = command.argumentCount
        self.entry = entry
        lowMask = count >= 8 ? .max : (1 << UInt64(count &* 8)) &- 1
        highMask = count == 16 ? .max : count <= 8 ? 0 : (1 << UInt64((count &- 8) &* 8)) &- 1
        low = Self.word(bytes) & lowMask
        high = Self.word(bytes + 8) & highMask
    }

    /// Finds the command at `bytes[0]` if it begins as the last one.
    ///
    /// - Returns: False when it does not, or is not whole or not right: then `command` says nothing.
    @inlinable @inline(__always)
    package func scan(_ bytes: Bytes, _ count: Int, _ command: inout ScannedCommand) -> Bool {
        if count < byteCount { return false }
        if Self.word(bytes) & lowMask != low || Self.word(bytes + 8) & highMask != high { return false }
        command.argumentCount = argumentCount
        command.keyCount = 0
        return scanArguments(bytes, count, from: byteCount, argument: 1, &command) == .complete
    }

    @inlinable @inline(__always)
    static func word(_ bytes: Bytes) -> UInt64 { UnsafeRawPointer(bytes).loadUnaligned(as: UInt64.self) }
}
