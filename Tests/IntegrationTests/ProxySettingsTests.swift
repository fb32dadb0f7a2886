import ClusterModel
import ProxyControl
import TestSupport
import Testing

/// CONFIG of an endpoint. The test plays the manager.
@Suite struct ProxySettingsTests {
    private func sendsSet(_ client: RedisConnection, _ words: String...) throws {
        try client.send(RedisConnection.encode(["CONFIG", "SET"] + words))
    }

    @Test func aClientWaitsForItsManager() throws {
        let fixture = try ProxyFixture(host: "127.0.53.101", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        try sendsSet(client, "slowlog-max-len", "7", "Hash-Max-ZipList-Entries", "2", "timeout", "30")
        // What follows waits its turn.
        try client.send(RedisConnection.encode(["PING"]))
        let event = try fixture.next()
        guard case .changeSettings(let database, let request, let settings) = event else {
            throw Violation("got \(event)")
        }
        #expect(database == DatabaseID(1))
        #expect(settings == ["slowlog-max-len": "7", "hash-max-listpack-entries": "2", "timeout": "30"])
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
        routes.settings = settings
        _ = try fixture.tell(.update(routes))
        try fixture.send(.settingsChanged(request: request, error: nil))
        #expect(try client.reply() == Array("+OK\r\n".utf8))
        #expect(try client.reply() == Array("+PONG\r\n".utf8))
        #expect(try client.command(["CONFIG", "GET", "timeout"]) == "*2\r\n$7\r\ntimeout\r\n$2\r\n30\r\n")
    }

    @Test func aRefusalReachesTheClient() throws {
        let fixture = try ProxyFixture(host: "127.0.53.102", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        try sendsSet(client, "latency-tracking", "no")
        guard case .changeSettings(_, let request, _) = try fixture.next() else { throw Violation("no request") }
        try fixture.send(.settingsChanged(request: request, error: "no leader"))
        #expect(
            String(decoding: try client.reply(), as: UTF8.self)
                == "-ERR CONFIG SET failed (possibly related to argument 'latency-tracking') - no leader\r\n")
    }

    /// Each in the words of redis-server, and nothing of it reaches the manager.
    @Test func badValuesAreRefusedHere() throws {
        let fixture = try ProxyFixture(host: "127.0.53.103", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let endpoint = try fixture.connect(10001)
        let plain = try RedisConnection(path: fixture.socket(1))
        for words in [
            ["slowlog-max-len", "x"], ["timeout", "-1"], ["activerehashing", "maybe"], ["nonsense", "1"],
            ["slowlog-max-len", "1", "slowlog-max-len", "2"], ["hll-sparse-max-bytes", "1x"],
            ["notify-keyspace-events", "Q"], ["timeout"], ["timeout", "1", "activerehashing", "maybe"],
            ["maxmemory-policy", "none"], ["maxmemory", "much"], ["daemonize", "yes"], ["io-threads", "4"],
            ["Tcp-Backlog", "7"], ["maxmemory-clients", "200%"], ["maxmemory-clients", "some"],
            ["maxmemory", "1mb", "maxmemory-clients", "101%"], ["client-query-buffer-limit", "some"],
        ] {
            let expected = try plain.command(["CONFIG", "SET"] + words)
            #expect(expected.hasPrefix("-"))
            #expect(try endpoint.command(["CONFIG", "SET"] + words) == expected, "\(words)")
        }
        #expect(try endpoint.command(["CONFIG", "SET", "requirepass", "x"]).hasPrefix("-NOPERM "))
        #expect(try endpoint.command(["CONFIG", "SET", "dir", "/tmp"]).hasPrefix("-NOPERM "))
    }

    /// Clients restore what they found; that is no change.
    @Test func whatIsSoAlreadyMayBeSet() throws {
        let fixture = try ProxyFixture(host: "127.0.53.104", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["CONFIG", "SET", "save", "", "appendonly", "no", "databases", "16"]) == "+OK\r\n")
        #expect(try client.command(["CONFIG", "SET", "appendonly", "yes"]).hasPrefix("-NOPERM "))
        #expect(try client.command(["CONFIG", "REWRITE"]) == "+OK\r\n")
    }

    @Test func theMemoryLimitCanBeLoweredAndNotRaised() throws {
        let fixture = try ProxyFixture(host: "127.0.53.107", shards: 1)
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.memoryLimitBytes = 1 << 20
        _ = try fixture.tell(.update(routes))
        let client = try fixture.connect(10001)
        #expect(try client.command(["CONFIG", "GET", "maxmemory"]) == "*2\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n")
        #expect(
            try client.command(["CONFIG", "SET", "maxmemory", "1048577"])
                == "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - the memory limit of a database "
                + "is the cluster's, and this one's is 1048576 bytes\r\n")
        try sendsSet(client, "maxmemory", "1k", "databases", "16")
        guard case .changeSettings(_, let request, let settings) = try fixture.next() else {
            throw Violation("no request")
        }
        #expect(settings == ["maxmemory": "1000"])
        routes.epoch = Epoch(2)
        routes.settings = settings
        _ = try fixture.tell(.update(routes))
        try fixture.send(.settingsChanged(request: request, error: nil))
        #expect(try client.reply() == Array("+OK\r\n".utf8))
        #expect(try client.command(["CONFIG", "GET", "maxmemory"]) == "*2\r\n$9\r\nmaxmemory\r\n$4\r\n1000\r\n")
        #expect(try client.command(["INFO", "memory"]).contains("\r\nmaxmemory:1000\r\n"))
    }

