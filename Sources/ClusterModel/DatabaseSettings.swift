/// Settings of a database by redis' names, as its clients or an administrator changed them. What is not named has the
/// server's default.
///
/// A type of its own, so that records written before there were settings can still be read.
package struct DatabaseSettings: Hashable, Sendable {
    package var values: [String: String]

    package init(_ values: [String: String] = [:]) {
        self.values = values
    }

    /// Of those, what the shards are told; the rest is the proxies' own.
    package var forShards: [(name: String, value: String)] {
        values.sorted { $0.key < $1.key }.filter { SettingRule.named($0.key)?.place == .shard }
            .map { (name: $0.key, value: $0.value) }
    }
}

extension DatabaseSettings: Codable {
    package init(from decoder: any Decoder) throws {
        values = try decoder.singleValueContainer().decode([String: String].self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(values)
    }
}

extension KeyedDecodingContainer {
    /// Chosen by the synthesized decoding of ``DatabasePolicy``: a record without settings has none.
    func decode(_ type: DatabaseSettings.Type, forKey key: Key) throws -> DatabaseSettings {
        try decodeIfPresent(type, forKey: key) ?? DatabaseSettings()
    }
}

extension DatabasePolicy {
    /// With settings changed as ``SettingRule`` says, all of them or none.
    /// - Throws: For the first one that it doesn't accept, by name.
    package func changing(_ changes: [String: String]) throws(SettingError) -> DatabasePolicy {
        var changed = self
        for (name, value) in changes.sorted(by: { $0.key < $1.key }) {
            guard let rule = SettingRule.named(name) else {
                throw SettingError(name: name, text: "it can't be changed for a database")
            }
            let canonical = try rule.canonical(value)
            switch rule.place {
            case .shard, .proxy: changed.settings.values[rule.name] = canonical
            case .policy: changed.eviction = EvictionPolicy(rawValue: canonical) ?? eviction
            case .limit: try changed.settings.lowerMemoryLimit(to: canonical, within: memoryLimitOfPrimaries)
            }
        }
        return changed
    }
}
