package import RESP

/// What one session listens to, and at which shards.
///
/// Classic channels live on the first shard, whatever proxy a client uses, so that a message reaches every subscriber
/// once. Keyspace notifications are published by each shard for itself, so what may match them is listened for at
/// all. Channels of sharded publish/subscribe live on the shard of their slot.
package struct Subscriptions {
    package enum Kind: CaseIterable {
        case channel, pattern, shardChannel

        /// - Parameter command: In lower case; nil for what neither subscribes nor unsubscribes.
        package init?(command: String) {
            switch command {
            case "subscribe", "unsubscribe": self = .channel
            case "psubscribe", "punsubscribe": self = .pattern
            case "ssubscribe", "sunsubscribe": self = .shardChannel
            default: return nil
            }
        }

        package var subscribe: String {
            switch self {
            case .channel: "subscribe"
            case .pattern: "psubscribe"
            case .shardChannel: "ssubscribe"
            }
        }

        package var unsubscribe: String {
            switch self {
            case .channel: "unsubscribe"
            case .pattern: "punsubscribe"
            case .shardChannel: "sunsubscribe"
            }
        }
    }

    /// Where a channel's messages come from.
    package enum Place: Equatable {
        case firstShard, everyShard
        case slot(Int)
    }

    private var channels: Set<[UInt8]> = []
    private var patterns: Set<[UInt8]> = []
    private var shardChannels: Set<[UInt8]> = []

    package init() {}

    package var isEmpty: Bool { channels.isEmpty && patterns.isEmpty && shardChannels.isEmpty }
    package var channelCount: Int { channels.count }
    package var patternCount: Int { patterns.count }
    package var shardChannelCount: Int { shardChannels.count }

    /// What confirmations of this kind count: channels and patterns together, sharded channels by themselves.
    package func count(_ kind: Kind) -> Int {
        kind == .shardChannel ? shardChannels.count : channels.count + patterns.count
    }

    package func names(_ kind: Kind) -> [[UInt8]] { Array(self[kind]) }

    /// - Returns: False when it was there.
    @discardableResult
    package mutating func insert(_ name: [UInt8], _ kind: Kind) -> Bool { self[kind].insert(name).inserted }

    /// - Returns: False when it was not there.
    package mutating func remove(_ name: [UInt8], _ kind: Kind) -> Bool { self[kind].remove(name) != nil }

    private subscript(kind: Kind) -> Set<[UInt8]> {
        get {
            switch kind {
            case .channel: channels
            case .pattern: patterns
            case .shardChannel: shardChannels
            }
        }
        _modify {
            switch kind {
            case .channel: yield &channels
            case .pattern: yield &patterns
            case .shardChannel: yield &shardChannels
            }
        }
    }

    // MARK: Places

    private static let keyEvents = Array("__key".utf8)

    package static func place(_ name: [UInt8], _ kind: Kind, _ hasher: SlotHasher) -> Place {
        switch kind {
        case .channel: return name.starts(with: keyEvents) ? .everyShard : .firstShard
        case .pattern:
            let special: Set<UInt8> = [UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\")]
            let literal = name.prefix { !special.contains($0) }
            let mayMatch =
                literal.count < name.count && keyEvents.starts(with: literal) || literal.starts(with: keyEvents)
            return mayMatch ? .everyShard : .firstShard
        case .shardChannel:
            var padded = name + [UInt8](repeating: 0, count: scanSlackBytes)
            return padded.withUnsafeMutableBufferPointer { .slot(hasher.slot(of: $0.baseAddress!, count: name.count)) }
        }
    }
}
