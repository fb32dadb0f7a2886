import Primitives
import ProxyCore
import RESP

enum MergeFuzz {
    static func tryOne(_ random: inout SeededRandom) -> String? {
        let isRESP3 = random.isOne(in: 2)
        let count = 1 + random.below(4)
        let merge = self.merge(&random, parts: count)
        var parts: [[UInt8]] = []
        let copies = if case .randomKey = merge { 2 } else { 1 }
        for index in 0..<count * copies {
            var part =
                random.isOne(in: 10) ? ReplyFuzz.reply(&random, depth: 0) : fitting(merge, index, isRESP3, &random)
            if random.isOne(in: 3) {
                // Parts are whole replies, whatever is in them: what ends a part was found before.
                let spoilt = mutated(part, &random)
                let length = withSlack(spoilt) { replyLength($0, $1) }
                if length > 0 { part = Array(spoilt[..<length]) }
            }
            parts.append(part)
        }
        let merged = ReplyMerger.merge(parts, merge, random: random.next(), usesRESP3: isRESP3)
        let length = withSlack(merged) { replyLength($0, $1) }
        if length == merged.count { return nil }
        return "\(merge) of \(parts.map(shown)): \(length) of \(merged.count) bytes are a reply: \(shown(merged))"
    }

    private static func merge(_ random: inout SeededRandom, parts: Int) -> Gather.Merge {
        switch random.below(20) {
        case 0: .elements(owners: (0..<random.below(9)).map { _ in UInt16(random.below(parts)) })
        case 1: .sum
        case 2: .minimum
        case 3: .list
        case 4: .first
        case 5: .anyOK
        case 6: .union
        case 7: .intersection
        case 8: .difference
        case 9: .randomKey
        case 10: .configuration(["maxmemory": "1"])
        case 11: .info(InfoFacts(port: 1, connections: 2, memoryLimitBytes: 3, processIdentifier: 4))
        case 12: .scan(ScanPlace(firstSlot: 0, mark: 129, cursor: 0, following: random.isOne(in: 2) ? nil : 77))
        case 13: .scripts(known: [random.isOne(in: 2), random.isOne(in: 2)])
        case 14: random.isOne(in: 2) ? .slowlog(limit: random.below(5) - 1) : .slowlogLength(limit: 3)
        case 15: .functionStats
        case 16: random.isOne(in: 2) ? .namedCounts : .report
        case 17: .latencyLatest
        case 18: .latencyHistory
        default: .histogram(own: Array("*0\r\n".utf8))
        }
    }

    /// What a shard really answers.
    private static func fitting(
        _ merge: Gather.Merge, _ index: Int, _ isRESP3: Bool, _ random: inout SeededRandom
    ) -> [UInt8] {
        var writer = ReplyWriter(usesRESP3: isRESP3)
        func number() -> Int { random.isOne(in: 9) ? random.one(of: [.max, .min, -1]) : random.below(9) }
        switch merge {
        case .elements(let owners): bulks(&writer, owners.count { Int($0) == index }, isSet: false, &random)
        case .sum, .minimum, .first, .anyOK, .learn, .learnVersion, .keys, .fixed, .functions, .scriptLoad,
            .transaction, .busy, .functionFlags:
            writer.integer(number())
        case .namedCounts:
            writer.array(4)
            for _ in 0..<2 {
                writer.bulk("c")
                writer.integer(number())
            }
        case .list: bulks(&writer, random.below(5), isSet: false, &random)
        case .union, .intersection, .difference: bulks(&writer, random.below(5), isSet: true, &random)
        case .randomKey:
            if random.isOne(in: 3) {
                writer.null()
            } else if random.isOne(in: 2) {
                writer.bulk("k")
            } else {
                writer.integer(number())
            }
        case .configuration, .settings:
            writer.map(pairs: 2)
            for word in ["maxmemory", "5", "save", ""] { writer.bulk(word) }
        case .info, .functionStats:
            writer.verbatim(
                "# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nused_memory:\(number())\r\n# Keyspace\r\n"
                    + "db0:keys=\(number()),expires=\(number()),avg_ttl=\(number())\r\n")
        case .scan:
            writer.array(2)
            writer.bulk(random.one(of: ["0", "5", "x", "18446744073709551615"]))
            bulks(&writer, random.below(4), isSet: false, &random)
        case .scripts:
            writer.array(2)
            for _ in 0..<2 { writer.integer(random.below(2)) }
        case .latencyLatest, .latencyHistory:
            let count = random.below(3)
            writer.array(count)
            for _ in 0..<count {
                let fields = merge.isLatest ? 4 : 2
                writer.array(fields)
                if merge.isLatest { writer.bulk(random.one(of: ["command", "fork"])) }
                for _ in 0..<(merge.isLatest ? 3 : 2) { writer.integer(number()) }
            }
        case .report: writer.verbatim(random.one(of: ["", "Dave", "\r\n"]))
        case .slowlog, .slowlogLength:
            let count = random.below(4)
            writer.array(count)
            for _ in 0..<count {
                writer.array(4)
                for _ in 0..<3 { writer.integer(number()) }
                writer.command(random.one(of: [["get", "a"], ["FLUSHALL"], ["config", "get", "x"], []]))
            }
        case .histogram:
            writer.map(pairs: 1)
            writer.bulk(random.one(of: ["get", "set"]))
            writer.map(pairs: 2)
            writer.bulk("calls")
            writer.integer(number())
            writer.bulk("histogram_usec")
            writer.map(pairs: 2)
            for _ in 0..<4 { writer.integer(number()) }
        }
        return writer.bytes
    }

    private static func bulks(_ writer: inout ReplyWriter, _ count: Int, isSet: Bool, _ random: inout SeededRandom) {
        if isSet { writer.set(count) } else { writer.array(count) }
        for _ in 0..<count { writer.bulk(random.one(of: ["a", "b", "c", "", "{t}x", "\r\n"])) }
    }
}

extension Gather.Merge {
    fileprivate var isLatest: Bool {
        if case .latencyLatest = self { true } else { false }
    }
}
