/// How long a client went without a success on a shard.
enum Gaps {
    /// The longest for each client and shard, between `from` and `to`.
    ///
    /// A success that came before `from` begins the first stretch at `from`; one that had not come by `to` ends the
    /// last at `to`. So a client that never succeeded again shows the whole time.
    static func longest(in operations: [Operation], from: Int64, to: Int64) -> [Place: Int64] {
        var last: [Place: Int64] = [:]
        var longest: [Place: Int64] = [:]
        for operation in operations {
            let place = Place(client: operation.client, shard: operation.shard)
            if last[place] == nil {
                last[place] = from
                longest[place] = 0
            }
        }
        for operation in operations.filter(\.isSuccess).sorted(by: { $0.end < $1.end }) {
            let place = Place(client: operation.client, shard: operation.shard)
            guard operation.end > from, operation.end <= to, let before = last[place] else { continue }
            longest[place] = max(longest[place] ?? 0, operation.end - before)
            last[place] = operation.end
        }
        for (place, time) in last { longest[place] = max(longest[place] ?? 0, to - time) }
        return longest
    }

    struct Place: Hashable {
        var client: Int
        var shard: Int
    }
}

extension Collection where Element == Int64 {
    /// The value that `share` of all don't exceed; nil when there are none.
    func percentile(_ share: Double) -> Int64? {
        guard !isEmpty else { return nil }
        let sorted = sorted()
        let rank = (share * Double(sorted.count)).rounded(.up)
        return sorted[Swift.min(sorted.count - 1, Swift.max(0, Int(rank) - 1))]
    }
}
