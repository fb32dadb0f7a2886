import ClusterModel
import KeyMatching
import ProxyCore
import RESP
import Testing

@Suite struct KeyExtractorTests {
    @Test(arguments: [
        (["EVAL", "return 1", "2", "a", "b", "x"], [3, 4]), (["FCALL", "f", "0", "x"], []),
        (["ZUNIONSTORE", "d", "2", "a", "b", "WEIGHTS", "1", "2"], [1, 3, 4]), (["ZUNION", "1", "a"], [2]),
        (["LMPOP", "2", "a", "b", "LEFT"], [2, 3]), (["BLMPOP", "0", "2", "a", "b", "LEFT"], [3, 4]),
        (["XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0"], [4, 5]),
        (["XREADGROUP", "GROUP", "streams2", "c", "STREAMS", "a", ">"], [5]),
        (["SORT", "a", "BY", "w_*", "STORE", "d"], [1, 5]), (["SORT_RO", "a", "STORE", "d"], [1]),
        (["GEORADIUS", "g", "1", "2", "3", "m", "STOREDIST", "d"], [1, 7]),
        (["BLPOP", "a", "b", "0"], [1, 2]), (["BITOP", "AND", "d", "a", "b"], [2, 3, 4]),
        (["MSETNX", "a", "1", "b", "2"], [1, 3]),
        (["SORT", "a", "GET", "STORE", "LIMIT", "0", "store", "STORE", "d"], [1, 8]),
        (["XREADGROUP", "GROUP", "streams", "c", "STREAMS", "a", ">"], [5]),
        (["PFMERGE", "d"], [1]), (["ZUNIONSTORE", "d", "9", "a"], [1]),
        (["GEORADIUSBYMEMBER", "g", "STORE", "1", "km", "STORE", "d"], [1, 6]), (["OBJECT", "ENCODING", "a"], [2]),
        (["MEMORY", "USAGE", "a", "SAMPLES", "0"], [2]), (["XGROUP", "CREATE", "a", "g", "$"], [2]),
        (["RENAME", "a", "b"], [1, 2]), (["GET", "a"], [1]), (["PING"], []),
    ])
    func keys(words: [String], expected: [Int]) {
        #expect(indexes(words) == expected)
    }

    @Test(arguments: [
        ["EVAL", "x", "9", "a"], ["EVAL", "x", "-1"], ["ZUNION", "a", "b"], ["ZUNION", "+1", "b"],
        ["EVAL", "x", "99999999999999999999", "a"], ["EVAL", "x", "9223372036854775807", "a"],
    ])
    func contradictions(words: [String]) {
        #expect(indexes(words) == nil)
    }

    private static let rules = [#"order-(?<tag>\d+)-.*"#]

    @Test(arguments: [
        ("GET order-7-a", "7"), ("SET order-7-{8} x", "7"), ("RENAME order-7-a order-7-b", "7"),
        ("EVAL x 2 order-7-a order-7-b y", "7"), ("XREAD STREAMS order-7-a order-7-b 0 0", "7"),
        ("SORT order-7-a STORE order-7-b", "7"), ("SPUBLISH {7}x y", "7"), ("SPUBLISH order-7-a y", "order-7-a"),
    ])
    func rulesTellTheSlot(line: String, tag: String) {
        var bytes = Array(tag.utf8)
        let slot = SlotHasher().slot(ofTag: &bytes, count: bytes.count)
        #expect(self.slot(line, Self.rules) == .slot(slot))
    }

    @Test func rulesRefuse() {
        #expect(slot("GET plain", Self.rules) == .refused(.unmatched))
        #expect(slot("RENAME order-7-a plain", Self.rules) == .refused(.unmatched))
        #expect(slot("RENAME order-7-a order-8-a", Self.rules) == .crossSlot)
        #expect(slot("RENAME order-8-a plain", Self.rules, hashesUnmatched: true) == .crossSlot)
        #expect(slot("GET \(String(repeating: "a", count: 500))", ["(a+)+(?<tag>[xy])"]) == .refused(.tooCostly))
        #expect(slot("PING", Self.rules) == .some(.none))
        #expect(slot("EVAL x 9 order-7-a", Self.rules) == .malformed)
    }

    /// Of a pattern with a `*` rules don't tell where its keys lie, wherever its hash tag is.
    @Test func patternsWithRulesAreStray() {
        var writer = ReplyWriter()
        writer.command(["SORT", "{t}a", "BY", "{t}w*", "GET", "#"])
        var bytes = writer.bytes + [UInt8](repeating: 0, count: scanSlackBytes)
        bytes.withUnsafeMutableBufferPointer { buffer in
            var command = ScannedCommand()
            _ = scanCommand(buffer.baseAddress!, buffer.count, &command)
            let arguments = ArgumentCursor.all(buffer.baseAddress!, command)
            let hasher = SlotHasher()
            let slot = hasher.slot(of: arguments[1].start, count: arguments[1].count)
            #expect(KeyExtractor.strayPattern(arguments, slot: slot, SlotFinder(hasher)) == nil)
            let finder = SlotFinder(
                hasher, rules: try? KeyRuleSet(KeyRules(patterns: [#".*\{(?<tag>[^}]*)\}.*"#])),
                scratch: KeyMatchScratch())
            #expect(KeyExtractor.strayPattern(arguments, slot: slot, finder) != nil)
        }
    }

    private func slot(
        _ line: String, _ patterns: [String], hashesUnmatched: Bool = false
    ) -> KeyExtractor.Result? {
        var writer = ReplyWriter()
        writer.command(line.split(separator: " ").map(String.init))
        var bytes = writer.bytes + [UInt8](repeating: 0, count: scanSlackBytes)
        let table = CommandTable.compiled()
        defer { table.deallocate() }
        return bytes.withUnsafeMutableBufferPointer { buffer in
            var command = ScannedCommand()
            let start = buffer.baseAddress!
            guard scanCommand(start, buffer.count, &command) == .complete,
                let info = table.find(start + command.nameOffset, count: command.nameCount),
                let rules = try? KeyRuleSet(KeyRules(patterns: patterns, hashesUnmatched: hashesUnmatched))
            else { return nil }
            let finder = SlotFinder(SlotHasher(), rules: rules, scratch: KeyMatchScratch())
            return KeyExtractor.slot(start, command, info.pointee, finder)
        }
    }

    private func indexes(_ words: [String]) -> [Int]? {
        var writer = ReplyWriter()
        writer.command(words)
        writer.raw([UInt8](repeating: 0, count: scanSlackBytes))
        var bytes = writer.bytes
        let table = CommandTable.compiled()
        defer { table.deallocate() }
        return bytes.withUnsafeMutableBufferPointer { buffer -> [Int]? in
            var command = ScannedCommand()
            guard scanCommand(buffer.baseAddress!, buffer.count, &command) == .complete,
                var info = table.find(buffer.baseAddress! + command.nameOffset, count: command.nameCount)
            else { return [-1] }
            if info.pointee.isContainer {
                var name = Array("\(words[0])|\(words[1])".utf8) + [UInt8](repeating: 0, count: scanSlackBytes)
                let count = name.count - scanSlackBytes
                guard let found = name.withUnsafeMutableBufferPointer({ table.find($0.baseAddress!, count: count) })
                else { return [-1] }
                info = found
            }
            return KeyExtractor.keyIndexes(ArgumentCursor.all(buffer.baseAddress!, command), info.pointee)
        }
    }
}
