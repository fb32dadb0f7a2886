package import RESP

/// Finds the keys of a command from its key specifications and its arguments.
package enum KeyExtractor {
    package enum Result: Equatable {
        case none
        /// All keys have this slot.
        case slot(Int)
        case crossSlot
        /// A key has no slot, by the rules of the database.
        case refused(KeyRefusal)
        /// The arguments contradict themselves; a shard knows the right words for it.
        case malformed
        /// The arguments don't tell; a shard does (`COMMAND GETKEYS`).
        case unknown
    }

    /// The one slot that all keys share, or what stands against it.
    package static func slot(
        _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo, _ slots: SlotFinder
    ) -> Result {
        if info.keys.isEmpty && info.handling != .sort { return .none }
        if info.handling == .keysByShard { return .unknown }
        let slots = slots.forKeys(of: info)
        if info.tier == 1 && command.argumentCount > 1 {
            return Result(slots.slot(of: bytes + command.keyOffset, count: command.keyCount))
        }
        let arguments = ArgumentCursor.all(bytes, command)
        guard let keys = keyIndexes(arguments, info) else { return .malformed }
        var slot = -1
        for index in keys {
            let key = arguments[index]
            switch slots.slot(of: key.start, count: key.count) {
            case .refused(let refusal): return .refused(refusal)
            case .slot(let found):
                if slot >= 0 && found != slot { return .crossSlot }
                slot = found
            }
        }
        return slot < 0 ? .none : .slot(slot)
    }

    /// Positions of the keys among the arguments; nil when the arguments contradict themselves and name none.
    ///
    /// What contradicts itself behind a key goes where that key is: the shard finds the right words, or finds it right
    /// (PFMERGE takes a destination alone, though its specification wants sources).
    package static func keyIndexes(_ arguments: [ByteSpan], _ info: CommandInfo) -> [Int]? {
        if info.handling == .sort { return sortKeys(arguments, stores: info.name != "sort_ro") }
        var keys: [Int] = []
        var isWhole = true
        for specification in info.keys {
            switch specification.keys(arguments) {
            case .none: break
            case .keys(let found): keys.append(contentsOf: found)
            case .invalid: isWhole = false
            }
        }
        return keys.isEmpty && !isWhole ? nil : keys
    }

    /// SORT: the list, and what follows STORE. The options before it take arguments of their own, so that a pattern
    /// that is called STORE is none.
    /// - Parameter stores: SORT_RO does not; a shard refuses the word.
    private static func sortKeys(_ arguments: [ByteSpan], stores: Bool) -> [Int]? {
        guard arguments.count > 1 else { return nil }
        var keys = [1]
        var index = 2
        while index < arguments.count {
            if stores, arguments[index].isWord("store"), index + 1 < arguments.count {
                keys = [1, index + 1]  // The last one counts.
                index += 1
            } else if arguments[index].isWord("limit") {
                index += 2
            } else if arguments[index].isWord("get") || arguments[index].isWord("by") {
                index += 1
            }
            index += 1
        }
        return keys
    }

    /// What of SORT's BY and GET patterns reaches keys that may have other slots than its list: the option's name.
    ///
    /// A pattern without a `*` names no key (`BY nosort`, `GET #`); one whose hash tag is in `slot` stays there. What
    /// rules would make of the keys nobody knows before the `*` is replaced.
    package static func strayPattern(_ arguments: [ByteSpan], slot: Int, _ slots: SlotFinder) -> StaticString? {
        var index = 2
        while index + 1 < arguments.count {
            let option = arguments[index]
            let pattern = arguments[index + 1]
            if option.isWord("limit") {
                index += 2
            } else if option.isWord("store") {
                index += 1
            } else if option.isWord("by") || option.isWord("get") {
                if pattern.contains(UInt8(ascii: "*"))
                    && (slots.hasRules || !isTagged(pattern, slot, slots.hasher))
                {
                    return option.isWord("by") ? "BY" : "GET"
                }
                index += 1
            }
            index += 1
        }
        return nil
    }

    /// The hash tag stays the same whatever replaces the `*`, unless that is in the tag or before it.
    private static func isTagged(_ pattern: ByteSpan, _ slot: Int, _ hasher: SlotHasher) -> Bool {
        var open = 0
        while open < pattern.count && pattern.start[open] != UInt8(ascii: "{") {
            if pattern.start[open] == UInt8(ascii: "*") { return false }
            open += 1
        }
        var close = open + 1
        while close < pattern.count && pattern.start[close] != UInt8(ascii: "}") {
            if pattern.start[close] == UInt8(ascii: "*") { return false }
            close += 1
        }
        guard close < pattern.count, close > open + 1 else { return false }
        return hasher.slot(of: pattern.start, count: pattern.count) == slot
    }
}

extension KeyExtractor.Result {
    package init(_ slot: KeySlot) {
        switch slot {
        case .slot(let slot): self = .slot(slot)
        case .refused(let refusal): self = .refused(refusal)
        }
    }
}
