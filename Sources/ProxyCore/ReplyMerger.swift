import RESP

/// Makes one reply of several. Pure: replies in, reply out; parts that are not what they should be make an error.
package enum ReplyMerger {
    package static func merge(
        _ parts: [[UInt8]], _ merge: Gather.Merge, random: UInt64, usesRESP3: Bool
    ) -> [UInt8] {
        guard let first = parts.first else { return malformed }
        if case .anyOK = merge { return parts.first { !isError($0) } ?? decisive(parts) }
        if case .report = merge, let some = some(parts) { return report(some, usesRESP3) }
        if let error = parts.first(where: isError) { return error }
        switch merge {
        case .latencyLatest: return LatencyMerger.latest(parts)
        case .latencyHistory: return LatencyMerger.history(parts)
        case .elements(let owners): return elements(parts, owners)
        case .sum: return integer(parts.reduce(0) { $0 &+ number($1) })
        case .minimum: return integer(parts.map(number).min() ?? 0)
        case .configuration(let own): return ConfigurationView.merge(first, own)
        case .list: return list(parts)
        case .learn, .learnVersion, .report, .settings, .keys, .functions, .functionFlags, .scriptLoad, .transaction,
            .busy, .first,
            .anyOK:
            return first
        case .fixed(let reply): return reply
        case .namedCounts: return namedCounts(parts)
        case .randomKey: return randomKey(parts, random)
        case .info(let facts): return InfoMerger.merge(parts, facts)
        case .scan(let place): return scan(first, place)
        case .scripts(let known): return scripts(parts, known)
        case .union, .intersection, .difference: return SetMerger.merge(parts, merge, usesRESP3: usesRESP3) ?? malformed
        case .slowlog(let limit): return SlowLogMerger.entries(parts, limit) ?? malformed
        case .slowlogLength(let limit): return SlowLogMerger.count(parts, limit) ?? malformed
        case .functionStats: return functionStats(parts)
        case .histogram(let own):
            return HistogramMerger.merge(parts + [own], usesRESP3: usesRESP3) ?? malformed
        }
    }

    private static func isError(_ part: [UInt8]) -> Bool { part.first == UInt8(ascii: "-") }

    /// Of several errors the one that is about something: `UNKILLABLE` rather than `NOTBUSY`.
    private static func decisive(_ parts: [[UInt8]]) -> [UInt8] {
        parts.first { !$0.starts(with: "-NOTBUSY".utf8) } ?? parts[0]
    }

    private static func elements(_ parts: [[UInt8]], _ owners: [UInt16]) -> [UInt8] {
        // One buffer for all parts, so that an element is found by offset and copied once.
        let size = parts.reduce(0) { $0 + $1.count }
        var joined: [UInt8] = []
        joined.reserveCapacity(size)
        var positions: [Int] = []
        positions.reserveCapacity(parts.count)
        for part in parts {
            guard let head = head(part) else { return malformed }
            positions.append(joined.count + head.byteCount)
            joined.append(contentsOf: part)
        }
        var ends: [Int] = []
        ends.reserveCapacity(parts.count)
        for part in parts { ends.append((ends.last ?? 0) + part.count) }
        return joined.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return malformed }
            var writer = ReplyWriter()
            writer.reserve(size + 16)
            writer.array(owners.count)
            for owner in owners {
                guard Int(owner) < positions.count else { return malformed }
                let start = positions[Int(owner)]
                let length = replyLength(base + start, ends[Int(owner)] - start)
                guard length > 0 else { return malformed }
                writer.raw(base + start, length)
                positions[Int(owner)] = start + length
            }
            return writer.bytes
        }
    }

    /// What an array is made of; nil for anything else.
    static func elements(of part: [UInt8]) -> [[UInt8]]? {
        guard let head = head(part) else { return nil }
        return read(part) { reader in
            _ = reader.number()
            var elements: [[UInt8]] = []
            while elements.count < head.count, let element = reader.value() { elements.append(element.bytes) }
            return elements.count == head.count ? elements : nil
        }
    }

    private static func number(_ part: [UInt8]) -> Int { read(part) { $0.number() } ?? 0 }

    private static func integer(_ value: Int) -> [UInt8] {
        var writer = ReplyWriter()
        writer.integer(value)
        return writer.bytes
    }

    private static func list(_ parts: [[UInt8]]) -> [UInt8] {
        var total = 0
        var byteCounts: [Int] = []
        for part in parts {
            guard let head = head(part) else { return malformed }
            total += head.count
            byteCounts.append(head.byteCount)
        }
        var writer = ReplyWriter()
        writer.reserve(parts.reduce(16) { $0 + $1.count })
        writer.array(total)
        for (part, byteCount) in zip(parts, byteCounts) { writer.raw(part[byteCount...]) }
        return writer.bytes
    }

    /// Of an array: how many elements, and where the first one begins. A null is no array.
    private static func head(_ part: [UInt8]) -> (count: Int, byteCount: Int)? {
        read(part) { reader in
            guard reader.type == UInt8(ascii: "*"), let count = reader.number(), count >= 0, count <= part.count else {
                return nil
            }
            return (count, reader.index)
        }
    }

    /// First the keys, then the sizes: a shard of twice the keys is chosen twice as often. Sizes and keys are of
    /// slightly different moments, so a shard that had nothing then doesn't count.
    private static func randomKey(_ parts: [[UInt8]], _ random: UInt64) -> [UInt8] {
        let shards = parts.count / 2
        var candidates: [(key: [UInt8], size: UInt64)] = []
        for index in 0..<shards {
            let key = parts[index]
            if key.starts(with: "$-1".utf8) || key.first == UInt8(ascii: "_") { continue }
            candidates.append((key, UInt64(max(1, min(number(parts[shards + index]), 1 << 40)))))
        }
        let total = candidates.reduce(0) { $0 + $1.size }
        guard total > 0 else { return parts[0] }
        var left = random % total
        for candidate in candidates {
            if left < candidate.size { return candidate.key }
            left -= candidate.size
        }
        return parts[0]
    }

    private static func scan(_ part: [UInt8], _ place: ScanPlace) -> [UInt8] {
        var writer = ReplyWriter()
        let isWhole = read(part) { reader -> Bool in
            guard reader.number() == 2, let text = reader.bulk()?.text, let cursor = UInt64(text) else { return false }
            writer.array(2)
            writer.bulk(String(place.next(cursor)))
            guard let keys = reader.value(), reader.isAtEnd else { return false }
            writer.raw(keys.start, keys.count)
            return true
        }
        return isWhole ? writer.bytes : malformed
    }

    /// - Parameter known: Which of them the proxy can bring to a shard that lacks it.
    private static func scripts(_ parts: [[UInt8]], _ known: [Bool]) -> [UInt8] {
        let values = parts.map { ReplyValue($0)?.elements.map { $0.number ?? 0 } ?? [] }
        var writer = ReplyWriter()
        let count = values.map(\.count).min() ?? 0
        writer.array(count)
        for index in 0..<count {
            let isBrought = index < known.count && known[index]
            let has = { (shard: [Int]) in shard[index] != 0 }
            writer.integer(isBrought ? (values.contains(where: has) ? 1 : 0) : values.allSatisfy(has) ? 1 : 0)
        }
        return writer.bytes
    }

    /// Those that are no errors; nil when all are. A shard may have nothing to tell of an event that another one had.
    private static func some(_ parts: [[UInt8]]) -> [[UInt8]]? {
        let some = parts.filter { !isError($0) }
        return some.isEmpty ? nil : some
    }

    /// Text for people, one shard's below the other's.
    private static func report(_ parts: [[UInt8]], _ usesRESP3: Bool) -> [UInt8] {
        if parts.count == 1 { return parts[0] }
        var texts: [[UInt8]] = []
        for part in parts {
            guard let type = part.first, type == UInt8(ascii: "$") || type == UInt8(ascii: "="),
                let line = part.firstIndex(of: 10)
            else { return malformed }
            texts.append(Array(part[(line + 1)...].dropLast(2).dropFirst(type == UInt8(ascii: "=") ? 4 : 0)))
        }
        var writer = ReplyWriter(usesRESP3: usesRESP3)
        writer.verbatim(Array(texts.joined(separator: [10])))
        return writer.bytes
    }

    private static func namedCounts(_ parts: [[UInt8]]) -> [UInt8] {
        var names: [[UInt8]] = []
        var counts: [Int] = []
        for (index, part) in parts.enumerated() {
            let pairs = read(part) { reader -> [(name: [UInt8], count: Int)] in
                var pairs: [(name: [UInt8], count: Int)] = []
                _ = reader.number()
                while !reader.isAtEnd, let name = reader.bulk()?.bytes, let count = reader.number() {
                    pairs.append((name, count))
                }
                return pairs
            }
            if index == 0 {
                names = pairs.map(\.name)
                counts = pairs.map(\.count)
            }
            guard pairs.count == names.count else { return malformed }
            if index > 0 { counts = zip(counts, pairs).map { $0 &+ $1.count } }
        }
        var writer = ReplyWriter()
        writer.array(names.count * 2)
        for (name, count) in zip(names, counts) {
            writer.bulk(name)
            writer.integer(count)
        }
        return writer.bytes
    }

    /// A script may run on any shard; the one where it does speaks for all.
    private static func functionStats(_ parts: [[UInt8]]) -> [UInt8] {
        parts.first { part in
            guard let running = ReplyValue(part)?["running_script"] else { return false }
            return running != .null
        } ?? parts[0]
    }

    static func read<Value>(_ part: [UInt8], _ body: (inout ReplyReader) -> Value) -> Value {
        part.withUnsafeBufferPointer { buffer in
            // The reader only reads; it takes what the request path has, which is mutable.
            guard let base = buffer.baseAddress else {
                var none: UInt8 = 0
                return withUnsafeMutablePointer(to: &none) { pointer in
                    var reader = ReplyReader(pointer, 0)
                    return body(&reader)
                }
            }
            var reader = ReplyReader(UnsafeMutablePointer(mutating: base), buffer.count)
            return body(&reader)
        }
    }

    static var malformed: [UInt8] {
        Array("-ERR a shard answered in a way that the proxy can't merge\r\n".utf8)
    }
}
