import ClusterModel
import FoundationEssentials
import Primitives
import Testing

struct SettingRuleTests {
    private let policy = DatabasePolicy(name: "orders", memoryLimit: .megabytes(100))

    private func changed(_ name: String, _ value: String) -> String? {
        (try? policy.changing([name: value]))?.settings.values.first?.value
    }

    private func objection(_ name: String, _ value: String) -> String? {
        do throws(SettingError) {
            _ = try policy.changing([name: value])
            return nil
        } catch {
            return error.text
        }
    }

    /// As redis-server 7.0 takes and prints them.
    @Test func valuesAreWhatRedisPrints() {
        #expect(
            changed("hash-max-ziplist-value", "1kb") == "1024" && changed("hash-max-listpack-value", "1k") == "1000")
        #expect(changed("stream-node-max-bytes", "0") == "0")
        #expect(changed("list-max-ziplist-size", "-2") == "-2")
        #expect(changed("latency-tracking", "NO") == "no")
        #expect(changed("notify-keyspace-events", "EKx") == "xKE")
        #expect(changed("notify-keyspace-events", "KEA") == "AKE" && changed("notify-keyspace-events", "mA") == "Am")
        #expect(changed("notify-keyspace-events", "") == "")
    }

    @Test func refusalsUseRedisWords() {
        #expect(objection("slowlog-max-len", "many") == "argument couldn't be parsed into an integer")
        #expect(objection("slowlog-max-len", "") == "argument couldn't be parsed into an integer")
        #expect(objection("active-expire-effort", "11") == "argument must be between 1 and 10 inclusive")
        #expect(objection("hll-sparse-max-bytes", "3x") == "argument must be a memory value")
        #expect(objection("hll-sparse-max-bytes", "9223372036854775807kb") == "argument must be a memory value")
        #expect(objection("activerehashing", "1") == "argument must be 'yes' or 'no'")
        #expect(
            objection("notify-keyspace-events", "q") == "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        #expect(objection("requirepass", "x") != nil)
    }

    @Test func evictionIsTheDatabasesOwnField() throws {
        let changed = try policy.changing(["maxmemory-policy": "allkeys-lru"])
        #expect(changed.eviction == .allKeysLRU && changed.settings == policy.settings)
        #expect(objection("maxmemory-policy", "random")?.hasPrefix("argument(s) must be one of") == true)
    }

    /// What a database may take is whoever runs the cluster's to say; less is the clients' own affair.
    @Test func theMemoryLimitCanBeLowered() throws {
        var three = DatabasePolicy(name: "orders", memoryLimit: .megabytes(600), shardCount: 3, isReplicated: true)
        #expect(three.memoryLimitOfPrimaries == .megabytes(300) && three.loweredMemoryLimitPerShard == nil)
        three = try three.changing(["maxmemory": "30mb"])
        #expect(three.settings.memoryLimit(within: .megabytes(300)) == .megabytes(30))
        #expect(three.loweredMemoryLimitPerShard == .megabytes(10))
        #expect(three.memoryLimitPerShard == .megabytes(100), "the place that it has is what it was")
        // Not even a byte for each would be no limit at all.
        #expect(try three.changing(["maxmemory": "1"]).loweredMemoryLimitPerShard == ByteCount(bytes: 1))
        #expect(throws: SettingError.self) { try three.changing(["maxmemory": "314572801"]) }
        #expect(objection("maxmemory", "101mb")?.hasSuffix("is 104857600 bytes") == true)
        // Who runs the cluster has the last word.
        three.memoryLimit = .megabytes(12)
        #expect(three.settings.memoryLimit(within: .megabytes(6)) == .megabytes(6))
        #expect(three.loweredMemoryLimitPerShard == nil)
    }

    @Test(arguments: ["0", "300mb", "314572800"]) func theMemoryLimitGoesBack(value: String) throws {
        let three = DatabasePolicy(name: "orders", memoryLimit: .megabytes(600), shardCount: 3, isReplicated: true)
        #expect(try three.changing(["maxmemory": "30mb"]).changing(["maxmemory": value]) == three)
    }

    @Test func anUnlimitedDatabaseTakesAnyLimit() throws {
        let free = DatabasePolicy(name: "orders", memoryLimit: .zero)
        let limited = try free.changing(["maxmemory": "1gb"])
        #expect(limited.loweredMemoryLimitPerShard == .gigabytes(1))
        #expect(try limited.changing(["maxmemory": "0"]) == free)
    }

    @Test func allOrNothing() {
        #expect(throws: SettingError.self) { try policy.changing(["timeout": "5", "slowlog-max-len": "x"]) }
    }

    /// Records of a release before settings lack the key.
    @Test func oldRecordsCanBeRead() throws {
        var object = try #require(
            String(data: JSONEncoder().encode(try policy.changing(["timeout": "5"])), encoding: .utf8))
        let written = try JSONDecoder().decode(DatabasePolicy.self, from: Data(object.utf8))
        #expect(written.settings.values == ["timeout": "5"])
        object = object.replacing(#""settings":{"timeout":"5"}"#, with: #""unknown":1"#)
        #expect(try JSONDecoder().decode(DatabasePolicy.self, from: Data(object.utf8)) == policy)
    }
}
