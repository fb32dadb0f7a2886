import ProxyCore
import Testing

@Suite struct ReplyMergerTests {
    private func merge(_ parts: [String], _ merge: Gather.Merge) -> String {
        String(
            decoding: ReplyMerger.merge(parts.map { Array($0.utf8) }, merge, random: 1, usesRESP3: false), as: UTF8.self
        )
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
        #expect(merge(["*2\r\n:1\r\n:1\r\n", "*2\r\n:1\r\n:0\r\n"], .scripts(known: [])) == "*2\r\n:1\r\n:0\r\n")
        #expect(
            merge(["*3\r\n:1\r\n:1\r\n:0\r\n", "*3\r\n:1\r\n:0\r\n:0\r\n"], .scripts(known: [false, true, true]))
                == "*3\r\n:1\r\n:1\r\n:0\r\n")
        #expect(merge(["$1\r\na\r\n", "-ERR x\r\n", "$1\r\nb\r\n"], .report) == "$3\r\na\nb\r\n")
        #expect(merge(["-ERR x\r\n", "-ERR x\r\n"], .report) == "-ERR x\r\n")
        #expect(merge(["$-1\r\n", "$1\r\nk\r\n", ":0\r\n", ":1\r\n"], .randomKey) == "$1\r\nk\r\n")
        #expect(merge(["_\r\n", "$1\r\nk\r\n", ":0\r\n", ":0\r\n"], .randomKey) == "$1\r\nk\r\n")
        #expect(merge(["$-1\r\n", "$-1\r\n", ":0\r\n", ":0\r\n"], .randomKey) == "$-1\r\n")
        #expect(merge(["-NOTBUSY x\r\n", "+OK\r\n"], .anyOK) == "+OK\r\n")
        #expect(merge(["-NOTBUSY x\r\n", "-UNKILLABLE y\r\n"], .anyOK) == "-UNKILLABLE y\r\n")
        #expect(
            merge(["*2\r\n$1\r\na\r\n_\r\n", "*1\r\n_\r\n"], .elements(owners: [0, 1, 0]))
                == "*3\r\n$1\r\na\r\n_\r\n_\r\n")
    }

    /// Random keys are as frequent as their shards are large.
    @Test func randomKeysAreFair() {
        let parts = ["$1\r\na\r\n", "$1\r\nb\r\n", ":10\r\n", ":30\r\n"].map { Array($0.utf8) }
        var counts: [[UInt8]: Int] = [:]
        for random in 0..<40 as Range<UInt64> {
            counts[ReplyMerger.merge(parts, .randomKey, random: random, usesRESP3: false), default: 0] += 1
        }
        #expect(counts[parts[0]] == 10)
        #expect(counts[parts[1]] == 30)
    }

    @Test func setsAreJoined() {
        let parts = ["*3\r\n$1\r\na\r\n$1\r\nb\r\n$0\r\n\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"]
        #expect(merge(parts, .union) == "*4\r\n$1\r\na\r\n$1\r\nb\r\n$0\r\n\r\n$1\r\nc\r\n")
        #expect(merge(parts, .intersection) == "*1\r\n$1\r\nb\r\n")
        #expect(merge(parts, .difference) == "*2\r\n$1\r\na\r\n$0\r\n\r\n")
        #expect(merge(["*0\r\n", ":1\r\n"], .union).hasPrefix("-ERR a shard answered"))
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        #expect(merge([parts[0], wrong], .difference) == wrong)
    }

    @Test func slowCommandsComeNewestFirst() {
        func entry(_ number: Int, _ time: Int, _ words: String = "get") -> String {
            let words = words.split(separator: " ").map { "$\($0.utf8.count)\r\n\($0)\r\n" }
            return "*4\r\n:\(number)\r\n:\(time)\r\n:5\r\n*\(words.count)\r\n" + words.joined()
        }
        let parts = ["*2\r\n\(entry(7, 300))\(entry(6, 100))", "*1\r\n\(entry(1, 200))"]
        #expect(merge(parts, .slowlog(limit: 2)) == "*2\r\n\(entry(7, 300))\(entry(1, 200))")
        #expect(merge(parts, .slowlog(limit: -1)) == "*3\r\n\(entry(7, 300))\(entry(1, 200))\(entry(6, 100))")
        #expect(merge(parts, .slowlogLength(limit: 9)) == ":3\r\n")
        // What went to all shards is there once, behind what came after it at any of them; what is nobody's is not.
        let all = [
            "*3\r\n\(entry(9, 9, "FLUSHALL"))\(entry(8, 9, "set a"))\(entry(7, 9, "CONFIG GET x"))",
            "*3\r\n\(entry(5, 9, "get b"))\(entry(4, 9, "FLUSHALL"))\(entry(3, 9, "get c"))",
        ]
        #expect(
            merge(all, .slowlog(limit: -1))
                == "*4\r\n\(entry(5, 9, "get b"))\(entry(9, 9, "FLUSHALL"))\(entry(8, 9, "set a"))"
                + entry(3, 9, "get c")
        )
        #expect(merge(all, .slowlogLength(limit: 3)) == ":3\r\n")
    }

    @Test func histogramsAddUp() {
        func part(_ calls: Int, _ buckets: [Int]) -> String {
            "*2\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:\(calls)\r\n$14\r\nhistogram_usec\r\n*\(buckets.count)\r\n"
                + buckets.map { ":\($0)\r\n" }.joined()
        }
        let own = OwnLatencies().reply([])
        #expect(
            merge([part(3, [1, 2, 4, 3]), part(5, [2, 5])], .histogram(own: own)) == part(8, [1, 2, 2, 7, 4, 8]))
        #expect(merge([part(3, [1, 3]), "*0\r\n"], .histogram(own: own)) == part(3, [1, 3]))
        #expect(merge([":1\r\n", "*0\r\n"], .histogram(own: own)).hasPrefix("-ERR a shard answered"))
        // One call of the client's is one for every shard.
        func whole(_ calls: Int, _ bound: Int) -> String {
            part(calls, [bound, calls]).replacing("$3\r\nget", with: "$8\r\nflushall")
        }
        #expect(merge([whole(1, 4), whole(2, 8), whole(2, 2)], .histogram(own: own)) == whole(2, 8))
    }

    /// What the proxy answers itself has redis' buckets and is found by redis' rules.
    @Test func ownLatenciesAreAShardsAnswer() {
        var own = OwnLatencies()
        for nanoseconds in [0, 1031, 1032, 33_023, 5_000_000_000] { own.record("client|id", nanoseconds: nanoseconds) }
        own.record("client|list", nanoseconds: 900)
        func part(_ name: String, _ calls: Int, _ buckets: [Int]) -> String {
            "$\(name.utf8.count)\r\n\(name)\r\n*4\r\n$5\r\ncalls\r\n:\(calls)\r\n$14\r\nhistogram_usec\r\n"
                + "*\(buckets.count)\r\n" + buckets.map { ":\($0)\r\n" }.joined()
        }
        func shown(_ names: String...) -> String { String(decoding: own.reply(names), as: UTF8.self) }
        let identifier = part("client|id", 5, [1, 2, 2, 3, 33, 4, 1_082_130, 5])
        #expect(shown("Client|ID") == "*2\r\n" + identifier)
        #expect(shown() == "*4\r\n" + identifier + part("client|list", 1, [1, 1]))
        #expect(shown("get", "client") == shown() && shown("cli") == "*0\r\n")
        own.forgetAll()
        #expect(shown() == "*0\r\n")
    }

    /// Three shards of even slots, each with two pages.
    @Test func cursorsCoverEveryShardAndEnd() {
        var cursor: UInt64 = 0
        var visited: [Int] = []
        repeat {
            let (slot, mark, inner) = ScanPlace.parts(of: cursor)
            let shard = slot / 5462
            let isOurs = mark == ScanPlace.mark(shard: shard + 1)
            #expect(isOurs || cursor == 0)
            visited.append(shard)
            let following =
                shard == 2
                ? nil
                : ScanPlace.whole(
                    firstSlot: (shard + 1) * 5462, mark: ScanPlace.mark(shard: shard + 2), cursor: 0)
            let place = ScanPlace(
                firstSlot: shard * 5462, mark: ScanPlace.mark(shard: shard + 1), cursor: inner, following: following)
            let reply = merge(["*2\r\n$1\r\n\(inner == 0 ? "7" : "0")\r\n*0\r\n"], .scan(place))
            #expect(reply.hasSuffix("*0\r\n"))
            cursor = UInt64(reply.split(separator: "\r\n")[2]) ?? 99
        } while cursor != 0 && visited.count < 10
        #expect(visited == [0, 0, 1, 1, 2, 2])
    }

    @Test func theWorstLatencyCounts() {
        func event(_ name: String, _ numbers: Int...) -> String {
            "*4\r\n$\(name.utf8.count)\r\n\(name)\r\n" + numbers.map { ":\($0)\r\n" }.joined()
        }
        let one = "*2\r\n" + event("command", 100, 5, 90) + event("fork", 7, 7, 7)
        let other = "*1\r\n" + event("command", 200, 3, 8)
        #expect(
            merge([one, other], .latencyLatest) == "*2\r\n" + event("command", 200, 3, 90) + event("fork", 7, 7, 7))
        #expect(
            merge(
                ["*2\r\n*2\r\n:9\r\n:1\r\n*2\r\n:10\r\n:4\r\n", "*1\r\n*2\r\n:9\r\n:3\r\n"], .latencyHistory)
                == "*2\r\n*2\r\n:9\r\n:3\r\n*2\r\n:10\r\n:4\r\n")
        #expect(merge(["-NOTBUSY a\r\n", "+OK\r\n"], .anyOK) == "+OK\r\n")
        #expect(merge(["-NOTBUSY a\r\n", "-UNKILLABLE b\r\n"], .anyOK) == "-UNKILLABLE b\r\n")
        #expect(merge(["-NOTBUSY a\r\n", "-NOTBUSY b\r\n"], .anyOK) == "-NOTBUSY a\r\n")
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

    @Test(arguments: [
        ("0", 0), ("", 0), ("17", 17), ("+5", 5), ("-1", UInt64.max), ("18446744073709551615", UInt64.max),
        ("18446744073709551616", nil), ("abc", nil), (" 1", nil), ("1 ", nil), ("-", nil), ("0x10", nil),
    ])
    func cursorsAreReadAsRedisDoes(text: String, expected: UInt64?) {
        #expect(ScanPlace.parse(Array(text.utf8)) == expected)
    }

    @Test func infoIsOfTheWholeDatabase() {
        func part(_ keys: Int, _ memory: Int) -> String {
            let text =
                "# Server\r\nredis_version:7.0.15\r\ntcp_port:0\r\n\r\n# Memory\r\nused_memory:\(memory)\r\n"
                + "used_memory_human:x\r\n\r\n# Replication\r\nslave0:ip=10.0.0.2\r\n\r\n# Keyspace\r\n"
                + "tracking_total_prefixes:2\r\ntracking_total_keys:3\r\n"
                + "db0:keys=\(keys),expires=1,avg_ttl=\(keys)\r\n"
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
            "redis_version:7.0.15", "tracking_total_prefixes:2", "tracking_total_keys:6",
        ] { #expect(merged.contains("\r\n\(line)\r\n"), "\(line) in \(merged)") }
        #expect(!merged.contains("slave0"))
        #expect(merge([verbatim(part(10, 1024)), verbatim(part(20, 2048))], .info(facts)) == verbatim(merged))
    }
}
