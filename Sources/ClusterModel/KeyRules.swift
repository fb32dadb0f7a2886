/// Which part of a key fixes its slot, on a sharded database: regular expressions that are tried on the whole key, in
/// order, until one matches. What its group `tag` holds is hashed.
///
/// Without patterns Redis' own rule holds: what lies between the first `{` and the first `}` behind it, if that is not
/// empty, else the whole key.
package struct KeyRules: Hashable, Codable, Sendable {
    package var patterns: [String]
    /// A key that no pattern matches is hashed whole. Otherwise commands with such a key are refused.
    package var hashesUnmatched: Bool

    package init(patterns: [String] = [], hashesUnmatched: Bool = false) {
        // Two ways to say the same; the one that costs nothing is kept.
        self.patterns = patterns == Self.standardPatterns ? [] : patterns
        self.hashesUnmatched = hashesUnmatched
    }

    package static let standard = KeyRules()

    package static let maximumCount = 32
    /// Unicode characters of one pattern.
    package static let maximumLength = 256

    /// How the reference system writes hash tags down. Taken literally, the first one would find `d` in `a{b}c{d}`;
    /// what clients of a Redis cluster compute is Redis' rule, so that is what it stands for.
    package static let standardPatterns = [#".*\{(?<tag>.*)\}.*"#, "(?<tag>.*)"]

    /// Redis' rule, which needs no regular expression.
    package var areHashTags: Bool { patterns.isEmpty }
}

extension KeyedDecodingContainer {
    /// Chosen by the synthesized decoding of ``DatabasePolicy``: records written before there were rules have none.
    func decode(_ type: KeyRules.Type, forKey key: Key) throws -> KeyRules {
        try decodeIfPresent(type, forKey: key) ?? .standard
    }
}
