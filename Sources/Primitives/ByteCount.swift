/// A quantity of bytes.
///
/// In JSON and in the store it is a plain integer of bytes; people write and read `200mb`, `1.5gb`.
/// One kilobyte is 1024 bytes, as in Redis' `maxmemory` with a `kb` suffix.
package struct ByteCount: Hashable, Comparable, Sendable {
    package var bytes: Int64

    package init(bytes: Int64) {
        self.bytes = bytes
    }

    package static let zero = ByteCount(bytes: 0)

    package static func kilobytes(_ count: Int64) -> ByteCount { ByteCount(bytes: count << 10) }
    package static func megabytes(_ count: Int64) -> ByteCount { ByteCount(bytes: count << 20) }
    package static func gigabytes(_ count: Int64) -> ByteCount { ByteCount(bytes: count << 30) }

    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
    package static func + (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(bytes: left.bytes + right.bytes)
    }
    package static func - (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(bytes: left.bytes - right.bytes)
    }
}

extension ByteCount {
    /// Reads `1048576`, `200mb`, `1.5 GiB`, `64k`; case does not matter. Nil for anything else, negatives included.
    package init?(parsing text: String) {
        let lowered = text.lowercased().filter { $0 != " " }
        let digits = lowered.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits), number >= 0 else { return nil }
        let shift: Int64
        switch lowered.dropFirst(digits.count) {
        case "", "b": shift = 0
        case "k", "kb", "kib": shift = 10
        case "m", "mb", "mib": shift = 20
        case "g", "gb", "gib": shift = 30
        case "t", "tb", "tib": shift = 40
        default: return nil
        }
        let bytes = number * Double(Int64(1) << shift)
        guard bytes < Double(Int64.max) else { return nil }
        self.init(bytes: Int64(bytes))
    }
}

extension ByteCount: CustomStringConvertible {
    /// The largest unit that keeps at least one whole, one decimal where it says something: `200 MB`, `1.5 GB`.
    package var description: String {
        let units: [(name: String, shift: Int64)] = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)]
        for unit in units where bytes >= Int64(1) << unit.shift {
            let tenths = (bytes * 10) >> unit.shift
            return tenths % 10 == 0 ? "\(tenths / 10) \(unit.name)" : "\(tenths / 10).\(tenths % 10) \(unit.name)"
        }
        return "\(bytes) B"
    }
}

extension ByteCount: Codable {
    package init(from decoder: any Decoder) throws {
        bytes = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
