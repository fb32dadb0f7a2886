import Glibc
import Testing
import TestSupport

/// The whole point of the proxy: an endpoint can't be told from one redis-server, reply by reply, except by the rules
/// for slots. Thousands of random commands of every kind go to both.
///
/// A failure names its seed; `TARN_DIFFERENTIAL_SEED` runs it again, and `TARN_DIFFERENTIAL_COMMANDS` sets how many
/// commands each of the six combinations gets.
@Suite struct DifferentialTests {
    private static let library = """
        #!lua name=differential
        redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)
        redis.register_function('both', function(keys) return {keys[1], keys[2]} end)
        redis.register_function{
          function_name='take', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}
        """

    @Test(arguments: [1, 2, 6], [2, 3]) func everyCommandAsOnOneServer(shards: Int, version: Int) throws {
        let seed = Self.setting("TARN_DIFFERENTIAL_SEED") ?? 20_261_125
        let wanted = Int(Self.setting("TARN_DIFFERENTIAL_COMMANDS") ?? 5000)
        let fixture = try ProxyFixture(host: ownNetwork + ".\(shards * 10 + version)", shards: shards + 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards)))
        let plain = try RedisConnection(path: fixture.socket(shards))
        let endpoint = try fixture.connect(10001)
        for connection in [plain, endpoint] {
            #expect(try !connection.command(["HELLO", "\(version)"]).hasPrefix("-"))
            let loaded = try connection.command(["FUNCTION", "LOAD", Self.library])
            #expect(loaded == "$12\r\ndifferential\r\n")
        }
        var run = DifferentialRun(
            plain: plain, endpoint: endpoint,
            rivals: [try RedisConnection(path: fixture.socket(shards)), try fixture.connect(10001)],
            shardCount: shards, version: version, seed: seed &+ UInt64(shards * 10 + version),
            name: "seed \(seed), \(shards) shards, RESP\(version)")
        var nextCheck = wanted / 4
        while run.commandCount < wanted && run.failures.count < 10 {
            try run.runBatch()
            if run.commandCount >= nextCheck {
                try run.compareContents()
                try run.compareScans()
                nextCheck += wanted / 4
            }
        }
        for failure in run.failures { Issue.record("\(failure)") }
    }

    private static func setting(_ name: String) -> UInt64? {
        getenv(name).flatMap { UInt64(String(cString: $0)) }
    }
}
