import RESP

/// The slow logs of all shards as one, newest first.
///
/// What proxies and managers ask for themselves is left out, and what a client asked of all shards is there once.
/// Times are whole seconds. Within one, a command of all shards tells more than a clock: what lies before it in one
/// shard's log comes before what lies behind it in another's.
/// ```
///   shard 1   GEOADD   FLUSHALL   SET        ┐
///   shard 2            FLUSHALL   GET  INCR  ┴─▶   GEOADD   FLUSHALL   SET   GET   INCR
/// ```
enum SlowLogMerger {
    private struct Entry {
        var time: Int
        var bytes: [UInt8]
        var command: [UInt8]
        var isForAllShards: Bool
    }

    /// - Parameter limit: Below 0 for all.
    static func entries(_ parts: [[UInt8]], _ limit: Int) -> [UInt8]? {
        guard let merged = merged(parts) else { return nil }
        var writer = ReplyWriter()
        let shown = limit < 0 ? merged[...] : merged.prefix(limit)
        writer.array(shown.count)
        for entry in shown { writer.raw(entry.bytes) }
        return writer.bytes
    }

    static func count(_ parts: [[UInt8]], _ limit: Int) -> [UInt8]? {
        guard let merged = merged(parts) else { return nil }
        var writer = ReplyWriter()
        writer.integer(min(limit, merged.count))
        return writer.bytes
    }

    private static func merged(_ parts: [[UInt8]]) -> [Entry]? {
        var logs: [ArraySlice<Entry>] = []
        for part in parts {
            guard let entries = ReplyMerger.elements(of: part) else { return nil }
            logs.append(entries.compactMap(entry)[...])
        }
        var merged: [Entry] = []
        while let next = newest(logs), let entry = logs[next].popFirst() {
            merged.append(entry)
            guard entry.isForAllShards else { continue }
            for index in logs.indices where index != next {
                if let other = logs[index].first, other.command == entry.command, entry.time &- other.time <= 1 {
                    logs[index].removeFirst()
                }
            }
        }
        return merged
    }

    private static func newest(_ logs: [ArraySlice<Entry>]) -> Int? {
        var newest: (index: Int, entry: Entry)?
        for index in logs.indices {
            guard let entry = logs[index].first else { continue }
            if newest.map({ isOlder($0.entry, entry) }) ?? true { newest = (index, entry) }
        }
        return newest?.index
    }

    private static func isOlder(_ left: Entry, _ right: Entry) -> Bool {
        left.time == right.time ? left.isForAllShards && !right.isForAllShards : left.time < right.time
    }

    /// Number, time in seconds, microseconds, the command's words, address and name of the client.
    /// - Returns: Nil for what is not a client's.
    private static func entry(_ bytes: [UInt8]) -> Entry? {
        ReplyMerger.read(bytes) { reader in
            guard reader.number() ?? 0 > 2, reader.number() != nil, let time = reader.number(), reader.number() != nil
            else { return nil }
            let command = reader.value()?.bytes ?? []
            let words = ReplyValue(command)?.elements.prefix(2).compactMap { $0.text?.lowercased() } ?? []
            guard let name = words.first else {
                return Entry(time: time, bytes: bytes, command: command, isForAllShards: false)
            }
            if MonitorLine.isOwn(name) { return nil }
            let handling = CommandHandling.special(words.joined(separator: "|")) ?? CommandHandling.special(name)
            return Entry(
                time: time, bytes: bytes, command: command, isForAllShards: handling?.isForAllShards ?? false)
        }
    }
}
