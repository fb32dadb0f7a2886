import RESP

/// How long commands took that no shard sees, for LATENCY HISTOGRAM: buckets and bounds are those of redis-server.
///
/// Of one database and one proxy, over all its loops. Few names, since only commands of the table get here.
package struct OwnLatencies: Sendable {
    /// Calls by bucket.
    private var calls: [String: [Int]] = [:]

    package init() {}

    /// Doubling, from a microsecond to more than a second.
    private static let bucketCount = 21

    /// The upper bound in nanoseconds, as redis' histograms of two significant digits round it: 1, 2, 4, 8, 16, 33, 66
    /// ... microseconds.
    private static func bound(_ bucket: Int) -> Int { 1024 << bucket | ((1 << (bucket + 3)) - 1) }

    /// - Parameter name: `command` or `command|subcommand`, in lower case.
    package mutating func record(_ name: String, nanoseconds: Int) {
        var bucket = 0
        while bucket < Self.bucketCount - 1 && nanoseconds > Self.bound(bucket) { bucket += 1 }
        calls[name, default: Array(repeating: 0, count: Self.bucketCount)][bucket] += 1
    }

    /// CONFIG RESETSTAT.
    package mutating func forgetAll() { calls = [:] }

    /// As a shard answers `LATENCY HISTOGRAM name …`: a command stands for its subcommands too, no name for everything.
    package func reply(_ names: [String]) -> [UInt8] {
        let wanted = names.map { $0.lowercased() }
        let shown = calls.filter { name, _ in
            wanted.isEmpty || wanted.contains { name == $0 || name.hasPrefix($0 + "|") }
        }
        var writer = ReplyWriter()
        writer.map(pairs: shown.count)
        for (name, counts) in shown.sorted(by: { $0.key < $1.key }) {
            writer.bulk(name)
            write(counts, &writer)
        }
        return writer.bytes
    }

    /// Cumulative; a bucket without calls of its own is not told.
    private func write(_ counts: [Int], _ writer: inout ReplyWriter) {
        let filled = counts.indices.filter { counts[$0] > 0 }
        writer.map(pairs: 2)
        writer.bulk("calls")
        writer.integer(counts.reduce(0, +))
        writer.bulk("histogram_usec")
        writer.map(pairs: filled.count)
        var sum = 0
        for bucket in filled {
            sum += counts[bucket]
            writer.integer(Self.bound(bucket) / 1000)
            writer.integer(sum)
        }
    }
}
