package import KeyMatching
package import RESP

/// Why a key has no slot.
package enum KeyRefusal: Equatable {
    case unmatched, tooCostly

    package var text: String {
        switch self {
        case .unmatched: "ERR no key rule of this database (shard_key_regex) matches a key of this command"
        case .tooCostly: "ERR a key of this command takes more steps than key rules (shard_key_regex) may cost"
        }
    }
}

package enum KeySlot: Equatable {
    case slot(Int)
    case refused(KeyRefusal)
}

/// Finds the slots of keys: by Redis' hash tags, or by the rules of a database.
///
/// The request path asks a ``SlotHasher`` itself, and has no part in this: a database with rules lets nothing pass
/// there.
package struct SlotFinder {
    package let hasher: SlotHasher
    private let rules: KeyRuleSet?
    private let scratch: KeyMatchScratch?

    /// Hash tags.
    package init(_ hasher: SlotHasher) {
        self.hasher = hasher
        rules = nil
        scratch = nil
    }

    /// For the keys of one command.
    /// - Parameter scratch: The thread's.
    package init(_ hasher: SlotHasher, rules: KeyRuleSet?, scratch: KeyMatchScratch) {
        self.hasher = hasher
        self.rules = rules
        self.scratch = scratch
        scratch.beginCommand()
    }

    package var hasRules: Bool { rules != nil }

    /// Channels have hash tags whatever rules there are for keys.
    package func forKeys(of info: CommandInfo) -> SlotFinder { info.namesChannels ? SlotFinder(hasher) : self }

    package func slot(of key: Bytes, count: Int) -> KeySlot {
        guard let rules, let scratch else { return .slot(hasher.slot(of: key, count: count)) }
        switch rules.tag(of: key, count: count, scratch) {
        case .tag(let tag): return .slot(hasher.slot(ofTag: key + tag.lowerBound, count: tag.count))
        case .unmatched: return .refused(.unmatched)
        case .tooCostly: return .refused(.tooCostly)
        }
    }
}
