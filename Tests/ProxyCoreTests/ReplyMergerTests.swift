import ProxyCore
import Testing

@Suite struct ReplyMergerTests {
    private func merge(_ parts: [String], _ merge: Gather.Merge) -> String {
        String(decoding: ReplyMerger.merge(parts.map { Array($0.utf8) }, merge, random: 1), as: UTF8.self)
    }

    @Test func elementsGoBackToTheirPlaces() {
        let parts = ["*2\r\n$1\r\na\r\n$-1\r\n", "*1\r\n$2\r\n\r\n\r\n"]
        #expect(merge(parts, .elements(owners: [0, 1, 0])) == "*3\r\n$1\r\na\r\n$2\r\n\r\n\r\n$-1\r\n")
        #expect(merge(["*1\r\n$1\r\na\r\n", "*0\r\n"], .elements(owners: [0, 1])).hasPrefix("-ERR"))
    }

    @Test func sumsListsAndErrors() {
        #expect(merge([":1\r\n", ":41\r\n"], .sum) == ":42\r\n")
        #expect(merge(["*1\r\n$1\r\na\r\n", "*0\r\n", "*2\r\n+b\r\n+c\r\n"], .list) == "*3\r\n$1\r\na\r\n+b\r\n+c\r\n")
        #expect(merge([":1\r\n", "-LOADING x\r\n"], .sum) == "-LOADING x\r\n")
        #expect(merge(["*2\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n:0\r\n"], .every) == "*2\r\n:1\r\n:0\r\n")
        #expect(merge(["$-1\r\n", "$1\r\nk\r\n"], .anyValue) == "$1\r\nk\r\n")
        #expect(merge(["_\r\n", "$1\r\nk\r\n"], .anyValue) == "$1\r\nk\r\n")
        #expect(
            merge(["*2\r\n$1\r\na\r\n_\r\n", "*1\r\n_\r\n"], .elements(owners: [0, 1, 0]))
                == "*3\r\n$1\r\na\r\n_\r\n_\r\n")
    }

    @Test func cursorsCoverEveryShardAndEnd() {
        var cursor: UInt64 = 0
        var visited: [Int] = []
        // Shards that answer 7, then 0.
        repeat {
            let place = ReplyMerger.splitCursor(cursor, shardCount: 3)
            visited.append(place.shard)
            let answer = place.cursor == 0 ? "7" : "0"
            let reply = merge(["*2\r\n$1\r\n\(answer)\r\n*0\r\n"], .scan(shard: place.shard, shardCount: 3))
            #expect(reply.hasSuffix("*0\r\n"))
            cursor = UInt64(reply.split(separator: "\r\n")[2]) ?? 99
        } while cursor != 0 && visited.count < 10
        #expect(visited == [0, 0, 1, 1, 2, 2])
    }

    /// Sums and means over shards; the percentiles are those of the slower one; a command of one shard only is there.
    @Test func statisticsOfCommandsAreMerged() {
        func part(_ lines: String...) -> String {
            let text = lines.joined(separator: "\r\n") + "\r\n"
            return "$\(text.utf8.count)\r\n\(text)\r\n"
        }
        let facts = InfoFacts(port: 1, connections: 0, memoryLimitBytes: 0, processIdentifier: 1)
        let merged = merge(
            [
                part(
                    "# Commandstats", "cmdstat_get:calls=3,usec=7,usec_per_call=2.33,rejected_calls=0,failed_calls=1",
                    "", "# Errorstats", "errorstat_ERR:count=1", "", "# Latencystats",
                    "latency_percentiles_usec_get:p50=1.003,p99=9.023"),
                part(
                    "# Commandstats", "cmdstat_config|get:calls=1,usec=4,usec_per_call=4.00",
                    "cmdstat_get:calls=1,usec=2,usec_per_call=2.00,rejected_calls=2,failed_calls=0", "",
                    "# Errorstats", "errorstat_ERR:count=2", "", "# Latencystats",
                    "latency_percentiles_usec_get:p50=2.007,p99=3.007"),
            ], .info(facts))
        #expect(
            merged.hasSuffix(
                [
                    "# Commandstats", "cmdstat_config|get:calls=1,usec=4,usec_per_call=4.00",
                    "cmdstat_get:calls=4,usec=9,usec_per_call=2.25,rejected_calls=2,failed_calls=1", "",
                    "# Errorstats", "errorstat_ERR:count=3", "", "# Latencystats",
                    "latency_percentiles_usec_get:p50=2.007,p99=9.023", "", "",
                ].joined(separator: "\r\n")))
    }

    @Test func infoIsOfTheWholeDatabase() {
        func part(_ keys: Int, _ memory: Int) -> String {
            let text =
                "# Server\r\nredis_version:7.0.15\r\ntcp_port:0\r\n\r\n# Memory\r\nused_memory:\(memory)\r\n"
                + "used_memory_human:x\r\n\r\n# Replication\r\nslave0:ip=10.0.0.2\r\n\r\n# Keyspace\r\ndb0:keys=\(keys),expires=1,avg_ttl=\(keys)\r\n"
            return "$\(text.utf8.count)\r\n\(text)\r\n"
        }
        func verbatim(_ bulk: String) -> String {
            let text = bulk.drop { $0 != "#" }.dropLast()
            return "=\(text.utf8.count + 4)\r\ntxt:\(text)\r\n"
        }
        let facts = InfoFacts(port: 12345, connections: 3, memoryLimitBytes: 1 << 20, processIdentifier: 7)
        let merged = merge([part(10, 1024), part(20, 2048)], .info(facts))
        for line in [
            "tcp_port:12345", "used_memory:3072", "used_memory_human:3.00K", "db0:keys=30,expires=2,avg_ttl=15",
            "redis_version:7.0.15",
        ] { #expect(merged.contains("\r\n\(line)\r\n"), "\(line) in \(merged)") }
        #expect(!merged.contains("slave0"))
        #expect(merge([verbatim(part(10, 1024)), verbatim(part(20, 2048))], .info(facts)) == verbatim(merged))
    }
}
