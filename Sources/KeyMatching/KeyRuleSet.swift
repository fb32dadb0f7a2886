import CPCRE2
package import ClusterModel

/// The compiled rules of one database. Immutable, shared by all loops; each brings a ``KeyMatchScratch`` of its own.
package final class KeyRuleSet: @unchecked Sendable {
    package let rules: KeyRules
    private let patterns: [KeyPattern]

    package enum Outcome: Equatable {
        /// What is to be hashed, as a part of the key; it may be empty.
        case tag(Range<Int>)
        /// No rule matches.
        case unmatched
        /// A rule took more steps, or more memory, than it may.
        case tooCostly
    }

    /// - Parameter isForUse: Otherwise it is only seen whether they compile.
    /// - Throws: Which rule can't be had, and why.
    package init(_ rules: KeyRules, isForUse: Bool = true) throws(KeyRuleError) {
        guard rules.patterns.count <= KeyRules.maximumCount else {
            throw KeyRuleError("there are \(rules.patterns.count) rules; at most \(KeyRules.maximumCount) are possible")
        }
        var patterns: [KeyPattern] = []
        for (index, text) in rules.patterns.enumerated() {
            do throws(KeyPattern.Refusal) {
                let length = text.unicodeScalars.count
                guard length <= KeyRules.maximumLength else {
                    throw KeyPattern.Refusal(
                        reason: "has \(length) characters; at most \(KeyRules.maximumLength) are possible")
                }
                patterns.append(try KeyPattern(text, isForUse: isForUse))
            } catch {
                for pattern in patterns { pattern.free() }
                throw KeyRuleError(rule: index + 1, text, error.reason)
            }
        }
        self.rules = rules
        self.patterns = patterns
    }

    deinit { for pattern in patterns { pattern.free() } }

    /// The tag of the first rule that matches the whole key. A rule whose group `tag` took no part does not match.
    package func tag(
        of key: UnsafePointer<UInt8>, count: Int, _ scratch: KeyMatchScratch
    ) -> Outcome {
        if scratch.isOutOfTime() { return .tooCostly }
        scratch.limitSteps(for: count)
        for pattern in patterns {
            // Groups that took no part are -1.
            let outcome = pcre2_match_8(pattern.code, key, count, 0, 0, scratch.data, scratch.context)
            if outcome > 0 {
                let start = scratch.offsets[2 &* pattern.tagGroup]
                let end = scratch.offsets[2 &* pattern.tagGroup &+ 1]
                if start >= 0 && end >= start && end <= count { return .tag(start..<end) }
            } else if outcome != PCRE2_ERROR_NOMATCH {
                return .tooCostly
            }
        }
        return rules.hashesUnmatched ? .tag(0..<count) : .unmatched
    }

    package var count: Int { patterns.count }
}
