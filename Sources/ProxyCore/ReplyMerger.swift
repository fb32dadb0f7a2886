import RESP

/// Makes one reply of several. Pure: replies in, reply out.
package enum ReplyMerger {
    package static func merge(_ parts: [[UInt8]], _ merge: Gather.Merge, random: UInt64) -> [UInt8] {
        if let error = parts.first(where: { $0.first == UInt8(ascii: "-") }) { return error }
        switch merge {
        case .elements(let owners): return elements(parts, owners)
        case .sum: return integer(parts.reduce(0) { $0 + number($1) })
        case .minimum: return integer(parts.map(number).min() ?? 0)
        case .configuration(let own): return ConfigurationView.merge(parts[0], own)
        case .list: return list(parts)
        case .allOK, .learn, .learnVersion, .settings, .first: return parts[0]
        case .fixed(let reply): return reply
        case .namedCounts: return namedCounts(parts)
        case .anyValue: return anyValue(parts, random)
        case .info(let facts): return InfoMerger.merge(parts, facts)
        case .scan(let shard, let shardCount): return scan(parts[0], shard, shardCount)
        case .every: return every(parts)
        case .slowlog: return list(parts)
        }
    }

    /// Cursor of the whole database: `cursor of the shard * shards + index of the shard`. 0 starts and ends.
    package static func splitCursor(_ cursor: UInt64, shardCount: Int) -> (shard: Int, cursor: UInt64) {
        (Int(cursor % UInt64(shardCount)), cursor / UInt64(shardCount))
    }

    private static func elements(_ parts: [[UInt8]], _ owners: [UInt16]) -> [UInt8] {
        // One buffer for all parts, so that an element is found by offset and copied once.
        var joined = parts.flatMap { $0 }
        let size = joined.count
        var positions: [Int] = []
        var offset = 0
        for part in parts {
            guard part.first == UInt8(ascii: "*"), let line = part.firstIndex(of: 10) else { return malformed }
            positions.append(offset + line + 1)
            offset += part.count
        }
        return joined.withUnsafeMutableBufferPointer { buffer in
            var writer = ReplyWriter()
            writer.array(owners.count)
            for owner in owners {
                let start = positions[Int(owner)]
                let length = start < size ? replyLength(buffer.baseAddress! + start, size - start) : 0
                guard length > 0 else { return malformed }
                writer.raw(buffer[start..<start + length])
                positions[Int(owner)] += length
            }
            return writer.bytes
        }
    }

    private static func number(_ part: [UInt8]) -> Int { read(part) { $0.number() } ?? 0 }

    private static func integer(_ value: Int) -> [UInt8] {
        var writer = ReplyWriter()
        writer.integer(value)
        return writer.bytes
    }

    private static func list(_ parts: [[UInt8]]) -> [UInt8] {
        var writer = ReplyWriter()
        writer.array(parts.reduce(0) { total, part in total + max(0, read(part) { $0.number() } ?? 0) })
        for part in parts {
            guard let line = part.firstIndex(of: 10) else { return malformed }
            writer.raw(part[(line + 1)...])
        }
        return writer.bytes
    }

    private static func anyValue(_ parts: [[UInt8]], _ random: UInt64) -> [UInt8] {
        let values = parts.filter { !$0.starts(with: "$-1".utf8) && $0.first != UInt8(ascii: "_") }
        return values.isEmpty ? parts[0] : values[Int(random % UInt64(values.count))]
    }

    private static func scan(_ part: [UInt8], _ shard: Int, _ shardCount: Int) -> [UInt8] {
        var writer = ReplyWriter()
        let isWhole = read(part) { reader -> Bool in
            guard reader.number() == 2, let text = reader.bulk()?.text, let cursor = UInt64(text) else { return false }
            let next: UInt64
            if cursor != 0 {
                next = cursor &* UInt64(shardCount) &+ UInt64(shard)
            } else {
                next = shard + 1 < shardCount ? UInt64(shard + 1) : 0
            }
            writer.array(2)
            writer.bulk(String(next))
            while !reader.isAtEnd, let value = reader.value() { writer.raw(value.bytes) }
            return true
        }
        return isWhole ? writer.bytes : malformed
    }

    private static func every(_ parts: [[UInt8]]) -> [UInt8] {
        var flags: [Int] = []
        for (index, part) in parts.enumerated() {
            let values = read(part) { reader -> [Int] in
                let count = reader.number() ?? 0
                return (0..<max(0, count)).map { _ in reader.number() ?? 0 }
            }
            flags = index == 0 ? values : zip(flags, values).map { $0 & $1 }
        }
        var writer = ReplyWriter()
        writer.array(flags.count)
        for flag in flags { writer.integer(flag) }
        return writer.bytes
    }

    private static func namedCounts(_ parts: [[UInt8]]) -> [UInt8] {
        var names: [[UInt8]] = []
        var counts: [Int] = []
        for (index, part) in parts.enumerated() {
            let pairs = read(part) { reader -> [(name: [UInt8], count: Int)] in
                let count = max(0, reader.number() ?? 0) / 2
                return (0..<count).map { _ in (reader.bulk()?.bytes ?? [], reader.number() ?? 0) }
            }
            if index == 0 { names = pairs.map(\.name) }
            counts = index == 0 ? pairs.map(\.count) : zip(counts, pairs).map { $0 + $1.count }
        }
        var writer = ReplyWriter()
        writer.array(names.count * 2)
        for (name, count) in zip(names, counts) {
            writer.bulk(name)
            writer.integer(count)
        }
        return writer.bytes
    }

    static func read<Value>(_ part: [UInt8], _ body: (inout ReplyReader) -> Value) -> Value {
        var copy = part
        return copy.withUnsafeMutableBufferPointer { buffer in
            var reader = ReplyReader(buffer.baseAddress!, buffer.count)
            return body(&reader)
        }
    }

    private static var malformed: [UInt8] {
        Array("-ERR a shard answered in a way that the proxy can't merge\r\n".utf8)
    }
}
