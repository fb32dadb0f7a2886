import Primitives
import RESP

enum InlineFuzz {
    static func tryOne(_ random: inout SeededRandom) -> String? {
        let words = (0..<random.below(6)).map { _ in RequestFuzz.word(&random) }
        var line: [UInt8] = []
        for word in words { line += [UInt8](repeating: 32, count: 1 + random.below(2)) + quoted(word, &random) }
        let found = withSlack(line) { InlineCommand.words($0, $1) }
        if found != words { return "other words for \(shown(line))" }
        let spoilt = mutated(line, &random)
        let first = withSlack(spoilt) { InlineCommand.words($0, $1) }
        if first != withSlack(spoilt, slack: 34, { InlineCommand.words($0, $1) }) {
            return "the slack matters: \(shown(spoilt))"
        }
        if let first, first.reduce(0, { $0 + $1.count }) > spoilt.count {
            return "more than there is: \(shown(spoilt))"
        }
        return nil
    }

    private static func quoted(_ word: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        let isPlain = !word.isEmpty && word.allSatisfy { $0 > 32 && $0 < 127 && $0 != 34 && $0 != 39 && $0 != 92 }
        if isPlain && random.isOne(in: 2) { return word }
        var bytes: [UInt8] = [34]
        for byte in word {
            let isSafe = byte != 34 && byte != 92
            if isSafe && random.isOne(in: 2) {
                bytes.append(byte)
            } else {
                bytes +=
                    Array("\\x".utf8)
                    + [UInt8(ascii: "0"), UInt8(ascii: "0")].enumerated().map { index, _ in
                        let nibble = index == 0 ? byte >> 4 : byte & 15
                        return nibble < 10 ? 48 + nibble : 87 + nibble
                    }
            }
        }
        return bytes + [34]
    }
}
