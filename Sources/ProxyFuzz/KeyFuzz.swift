import ClusterModel
import KeyMatching
import Primitives
import ProxyCore
import RESP

enum KeyFuzz {
    static func tryOne(_ random: inout SeededRandom) -> String? {
        let info = random.isOne(in: 2) ? compiled(&random) : learnt(&random)
        guard let info else { return nil }
        var writer = ReplyWriter()
        var words = info.name.split(separator: "|").map { Array($0.utf8) }
        for _ in 0..<random.below(10) { words.append(argument(&random)) }
        writer.array(words.count)
        for word in words { writer.bulk(word) }
        let bytes = writer.bytes
        let slots = random.isOne(in: 3) ? Self.byRules : SlotFinder(Self.hasher)
        let wrong = withSlack(bytes) { start, count -> String? in
            var command = ScannedCommand()
            guard scanCommand(start, count, &command) == .complete else { return "not complete" }
            let arguments = ArgumentCursor.all(start, command)
            let keys = KeyExtractor.keyIndexes(arguments, info)
            if let stray = keys?.first(where: { $0 < 1 || $0 >= arguments.count }) { return "key at \(stray)" }
            let stray = KeyExtractor.strayPattern(arguments, slot: random.below(16384), slots)
            if stray != nil && arguments.count < 3 { return "a pattern out of nothing" }
            switch KeyExtractor.slot(start, command, info, slots) {
            case .none: return keys?.isEmpty == false ? "keys without a slot" : nil
            case .slot(let slot): return slot >= 0 && slot < 16384 && keys != nil ? nil : "slot \(slot)"
            case .crossSlot: return keys.map { $0.count > 1 } == true ? nil : "one key in two slots"
            case .refused: return slots.hasRules && keys?.isEmpty == false ? nil : "refused without rules or keys"
            case .malformed: return keys == nil ? nil : "malformed with keys"
            case .unknown: return info.handling == .keysByShard ? nil : "unknown without need"
            }
        }
        return wrong.map { "\($0) for \(info.name) \(info.keys): \(shown(bytes))" }
    }

    private static let hasher = SlotHasher()
    /// Fuzzing is one thread's. Some words match the first one, some the second one slowly, many none.
    nonisolated(unsafe) private static let byRules = SlotFinder(
        hasher, rules: try? KeyRuleSet(KeyRules(patterns: [#"(?<tag>\d+)[^{]*"#, #"(.*)*\{(?<tag>.*)\}.*"#])),
        scratch: KeyMatchScratch())
    private static let facts: [CommandInfo] = CommandTable.compiled().entries

    private static func compiled(_ random: inout SeededRandom) -> CommandInfo? { facts[random.below(facts.count)] }

    private static func argument(_ random: inout SeededRandom) -> [UInt8] {
        switch random.below(4) {
        case 0: Array(random.one(of: interestingNumbers).utf8)
        case 1:
            Array(random.one(of: ["STREAMS", "store", "STOREDIST", "LIMIT", "BY", "GET", "*", "{t}*", "w{*}"]).utf8)
        case 2: Array("\(random.below(6))".utf8)
        default: RequestFuzz.word(&random)
        }
    }

    /// What a shard may say of a command, right or wrong, spoilt now and then.
    private static func learnt(_ random: inout SeededRandom) -> CommandInfo? {
        var writer = ReplyWriter(usesRESP3: random.isOne(in: 2))
        writer.array(1)
        writer.array(10)
        writer.bulk(random.one(of: ["new", "get", "mod.cmd", "sort"]))
        for _ in 0..<1 { writer.raw(Array(":\(number(&random))\r\n".utf8)) }
        writer.set(2)
        writer.raw("+write\r\n+\(random.isOne(in: 2) ? "movablekeys" : "fast")\r\n".utf8)
        for _ in 0..<3 { writer.raw(Array(":\(number(&random))\r\n".utf8)) }
        writer.array(0)
        writer.array(0)
        let specifications = random.below(3)
        writer.array(specifications)
        for _ in 0..<specifications { specification(&writer, &random) }
        writer.array(0)
        let bytes = random.isOne(in: 2) ? mutated(writer.bytes, &random) : writer.bytes
        return ReplyValue(bytes).flatMap { CommandInfo.all(inReply: $0).first }
    }

    private static func specification(_ writer: inout ReplyWriter, _ random: inout SeededRandom) {
        func pair(_ name: String, _ value: String) {
            writer.bulk(name)
            writer.raw(":\(value)\r\n".utf8)
        }
        writer.map(pairs: 3)
        writer.bulk("flags")
        writer.set(1)
        writer.raw((random.isOne(in: 8) ? "+incomplete\r\n" : "+RW\r\n").utf8)
        writer.bulk("begin_search")
        writer.map(pairs: 2)
        writer.bulk("type")
        let byIndex = random.isOne(in: 2)
        writer.bulk(byIndex ? "index" : random.isOne(in: 6) ? "unknown" : "keyword")
        writer.bulk("spec")
        writer.map(pairs: byIndex ? 1 : 2)
        if byIndex {
            pair("index", number(&random))
        } else {
            writer.bulk("keyword")
            writer.bulk("STREAMS")
            pair("startfrom", number(&random))
        }
        writer.bulk("find_keys")
        writer.map(pairs: 2)
        writer.bulk("type")
        let isRange = random.isOne(in: 2)
        writer.bulk(isRange ? "range" : "keynum")
        writer.bulk("spec")
        writer.map(pairs: 3)
        for name in isRange ? ["lastkey", "keystep", "limit"] : ["keynumidx", "firstkey", "keystep"] {
            pair(name, number(&random))
        }
    }

    private static func number(_ random: inout SeededRandom) -> String {
        random.isOne(in: 4) ? random.one(of: interestingNumbers) : "\(random.below(7) - 2)"
    }
}
