import ClusterModel
import KeyMatching
import Testing

struct KeyRuleSetTests {
    private func tag(_ patterns: [String], _ key: String, hashesUnmatched: Bool = false) throws -> String? {
        let bytes = Array(key.utf8)
        switch try outcome(patterns, bytes, hashesUnmatched: hashesUnmatched) {
        case .tag(let range): return String(decoding: bytes[range], as: UTF8.self)
        case .unmatched: return nil
        case .tooCostly: return "too costly"
        }
    }

    private func outcome(
        _ patterns: [String], _ key: [UInt8], hashesUnmatched: Bool = false
    ) throws -> KeyRuleSet.Outcome {
        let set = try KeyRuleSet(KeyRules(patterns: patterns, hashesUnmatched: hashesUnmatched))
        return (key + [0]).withUnsafeBufferPointer { set.tag(of: $0.baseAddress!, count: key.count, KeyMatchScratch()) }
    }

    private struct Case: Sendable, CustomStringConvertible {
        let patterns: [String]
        let key: String
        let tag: String?
        var description: String { "\(patterns), \(key)" }

        init(_ patterns: String..., key: String, tag: String?) {
            self.patterns = patterns
            self.key = key
            self.tag = tag
        }
    }

    private static let cases: [Case] = [
        Case(#"order-(?<tag>\d+)-.*"#, key: "order-17-42", tag: "17"),
        Case(#"order-(?<tag>\d+)-.*"#, key: "order-x-42", tag: nil),
        // The whole key: neither in front nor behind anything may be left.
        Case(#"(?<tag>\d+)"#, key: "17x", tag: nil),
        Case(#"(?<tag>\d+)"#, key: "x17", tag: nil),
        Case(#"(?<tag>\d+)"#, key: "17\n", tag: nil),
        // The first that matches, not the best.
        Case("a(?<tag>.*)", "(?<tag>.*)", key: "abc", tag: "bc"),
        Case("a(?<tag>.*)", "(?<tag>.*)", key: "xbc", tag: "xbc"),
        Case("(?<tag>.*)", "a(?<tag>.*)", key: "abc", tag: "abc"),
        // Tags may be empty, and keys. Any byte is one for a dot.
        Case("a(?<tag>.*)", key: "a", tag: ""),
        Case("(?<tag>.*)", key: "", tag: ""),
        Case("a(?<tag>.)b", key: "a\nb", tag: "\n"),
        // A group that takes no part is no tag.
        Case("(?:a(?<tag>.)|b.)", key: "ax", tag: "x"),
        Case("(?:a(?<tag>.)|b.)", key: "bx", tag: nil),
        Case("(?:a(?<tag>.)|b.)", "b(?<tag>.)", key: "bx", tag: "x"),
        // As it is written. Redis' rule would be "b".
        Case(#"x.*?\{(?<tag>.*)\}.*"#, key: "xa{b}c{d}", tag: "b}c{d"),
        Case(#".*\{(?<tag>.*)\}.*"#, key: "xa{b}c{d}", tag: "d"),
        Case("(?P<tag>a+).*", key: "aab", tag: "aa"),
        Case("(?i)A(?<tag>.)", key: "ab", tag: "b"),
    ]

    @Test(arguments: cases) private func tags(_ test: Case) throws {
        #expect(try tag(test.patterns, test.key) == test.tag)
    }

    @Test func whatMatchesNothingMayBeHashedWhole() throws {
        #expect(try tag(["a(?<tag>.*)"], "{b}c", hashesUnmatched: true) == "{b}c")
        #expect(try tag(["a(?<tag>.*)"], "abc", hashesUnmatched: true) == "bc")
    }

    /// No byte is anything but itself: neither zeros nor what isn't UTF-8.
    @Test func keysAreBytes() throws {
        let key: [UInt8] = [0x61, 0x00, 0xFF, 0xC3, 0x0A, 0x61]
        #expect(try outcome(["a(?<tag>.*)a"], key) == .tag(1..<5))
        #expect(try outcome([#"a(?<tag>\x00)\xFF.*"#], key) == .tag(1..<2))
    }

    private static let badRules: [(patterns: [String], words: String)] = [
        (["(?<tag>a"], "rule 1 ((?<tag>a) does not compile: missing closing parenthesis at offset 8"),
        (["(?<tag>.*)", "a.*"], "rule 2 (a.*) has no group (?<tag>...), which tells what is hashed"),
        (["(?<Tag>.*)"], "rule 1 ((?<Tag>.*)) has no group (?<tag>...), which tells what is hashed"),
        (["(?J)(?<tag>a)|(?<tag>b)"], "rule 1 ((?J)(?<tag>a)|(?<tag>b)) has more than one group (?<tag>...); it needs"),
        (["(*UTF)(?<tag>.*)"], "rule 1 ((*UTF)(?<tag>.*)) does not compile: using UTF is disabled"),
        (["(?<tag>(a|b|cd){999})"], "rule 1 ((?<tag>(a|b|cd){999})) compiles to"),
        ([""], "rule 1 () has no group"),
        (Array(repeating: "(?<tag>.*)", count: 33), "there are 33 rules; at most 32 are possible"),
    ]

    @Test(arguments: badRules)
    func badRulesAreNamed(patterns: [String], words: String) {
        let error = #expect(throws: KeyRuleError.self) { try KeyRules(patterns: patterns).check() }
        #expect(error?.description.hasPrefix(words) == true, "\(String(describing: error))")
    }

    @Test func lengthIsOfCharacters() throws {
        let longest = "(?<tag>.*)" + String(repeating: "ä", count: 246)
        try KeyRules(patterns: [longest]).check()
        let error = #expect(throws: KeyRuleError.self) { try KeyRules(patterns: [longest + "x"]).check() }
        #expect(error?.description.hasSuffix("… has 257 characters; at most 256 are possible") == false)
        #expect(error?.description.hasSuffix("has 257 characters; at most 256 are possible") == true)
    }

    @Test func theStandardRulesAreHashTags() {
        #expect(KeyRules(patterns: KeyRules.standardPatterns) == .standard)
        #expect(KeyRules(patterns: [#"(?<tag>.*)"#]).areHashTags == false)
    }

    /// Each needs exponentially or polynomially many steps for a key of many `a` that does not match.
    private static let badPatterns = [
        "(a+)+(?<tag>[xy])", "(a*)*(?<tag>[xy])", ".*.*.*.*(?<tag>[xy])", "(?:a|aa|aaa)+(?<tag>[xy])",
        #"(.*)(?<tag>.*)\1\1[yz]"#, "[ab]*[ac]*[ad]*[ae]*(?<tag>[xy])", "(?<tag>.*a.*a.*a.*a)[xy]",
        "(?=(.*.*.*[xy])|)(?<tag>a)[xy]", "(a?){50}(?<tag>a{50})", "(?<tag>(?:(?:a{0,9}){0,9}){0,9})[xy]",
        "(?<tag>(?R)?a)[xy]", "(.|a)*(?<tag>[xy])",
    ]

    /// The promise is milliseconds; the bound is what a busy machine in a debug build may add.
    @Test(arguments: badPatterns) func badPatternsAreGivenUp(pattern: String) throws {
        let set = try KeyRuleSet(KeyRules(patterns: [pattern]))
        let scratch = KeyMatchScratch()
        let key = [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)
        for count in [120, 1000, 10_000, 100_000, 1 << 20] {
            let took = ContinuousClock().measure {
                let outcome = key.withUnsafeBufferPointer { set.tag(of: $0.baseAddress!, count: count, scratch) }
                #expect(outcome == .tooCostly, "\(count) bytes")
            }
            #expect(took < .milliseconds(500), "\(count) bytes")
        }
    }

    /// Long keys are none the worse for harmless rules.
    @Test func longKeysMatchPlainRules() throws {
        let key = Array("order-17-".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 4 << 20)
        #expect(try outcome([#"order-(?<tag>\d+)-.*"#], key) == .tag(6..<8))
        #expect(try outcome([#"user-.*"# + "(?<tag>.)", #"order-(?<tag>[0-9]+)-.*"#], key) == .tag(6..<8))
    }

    /// Each key is cheap enough; a million of them in one command are not.
    @Test func theKeysOfOneCommandShareATime() throws {
        let set = try KeyRuleSet(KeyRules(patterns: ["(.|a)*(?<tag>[xy])|(?:a|b)*"], hashesUnmatched: true))
        let scratch = KeyMatchScratch()
        scratch.beginCommand()
        let key = [UInt8](repeating: UInt8(ascii: "a"), count: 8)
        let end = ContinuousClock.now + .seconds(20)
        var outcome = KeyRuleSet.Outcome.unmatched
        while outcome != .tooCostly && ContinuousClock.now < end {
            outcome = key.withUnsafeBufferPointer { set.tag(of: $0.baseAddress!, count: key.count, scratch) }
        }
        #expect(outcome == .tooCostly)
        scratch.beginCommand()
        outcome = key.withUnsafeBufferPointer { set.tag(of: $0.baseAddress!, count: key.count, scratch) }
        #expect(outcome == .tag(0..<8))
    }
}
