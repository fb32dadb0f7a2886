import RESP

/// LATENCY HISTOGRAM of a database out of those of its shards: calls and buckets are cumulative counts, so they add up
/// once a bucket that a shard left out has the value of the one before. A call that went to every shard is one call:
/// what the shard with most of them has stands for all.
enum HistogramMerger {
    private struct Histogram {
        var calls = 0
        /// Upper bound of the bucket in microseconds, and calls up to it, in rising order.
        var buckets: [(bound: Int, calls: Int)] = []
    }

    /// - Returns: Nil when a part is something else.
    static func merge(_ parts: [[UInt8]], usesRESP3: Bool) -> [UInt8]? {
        var names: [[UInt8]] = []
        var merged: [[UInt8]: Histogram] = [:]
        for part in parts {
            guard let reply = ReplyValue(part), case .elements(let pairs) = reply, pairs.count % 2 == 0 else {
                return nil
            }
            for index in stride(from: 0, to: pairs.count, by: 2) {
                guard case .text(let name) = pairs[index], let histogram = read(pairs[index + 1]) else { return nil }
                if let before = merged[name] {
                    let larger = before.calls < histogram.calls ? histogram : before
                    merged[name] = isForAllShards(name) ? larger : sum(before, histogram)
                } else {
                    names.append(name)
                    merged[name] = histogram
                }
            }
        }
        var writer = ReplyWriter(usesRESP3: usesRESP3)
        writer.map(pairs: names.count)
        for name in names {
            let histogram = merged[name] ?? Histogram()
            writer.bulk(name)
            writer.map(pairs: 2)
            writer.bulk("calls")
            writer.integer(histogram.calls)
            writer.bulk("histogram_usec")
            writer.map(pairs: histogram.buckets.count)
            for bucket in histogram.buckets {
                writer.integer(bucket.bound)
                writer.integer(bucket.calls)
            }
        }
        return writer.bytes
    }

    private static func isForAllShards(_ name: [UInt8]) -> Bool {
        let name = String(decoding: name, as: UTF8.self)
        return name == "config|resetstat" || CommandHandling.special(name)?.isForAllShards == true
    }

    private static func read(_ reply: ReplyValue) -> Histogram? {
        guard let calls = reply["calls"]?.number, let buckets = reply["histogram_usec"]?.elements,
            buckets.count % 2 == 0
        else { return nil }
        var histogram = Histogram(calls: calls)
        for index in stride(from: 0, to: buckets.count, by: 2) {
            guard let bound = buckets[index].number, let calls = buckets[index + 1].number else { return nil }
            histogram.buckets.append((bound, calls))
        }
        return histogram
    }

    private static func sum(_ left: Histogram, _ right: Histogram) -> Histogram {
        func upTo(_ bound: Int, _ histogram: Histogram) -> Int {
            histogram.buckets.last { $0.bound <= bound }?.calls ?? 0
        }
        let bounds = Set(left.buckets.map(\.bound)).union(right.buckets.map(\.bound)).sorted()
        return Histogram(
            calls: left.calls &+ right.calls, buckets: bounds.map { ($0, upTo($0, left) &+ upTo($0, right)) })
    }
}
