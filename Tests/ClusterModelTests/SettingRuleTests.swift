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

    /// What a database may take is whoever runs the cluster's to say.
    @Test func theMemoryLimitIsNoSetting() {
        #expect(SettingRule.named("maxmemory") == nil)
        #expect(throws: SettingError.self) { try policy.changing(["maxmemory": "1"]) }
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
