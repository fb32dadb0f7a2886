/// A setting of a database that may be changed, and what it takes. ``SettingRule/all`` is the whole list: what is not
/// in it, a client can't change.
///
/// - Source: names, ranges and wording are those of redis-server 7.0; the list follows what the reference system lets
///   clients set, and what is harmless beyond it.
package struct SettingRule: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case integer(ClosedRange<Int64>)
        /// Bytes; takes units.
        case memory(ClosedRange<Int64>)
        /// Bytes, or a part of the memory limit: `5%`.
        case memoryOrPercent
        case flag
        /// Classes of keyspace notifications.
        case events
        case choice([String])
    }

    /// Who acts by it.
    package enum Place: Hashable, Sendable {
        case shard, proxy
        /// A field of the policy that shows under this name in redis.
        case policy
        /// Below the policy's own limit, which clients can't raise; every shard has its part of it.
        case limit
    }

    package let name: String
    /// The name that it had before redis 7.
    package let alias: String?
    package let kind: Kind
    package let place: Place

    private init(_ name: String, alias: String? = nil, _ kind: Kind, place: Place = .shard) {
        self.name = name
        self.alias = alias
        self.kind = kind
        self.place = place
    }

    /// What is told and not changed, where a value can be written in more than one way.
    package static let fixed: [String: SettingRule] = [
        "maxmemory-clients": SettingRule("maxmemory-clients", .memoryOrPercent),
        "maxclients": SettingRule("maxclients", .integer(0...Int64(UInt32.max))),
        "databases": SettingRule("databases", .integer(1...Int64(Int32.max))),
        "port": SettingRule("port", .integer(0...65535)),
    ]

    package static let all: [SettingRule] = encodings + memory + observation + limits

    /// When small values are kept in their compact form.
    private static let encodings = [
        SettingRule("hash-max-listpack-entries", alias: "hash-max-ziplist-entries", .integer(0...Int64.max)),
        SettingRule("hash-max-listpack-value", alias: "hash-max-ziplist-value", .memory(0...Int64.max)),
        SettingRule("hll-sparse-max-bytes", .memory(0...Int64.max)),
        SettingRule("list-compress-depth", .integer(0...Int64(Int32.max))),
        SettingRule(
            "list-max-listpack-size", alias: "list-max-ziplist-size", .integer(Int64(Int32.min)...Int64(Int32.max))),
        SettingRule("set-max-intset-entries", .integer(0...Int64.max)),
        SettingRule("stream-node-max-bytes", .memory(0...Int64.max)),
        SettingRule("stream-node-max-entries", .integer(0...Int64.max)),
        SettingRule("zset-max-listpack-entries", alias: "zset-max-ziplist-entries", .integer(0...Int64.max)),
        SettingRule("zset-max-listpack-value", alias: "zset-max-ziplist-value", .memory(0...Int64.max)),
    ]

    /// How memory is given back.
    private static let memory = [
        SettingRule("activerehashing", .flag),
        SettingRule("active-expire-effort", .integer(1...10)),
        SettingRule("lazyfree-lazy-eviction", .flag),
        SettingRule("lazyfree-lazy-expire", .flag),
        SettingRule("lazyfree-lazy-server-del", .flag),
        SettingRule("lazyfree-lazy-user-del", .flag),
        SettingRule("lazyfree-lazy-user-flush", .flag),
        SettingRule("lfu-decay-time", .integer(0...Int64(Int32.max))),
        SettingRule("lfu-log-factor", .integer(0...Int64(Int32.max))),
        SettingRule(DatabaseSettings.memoryLimitName, .memory(0...Int64.max), place: .limit),
        SettingRule("maxmemory-eviction-tenacity", .integer(0...100)),
        SettingRule(evictionName, .choice(evictionPolicies), place: .policy),
        SettingRule("maxmemory-samples", .integer(1...Int64(Int32.max))),
    ]

    /// What a database tells of itself.
    private static let observation = [
        SettingRule("latency-monitor-threshold", .integer(0...Int64.max)),
        SettingRule("latency-tracking", .flag),
        SettingRule("notify-keyspace-events", .events),
        SettingRule("slowlog-log-slower-than", .integer(-1...Int64.max)),
        SettingRule("slowlog-max-len", .integer(0...Int64.max)),
        SettingRule("tracking-table-max-keys", .integer(0...Int64.max)),
    ]

    private static let limits = [
        // A script that nobody can interrupt for longer than a minute is not one that a shared machine should run.
        SettingRule("busy-reply-threshold", alias: "lua-time-limit", .integer(0...60_000)),
        // Above it no proxy holds what a client sends, and redis takes no argument.
        SettingRule("client-query-buffer-limit", .memory((1 << 20)...(512 << 20)), place: .proxy),
        SettingRule("proto-max-bulk-len", .memory((1 << 20)...Int64.max)),
        SettingRule("tcp-keepalive", .integer(0...Int64(Int32.max)), place: .proxy),
        SettingRule("timeout", .integer(0...Int64(Int32.max)), place: .proxy),
    ]

    private static let evictionName = "maxmemory-policy"

    /// In redis' order, which shows in its error text.
    private static let evictionPolicies = [
        EvictionPolicy.volatileLRU, .volatileLFU, .volatileRandom, .volatileTTL, .allKeysLRU, .allKeysLFU,
        .allKeysRandom, .noEviction,
    ].map(\.rawValue)

    private static let byName: [String: SettingRule] = all.reduce(into: [:]) { table, rule in
        table[rule.name] = rule
        if let alias = rule.alias { table[alias] = rule }
    }

    /// - Parameter name: In lower case; old names count.
    package static func named(_ name: String) -> SettingRule? { byName[name] }
}