    /// As redis-server tells of them.
    @Test func hiddenSettingsAreToldToWhoKnowsThem() throws {
        let fixture = try ProxyFixture(host: "127.0.53.109", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        #expect(
            try client.command(["CONFIG", "GET", "key-load-delay"]) == "*2\r\n$14\r\nkey-load-delay\r\n$1\r\n0\r\n")
        #expect(try !client.command(["CONFIG", "GET", "*"]).contains("key-load-delay"))
        #expect(try client.command(["CONFIG", "SET", "key-load-delay", "1"]).hasPrefix("-NOPERM "))
    }

    /// Of the endpoint, not of a shard behind it.
    @Test func whereItListensAndWhoseReplicaItIs() throws {
        let fixture = try ProxyFixture(host: "127.0.53.108", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        let shard = try RedisConnection(path: fixture.socket(0))
        #expect(try shard.command(["REPLICAOF", "127.0.62.254", "1"]) == "+OK\r\n")
        #expect(try client.command(["CONFIG", "GET", "bind"]) == "*2\r\n$4\r\nbind\r\n$12\r\n127.0.53.108\r\n")
        for name in ["replicaof", "slaveof"] {
            #expect(
                try client.command(["CONFIG", "GET", name]) == "*2\r\n$\(name.utf8.count)\r\n\(name)\r\n$0\r\n\r\n")
        }
    }

    @Test func withoutAManagerAnErrorSaysSo() throws {
        let fixture = try ProxyFixture(host: "127.0.53.105", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        fixture.hangUp()
        #expect(
            try client.command(["CONFIG", "SET", "timeout", "1"]).hasSuffix(
                "the node's manager can't be reached; nothing was changed\r\n"))
        #expect(try client.command(["CONFIG", "GET", "timeout"]) == "*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n")
    }

    @Test func aClientThatLeavesHarmsNobody() throws {
        let fixture = try ProxyFixture(host: "127.0.53.106", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        do {
            let client = try fixture.connect(10001)
            try sendsSet(client, "timeout", "1")
        }
        guard case .changeSettings(_, let request, _) = try fixture.next() else { throw Violation("no request") }
        try fixture.send(.settingsChanged(request: request, error: nil))
        try fixture.send(.settingsChanged(request: request, error: nil))
        #expect(try fixture.connect(10001).command(["PING"]) == "+PONG\r\n")
    }
}
