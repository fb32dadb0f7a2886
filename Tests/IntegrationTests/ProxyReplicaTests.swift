import Glibc
import ProxyControl
import Testing
import TestSupport

@Suite struct ProxyReplicaTests {
    /// WAIT counts the replicas that have what this session wrote, over whatever connection the proxy wrote it.
    @Test func waitCountsReplicasThatHaveTheWrite() throws {
        let host = "127.0.41.140"
        let fixture = try ProxyFixture(host: host, shards: 0)
        let servers = ["primary", "replica"]
        let processes = try servers.enumerated().map { index, name in
            let path = try fixture.directory.makeDirectory(name)
            let role = index == 0 ? ["--maxmemory-policy", "allkeys-lru"] : ["--replicaof", host, "7000"]
            return try TestProcess(
                "redis-server",
                [
                    "--port", "\(7000 + index)", "--bind", host, "--unixsocket", "shard.sock", "--dir", path, "--save",
                    "",
                ]
                    + role, log: path + "/log")
        }
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.shards[0].address = .local(path: fixture.directory.path + "/primary/shard.sock")
        routes.memoryLimitBytes = 1 << 30
        _ = try settled("the primary", { try? fixture.connect(7000) }, is: { $0 != nil })
        _ = try fixture.tell(.update(routes))
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        _ = try settled(
            "the replica", within: 20, { try client.command(["WAIT", "1", "100"]) }, is: { $0 == ":1\r\n" })
        processes[1].signal(SIGSTOP)
        #expect(try client.command(["SET", "a", "1"]) == "+OK\r\n")
        #expect(try client.command(["WAIT", "1", "50"]) == ":0\r\n")
        try client.send([["SET", "a", "2"], ["WAIT", "1", "0"]].flatMap(RedisConnection.encode))
        #expect(String(decoding: try client.reply(), as: UTF8.self) == "+OK\r\n")
        #expect(try other.command(["GET", "a"]) == "$1\r\n2\r\n")  // Nobody waits with it.
        processes[1].signal(SIGCONT)
        #expect(String(decoding: try client.reply(), as: UTF8.self) == ":1\r\n")
        // Settings are the shard's, limits the database's.
        #expect(
            try client.command(["CONFIG", "GET", "maxmemory", "requirepass"])
                == "*2\r\n$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n")
        #expect(
            try client.command(["CONFIG", "GET", "maxmemory-policy"])
                == "*2\r\n$16\r\nmaxmemory-policy\r\n$11\r\nallkeys-lru\r\n")
        let info = try client.command(["INFO", "server"])
        let version = info.split(separator: "\r\n").first { $0.hasPrefix("redis_version:") }?.dropFirst(14) ?? "?"
        #expect(try other.command(["HELLO"]).contains("\r\nversion\r\n$\(version.count)\r\n\(version)\r\n"))
    }
}
