/// A number that names one thing of one kind. Each kind is its own type, so a shard can't stand where a node is meant.
package protocol IntegerIdentifier: RawRepresentable, Hashable, Comparable, Codable, Sendable,
    CustomStringConvertible, CodingKeyRepresentable
where RawValue == Int {
    init(rawValue: Int)
}

extension IntegerIdentifier {
    package init(_ rawValue: Int) { self.init(rawValue: rawValue) }
    package var description: String { String(rawValue) }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    package init(from decoder: any Decoder) throws {
        self.init(rawValue: try decoder.singleValueContainer().decode(Int.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    package var codingKey: any CodingKey { IntegerKey(intValue: rawValue) }

    package init?(codingKey: some CodingKey) {
        guard let number = codingKey.intValue ?? Int(codingKey.stringValue) else { return nil }
        self.init(rawValue: number)
    }
}

private struct IntegerKey: CodingKey {
    let intValue: Int?
    var stringValue: String { String(intValue ?? 0) }
    init(intValue: Int) { self.intValue = intValue }
    init?(stringValue: String) {
        guard let number = Int(stringValue) else { return nil }
        intValue = number
    }
}

/// A machine of the cluster; counted from 1 and never used again.
package struct NodeID: IntegerIdentifier {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
}

/// A database; `uid` of a bdb in REST paths.
package struct DatabaseID: IntegerIdentifier {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// Numbers begin with 1.
    package static let none = DatabaseID(0)
}

/// A shard: one redis-server process. Unique in the cluster, never used again.
package struct ShardID: IntegerIdentifier {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
}

/// A person or program that may use the management API.
package struct UserID: IntegerIdentifier {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
}

/// Version of the cluster configuration. Every committed plan raises it by one; executors refuse an older one.
package struct Epoch: IntegerIdentifier {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    package static let zero = Epoch(0)
    package var next: Epoch { Epoch(rawValue + 1) }
}

/// A long operation, as a version 4 UUID in lower case.
package struct ActionID: Hashable, Codable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ text: String) { description = text }

    package init(from decoder: any Decoder) throws {
        description = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
