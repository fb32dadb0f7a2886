package import RESP

/// Finds the keys of a command from its facts and its arguments.
package enum KeyExtractor {
    package enum Result: Equatable {
        case none
        /// All keys have this slot.
        case slot(Int)
        case crossSlot
        /// The arguments contradict themselves; a shard knows the right words for it.
        case malformed
    }

    /// The one slot that all keys share, or what stands against it.
    package static func slot(
        _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo, _ hasher: SlotHasher
    ) -> Result {
        guard let keys = keyIndexes(bytes, command, info) else { return .malformed }
        if keys.isEmpty { return .none }
        let arguments = ArgumentCursor.all(bytes, command)
        var slot = -1
        for index in keys {
            let key = arguments[index]
            let found = hasher.slot(of: key.start, count: key.count)
            if slot >= 0 && found != slot { return .crossSlot }
            slot = found
        }
        return .slot(slot)
    }

    /// Positions of the keys among the arguments; nil when the arguments contradict themselves.
    package static func keyIndexes(_ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo) -> [Int]? {
        let count = command.argumentCount
        switch info.handling {
        case .countedKeys: return counted(ArgumentCursor.all(bytes, command), info)
        case .streams: return streams(ArgumentCursor.all(bytes, command))
        case .storeOption: return storeOption(ArgumentCursor.all(bytes, command), info)
        default:
            guard info.firstKey > 0 else { return [] }
            let last = info.lastKey < 0 ? count + info.lastKey : info.lastKey
            guard info.firstKey < count, last < count, last >= info.firstKey else { return nil }
            return Array(stride(from: info.firstKey, through: last, by: info.keyStep))
        }
    }

    private static func counted(_ arguments: [ByteSpan], _ info: CommandInfo) -> [Int]? {
        let position = info.keyCountPosition
        guard position < arguments.count, let count = arguments[position].integer, count >= 0,
            count <= arguments.count - position - 1
        else { return nil }
        return (info.hasDestinationKey ? [1] : []) + (position + 1..<position + 1 + count)
    }

    private static func streams(_ arguments: [ByteSpan]) -> [Int]? {
        guard let word = arguments.firstIndex(where: { $0.isWord("streams") }) else { return nil }
        let rest = arguments.count - word - 1
        guard rest > 0, rest % 2 == 0 else { return nil }
        return Array(word + 1...word + rest / 2)
    }

    private static func storeOption(_ arguments: [ByteSpan], _ info: CommandInfo) -> [Int]? {
        guard arguments.count > 1 else { return nil }
        var keys = [1]
        for index in arguments.indices.dropFirst(2).dropLast()
        where arguments[index].isWord("store") || (info.name != "sort" && arguments[index].isWord("storedist")) {
            keys.append(index + 1)
        }
        return keys
    }
}
