import Primitives
import RESP

enum ReplyFuzz {
    static func tryOne(_ random: inout SeededRandom) -> String? {
        let whole = reply(&random, depth: 0)
        if let wrong = checkWhole(whole, &random) { return "\(wrong) for \(shown(whole))" }
        let spoilt = mutated(whole, &random)
        return checkAny(spoilt, &random).map { "\($0) for \(shown(spoilt))" }
    }

    /// A right reply of either version.
    static func reply(_ random: inout SeededRandom, depth: Int) -> [UInt8] {
        let kind = random.below(depth > 4 ? 9 : 14)
        let count = random.isOne(in: 30) ? random.below(60) : random.below(4)
        func line(_ mark: String, _ text: String) -> [UInt8] { Array("\(mark)\(text)\r\n".utf8) }
        func nested(_ mark: String, _ children: Int) -> [UInt8] {
            (0..<children).reduce(line(mark, "\(count)")) { bytes, _ in bytes + reply(&random, depth: depth + 1) }
        }
        switch kind {
        case 0: return line("+", random.one(of: ["OK", "", "QUEUED"]))
        case 1: return line("-", random.one(of: ["ERR x", "WRONGTYPE y", ""]))
        case 2: return line(":", "\(Int(bitPattern: UInt(random.next())) >> random.below(63))")
        case 3: return line(random.one(of: ["$", "*"]), "-1")
        case 4: return line(random.one(of: ["_", "#", ",", "("]), random.one(of: ["", "t", "1.5", "123"]))
        case 5...8:
            let word = RequestFuzz.word(&random)
            return line(random.one(of: ["$", "$", "=", "!"]), "\(word.count)") + word + [13, 10]
        case 9, 10: return nested("*", count)
        case 11: return nested(random.one(of: ["~", ">"]), count)
        case 12: return nested("%", count * 2)
        default: return nested("|", count * 2) + reply(&random, depth: depth + 1)
        }
    }

    private static func checkWhole(_ bytes: [UInt8], _ random: inout SeededRandom) -> String? {
        let length = withSlack(bytes + Array(":1\r\n".utf8)) { replyLength($0, $1) }
        if length != bytes.count { return "length \(length) instead of \(bytes.count)" }
        for _ in 0..<6 {
            let cut = random.below(bytes.count)
            let shorter = withSlack(Array(bytes[..<cut]), slack: 13) { replyLength($0, $1) }
            if shorter != 0 { return "length \(shorter) at \(cut) bytes" }
        }
        return checkAny(bytes, &random)
    }

    /// Both ways agree, and neither goes beyond what is there.
    private static func checkAny(_ bytes: [UInt8], _ random: inout SeededRandom) -> String? {
        let length = withSlack(bytes) { replyLength($0, $1) }
        if length > bytes.count { return "length \(length) of \(bytes.count)" }
        if length != withSlack(bytes, slack: 10, { replyLength($0, $1) }) { return "the slack matters" }
        var progress = ReplyProgress()
        var taken = 0
        var end = 0
        while end < bytes.count {
            end = min(bytes.count, end + 1 + random.below(60))
            let step = withSlack(Array(bytes[taken..<end])) { progress.advance($0, $1) }
            if step.taken < 0 || step.taken > end - taken { return "took \(step.taken) of \(end - taken)" }
            taken += step.taken
            switch step.outcome {
            case .complete: return taken == length ? nil : "progress ends at \(taken), length \(length)"
            case .malformed: return length < 0 ? nil : "progress finds it malformed, length \(length)"
            case .needsMore: break
            }
        }
        return length == 0 ? nil : "progress wants more, length \(length)"
    }
}
