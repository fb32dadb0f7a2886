import ClusterModel
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
        let fixture = try ProxyFixture(host: ownNetwork + ".\(shards * 10 + version)", shards: shards + 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards)))
        try compare(fixture, plain: shards, shards: shards, version: version, commands: 5000)
    }

    /// - Parameter plain: Index of the server that is compared with.
    private func compare(
        _ fixture: ProxyFixture, plain index: Int, shards: Int, version: Int, commands: UInt64
    ) throws {
        let seed = Self.setting("TARN_DIFFERENTIAL_SEED") ?? 20_261_125
        let wanted = Int(Self.setting("TARN_DIFFERENTIAL_COMMANDS") ?? commands)
        let plain = try RedisConnection(path: fixture.socket(index))
        let endpoint = try fixture.connect(10001)
        for connection in [plain, endpoint] {
            #expect(try !connection.command(["HELLO", "\(version)"]).hasPrefix("-"))
            let loaded = try connection.command(["FUNCTION", "LOAD", Self.library])
            #expect(loaded == "$12\r\ndifferential\r\n")
        }
        var run = DifferentialRun(
            plain: plain, endpoint: endpoint,
            rivals: [try RedisConnection(path: fixture.socket(index)), try fixture.connect(10001)],
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

    /// Rules that say what hash tags say: the same outcome by another way.
    @Test(arguments: [2, 3]) func everyCommandAsOnOneServerByKeyRules(version: Int) throws {
        let fixture = try ProxyFixture(host: "127.0.63.\(40 + version)", shards: 3)
        var routes = fixture.routes(1, port: 10001, shards: 2)
        routes.keyRules = KeyRules(patterns: [#"[^{]*\{(?<tag>[^}]+)\}.*"#, "(?<tag>.*)"])
        _ = try fixture.tell(.update(routes))
        try compare(fixture, plain: 2, shards: 2, version: version, commands: 3000)
    }

    /// The same where writes wait for replicas: their replies come later and are the same.
    @Test(arguments: [2, 3]) func everyCommandAsOnOneServerBehindReplicas(version: Int) throws {
        let host = ownNetwork + ".\(170 + version)"
        let fixture = try ProxyFixture(host: host, shards: 1)
        let shards = try (0..<2).map { index in
            try ReplicatedShard(
                path: try fixture.directory.makeDirectory("r\(index)"), host: host, port: 7000 + UInt16(index) * 2)
        }
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, over: shards, .replica)))
        try compare(fixture, plain: 0, shards: 2, version: version, commands: 2000)
        #expect(try fixture.statistics(1).confirmedWrites > 500)
        #expect(try fixture.statistics(1).unconfirmedWrites == 0)
    }

    private static func setting(_ name: String) -> UInt64? {
        getenv(name).flatMap { UInt64(String(cString: $0)) }
    }
}
