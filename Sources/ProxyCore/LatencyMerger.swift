import RESP

/// LATENCY LATEST and HISTORY of a database out of its shards' answers: the worst that any of them saw.
enum LatencyMerger {
    /// Events with time of the last spike, its milliseconds, and the worst ever.
    static func latest(_ parts: [[UInt8]]) -> [UInt8] {
        var events: [(name: String, numbers: [Int])] = []
        for part in parts {
            ReplyMerger.read(part) { reader in
                for _ in 0..<max(0, reader.number() ?? 0) {
                    guard let count = reader.number(), count >= 1, let name = reader.bulk()?.text else { return }
                    let numbers = (1..<count).map { _ in reader.number() ?? 0 }
                    if let index = events.firstIndex(where: { $0.name == name }) {
                        events[index].numbers = newer(events[index].numbers, numbers)
                    } else {
                        events.append((name, numbers))
                    }
                }
            }
        }
        var writer = ReplyWriter()
        writer.array(events.count)
        for event in events {
            writer.array(1 + event.numbers.count)
            writer.bulk(event.name)
            for number in event.numbers { writer.integer(number) }
        }
        return writer.bytes
    }

    /// The later spike, with the worst of both.
    private static func newer(_ one: [Int], _ other: [Int]) -> [Int] {
        guard one.count == 3, other.count == 3 else { return one }
        let last = (other[0], other[1]) > (one[0], one[1]) ? other : one
        return [last[0], last[1], max(one[2], other[2])]
    }

    /// Samples of one event: time and milliseconds, oldest first, the worst of a second, the newest 160 as in redis.
    static func history(_ parts: [[UInt8]]) -> [UInt8] {
        var worst: [Int: Int] = [:]
        for part in parts {
            ReplyMerger.read(part) { reader in
                for _ in 0..<max(0, reader.number() ?? 0) {
                    guard reader.number() == 2, let time = reader.number(), let value = reader.number() else { return }
                    worst[time] = max(worst[time] ?? value, value)
                }
            }
        }
        let samples = worst.sorted { $0.key < $1.key }.suffix(160)
        var writer = ReplyWriter()
        writer.array(samples.count)
        for (time, value) in samples {
            writer.array(2)
            writer.integer(time)
            writer.integer(value)
        }
        return writer.bytes
    }
}