/// Why a setting can't have a value.
package struct SettingError: Error, Hashable, Sendable, CustomStringConvertible {
    package let name: String
    /// In redis' words.
    package let text: String

    package init(name: String, text: String) {
        self.name = name
        self.text = text
    }

    package var description: String { "\(name): \(text)" }
}

extension SettingRule {
    /// The value as redis prints it back.
    package func canonical(_ value: String) throws(SettingError) -> String {
        switch kind {
        case .integer(let range):
            guard let number = Int64(value), !value.hasPrefix("+") else {
                throw error("argument couldn't be parsed into an integer")
            }
            return try inside(range, number)
        case .memory(let range):
            guard let bytes = Self.bytes(value) else { throw error("argument must be a memory value") }
            return try inside(range, bytes)
        case .memoryOrPercent:
            if let bytes = Self.bytes(value) { return String(bytes) }
            guard value.hasSuffix("%"), let percent = Int64(value.dropLast()), percent >= 0 else {
                throw error("argument must be a memory or percent value")
            }
            guard percent <= 100 else { throw error("percentage argument must be less or equal to 100") }
            return "\(percent)%"
        case .flag:
            let word = value.lowercased()
            guard word == "yes" || word == "no" else { throw error("argument must be 'yes' or 'no'") }
            return word
        case .choice(let words):
            let word = value.lowercased()
            guard words.contains(word) else {
                throw error("argument(s) must be one of the following: \(words.joined(separator: ", "))")
            }
            return word
        case .events:
            guard let classes = Self.events(value) else {
                throw error("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
            }
            return classes
        }
    }

    private func inside(_ range: ClosedRange<Int64>, _ number: Int64) throws(SettingError) -> String {
        guard range.contains(number) else {
            throw error("argument must be between \(range.lowerBound) and \(range.upperBound) inclusive")
        }
        return String(number)
    }

    private func error(_ text: String) -> SettingError { SettingError(name: name, text: text) }

    /// `1k` is a thousand and `1kb` 1024, as everywhere in redis.
    private static func bytes(_ text: String) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let factors: [String: Int64] = [
            "": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1_000_000, "mb": 1 << 20, "g": 1_000_000_000, "gb": 1 << 30,
        ]
        guard let number = Int64(digits), let factor = factors[text.dropFirst(digits.count).lowercased()] else {
            return nil
        }
        let (product, isTooLarge) = number.multipliedReportingOverflow(by: factor)
        return isTooLarge ? nil : product
    }

    /// The order in which redis prints the classes; `A` stands for all but the last four.
    private static func events(_ text: String) -> String? {
        let usual = Array("g$lshzxetd")
        var chosen = Set(text)
        guard chosen.isSubset(of: Set(usual + Array("AKEmn"))) else { return nil }
        if chosen.contains("A") { chosen.formUnion(usual) }
        let hasAll = chosen.isSuperset(of: usual)
        let rest: [Character] = ["K", "E", "m"]
        return (hasAll ? "A" : String((usual + ["n"]).filter(chosen.contains))) + String(rest.filter(chosen.contains))
    }
}
