import RESP

/// CONFIG GET of a database, out of the answer of a shard: which settings clients may see, and which values are
/// the database's own rather than the shard's.
enum ConfigurationView {
    private static let visible: Set<String> = [
        "activedefrag", "active-expire-effort", "appendfsync", "appendonly", "busy-reply-threshold", "databases",
        "lua-time-limit", "maxclients", "maxmemory", "maxmemory-policy", "maxmemory-samples", "notify-keyspace-events",
        "port", "proto-max-bulk-len", "save", "timeout",
    ]
    private static let visiblePrefixes = [
        "hash-max-", "latency-", "lazyfree-", "lfu-", "list-max-", "set-max-", "slowlog-", "stream-node-", "zset-max-",
    ]

    static func merge(_ part: [UInt8], _ own: [String: String]) -> [UInt8] {
        let isMap = part.first == UInt8(ascii: "%")
        var writer = ReplyWriter(usesRESP3: isMap)
        let found = ReplyMerger.read(part) { reader -> [(String, String)] in
            var pairs: [(String, String)] = []
            _ = reader.number()
            while let name = reader.bulk()?.text, let value = reader.bulk()?.text { pairs.append((name, value)) }
            return pairs
        }
        let shown = found.filter { name, _ in
            visible.contains(name) || visiblePrefixes.contains { name.hasPrefix($0) }
        }
        writer.map(pairs: shown.count)
        for (name, value) in shown {
            writer.bulk(name)
            writer.bulk(own[name] ?? value)
        }
        return writer.bytes
    }
}
