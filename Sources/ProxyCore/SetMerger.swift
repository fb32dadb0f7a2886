import Glibc
import RESP

/// SUNION, SINTER and SDIFF over several shards, out of what each shard made of its own keys.
enum SetMerger {
    /// Above this in all parts together the loop would be held for too long.
    static let maximumBytes = 8 << 20

    private struct Member: Hashable {
        let span: ByteSpan

        static func == (left: Member, right: Member) -> Bool {
            left.span.count == right.span.count && memcmp(left.span.start, right.span.start, left.span.count) == 0
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(bytes: UnsafeRawBufferPointer(start: span.start, count: span.count))
        }
    }

    /// - Returns: Nil when a part is no set.
    static func merge(_ parts: [[UInt8]], _ merge: Gather.Merge, usesRESP3: Bool) -> [UInt8]? {
        if parts.reduce(0, { $0 + $1.count }) > maximumBytes {
            var writer = ReplyWriter()
            writer.error("ERR sets of several slots are larger than 8 MiB together; give them one hash tag")
            return writer.bytes
        }
        // One buffer, which the members point into.
        var joined: [UInt8] = []
        joined.reserveCapacity(parts.reduce(0) { $0 + $1.count })
        for part in parts { joined.append(contentsOf: part) }
        return joined.withUnsafeMutableBufferPointer { buffer -> [UInt8]? in
            guard let base = buffer.baseAddress else { return nil }
            var offset = 0
            var sets: [[Member]] = []
            for part in parts {
                guard let members = members(base + offset, part.count) else { return nil }
                sets.append(members)
                offset += part.count
            }
            return write(combine(sets, merge), usesRESP3)
        }
    }

    private static func members(_ bytes: Bytes, _ count: Int) -> [Member]? {
        var reader = ReplyReader(bytes, count)
        guard reader.type == UInt8(ascii: "*") || reader.type == UInt8(ascii: "~"), var left = reader.number() else {
            return nil
        }
        var members: [Member] = []
        while left > 0 {
            guard let member = reader.bulk() else { return nil }
            members.append(Member(span: member))
            left -= 1
        }
        return members
    }

    private static func combine(_ sets: [[Member]], _ merge: Gather.Merge) -> [Member] {
        var result = sets[0]
        switch merge {
        case .union:
            var known = Set(result)
            for member in sets.dropFirst().joined() where known.insert(member).inserted { result.append(member) }
        case .intersection:
            for set in sets.dropFirst() {
                let other = Set(set)
                result.removeAll { !other.contains($0) }
            }
        default:
            let others = Set(sets.dropFirst().joined())
            result.removeAll { others.contains($0) }
        }
        return result
    }

    private static func write(_ members: [Member], _ usesRESP3: Bool) -> [UInt8] {
        var writer = ReplyWriter(usesRESP3: usesRESP3)
        writer.set(members.count)
        for member in members { writer.bulk(member.span) }
        return writer.bytes
    }
}
