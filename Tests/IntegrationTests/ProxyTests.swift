import ClusterModel
import Glibc
import Primitives
import ProxyControl
import Testing
import TestSupport

@Suite struct ProxyTests {
    /// The whole point: a sharded endpoint can't be told from one redis-server, reply by reply.
    @Test(arguments: [1, 2, 6], [2, 3]) func pipelinedMixEqualsOneServer(shards: Int, version: Int) throws {
        let fixture = try ProxyFixture(host: "127.0.41.\(shards * 10 + version)", shards: shards + 1)
        #expect(try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards))) == applied(1))
        let endpoint = try fixture.connect(10001)
        let plain = try RedisConnection(path: fixture.socket(shards))
        for connection in [plain, endpoint] {
            #expect(try connection.command(["HELLO", "\(version)"]).hasPrefix(version == 2 ? "*14\r\n" : "%7\r\n"))
        }
        let seed = UInt64(20_261_123)
        var random = SeededRandom(seed: seed)
        for batch in 0..<20 {
            let commands = (0..<500).map { mixed($0, &random) }
            let bytes = commands.flatMap(RedisConnection.encode)
            try plain.send(bytes)
            try endpoint.send(bytes)
            for (index, command) in commands.enumerated() {
                let expected = try plain.reply()
                let got = try endpoint.reply()
                guard expected == got else {
                    Issue.record("seed \(seed) batch \(batch) command \(index) \(command.map { $0.prefix(20) })")
                    return
                }
            }
        }
    }

    @Test func largeValuesAndADyingClient() throws {
        let fixture = try ProxyFixture(host: "127.0.41.110", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let client = try fixture.connect(10001)
        for size in [100 << 10, 1 << 20] {
            let value = String(repeating: "0123456789abcdef", count: size / 16)
            for key in 0..<10 {
                #expect(try client.command(["SET", "k\(key)", value, "EX", "1000"]) == "+OK\r\n")
                #expect(try client.command(["GET", "k\(key)"]) == "$\(size)\r\n\(value)\r\n")
            }
        }
        do {
            let dying = try fixture.connect(10001)
            try dying.send(
                Array("*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1000000\r\n".utf8) + [UInt8](repeating: 120, count: 300_000))
        }
        #expect(try client.command(["GET", "half"]) == "$-1\r\n")
        #expect(try client.command(["EXISTS", "k0", "k1", "k2", "k3"]) == ":4\r\n")
    }

    @Test func aKilledShardComesBack() throws {
        let fixture = try ProxyFixture(host: "127.0.41.111", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["SET", "foo", "1"]) == "+OK\r\n")  // Slot 12182: the second shard.
        fixture.shards[1].kill()
        try client.send(RedisConnection.encode(["SET", "foo", "2"]))
        try fixture.restartShard(1)
        let reply = String(decoding: try client.reply(), as: UTF8.self)
        #expect(reply == "+OK\r\n" || reply.hasPrefix("-ERR upstream connection lost, the write may"))
        #expect(try client.command(["SET", "foo", "3"]) == "+OK\r\n")
        #expect(try client.command(["GET", "foo"]) == "$1\r\n3\r\n")
    }

    @Test func databasesComeAndGoBesideOthers() throws {
        let fixture = try ProxyFixture(host: "127.0.41.112", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let steady = try fixture.connect(10001)
        for round in 1...20 {
            let port = UInt16(11000 + round)
            #expect(try fixture.tell(.update(fixture.routes(1 + round, port: port, shards: 1))) == applied(1 + round))
            let guest = try fixture.connect(port)
            #expect(try guest.command(["PING"]) == "+PONG\r\n")
            #expect(try steady.command(["INCR", "n"]) == ":\(round)\r\n")
            #expect(
                try fixture.tell(.remove(DatabaseID(1 + round), Epoch(2))) == .applied(DatabaseID(1 + round), Epoch(2)))
            #expect(throws: (any Error).self) { try guest.command(["PING"]) }
            #expect(throws: (any Error).self) { try fixture.connect(port) }
        }
        // Routes change under a session; older epochs and busy ports are refused and change nothing.
        _ = try fixture.tell(.update(fixture.routes(1, epoch: 5, port: 10001, shards: 1)))
        guard case .refused = try fixture.tell(.update(fixture.routes(1, epoch: 4, port: 10001, shards: 3))),
            case .refused = try fixture.tell(.update(fixture.routes(9, port: 10001, shards: 1)))
        else {
            Issue.record("an older epoch or a busy port was not refused")
            return
        }
        #expect(try steady.command(["PING"]) == "+PONG\r\n")
    }

    @Test func passwordTransactionsBlockingAndSubscriptions() throws {
        let fixture = try ProxyFixture(host: "127.0.41.113", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2, password: "secret")))
        let client = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        #expect(try client.command(["GET", "a"]) == "-NOAUTH Authentication required.\r\n")
        #expect(try client.command(["AUTH", "x"]).hasPrefix("-WRONGPASS"))
        #expect(try client.command(["AUTH", "default", "secret"]) == "+OK\r\n")
        #expect(try other.command(["HELLO", "2", "AUTH", "default", "secret"]).hasPrefix("*14\r\n"))
        for (words, expected) in [
            (["MULTI"], "+OK\r\n"), (["SET", "{t}a", "1"], "+QUEUED\r\n"), (["INCR", "{t}a"], "+QUEUED\r\n"),
            (["EXEC"], "*2\r\n+OK\r\n:2\r\n"), (["MULTI"], "+OK\r\n"),
            (["GET"], "-ERR wrong number of arguments for 'get' command\r\n"),
            (["EXEC"], "-EXECABORT Transaction discarded because of previous errors.\r\n"),
            (["RENAME", "a", "b"], "-CROSSSLOT Keys in request don't hash to the same slot\r\n"),
            (
                ["CONFIG", "SET", "dir", "/"],
                "-NOPERM this user has no permissions to run the 'config|set dir' command\r\n"
            ),
            (["NOSUCH", "x"], "-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n"),
            (["WATCH", "{t}a"], "+OK\r\n"),
        ] { #expect(try client.command(words) == expected, "\(words)") }
        #expect(try other.command(["SET", "{t}a", "5"]) == "+OK\r\n")
        for (words, expected) in [
            (["MULTI"], "+OK\r\n"), (["SET", "{t}a", "9"], "+QUEUED\r\n"), (["EXEC"], "*-1\r\n"),
            (["GET", "{t}a"], "$1\r\n5\r\n"),
        ] { #expect(try client.command(words) == expected, "\(words)") }
        try client.send(RedisConnection.encode(["BLPOP", "list", "10"]))
        #expect(try other.command(["RPUSH", "list", "z"]) == ":1\r\n")
        #expect(String(decoding: try client.reply(), as: UTF8.self) == "*2\r\n$4\r\nlist\r\n$1\r\nz\r\n")
        #expect(try client.command(["SUBSCRIBE", "ch"]) == "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n")
        #expect(try other.command(["PUBLISH", "ch", "hi"]) == ":1\r\n")
        #expect(
            String(decoding: try client.reply(), as: UTF8.self) == "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n")
        #expect(try client.command(["UNSUBSCRIBE"]) == "*3\r\n$11\r\nunsubscribe\r\n$2\r\nch\r\n:0\r\n")
        #expect(try client.command(["GET", "{t}a"]) == "$1\r\n5\r\n")
    }

    @Test func mutualTLSToAShardOfAnotherNode() throws {
        let fixture = try ProxyFixture(host: "127.0.41.114", shards: 0)
        let pki = fixture.directory.path + "/P/var/lib/tarn/pki"
        let script = """
            set -e; mkdir -p \(pki); cd \(pki)
            new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            openssl req -x509 $new -keyout ca.key -out ca.crt -days 2 -subj /CN=CA
            openssl req $new -keyout node.key -out node.csr -subj /CN=node1
            printf 'subjectAltName=IP:127.0.41.114' > san
            openssl x509 -req -in node.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out node.crt
            """
        #expect(try runProgram("/bin/sh", ["-c", script]).status == 0)
        try fixture.directory.write(
            """
            port 0
            tls-port 20001
            bind 127.0.41.114
            tls-cert-file \(pki)/node.crt
            tls-key-file \(pki)/node.key
            tls-ca-cert-file \(pki)/ca.crt
            tls-auth-clients yes
            save ""
            dir \(fixture.directory.path)
            user default off
            user proxy on >pw ~* &* +@all

            """, to: "tls.conf")
        let server = try TestProcess(
            "redis-server", [fixture.directory.path + "/tls.conf"], log: fixture.directory.path + "/tls.log")
        _ = try settled("the TLS port", { try? fixture.connect(20001) }, is: { $0 != nil })
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.shards[0].address = .remote(host: "127.0.41.114", port: 20001)
        routes.shardPassword = "pw"
        _ = try fixture.tell(.update(routes))
        let client = try fixture.connect(10001)
        let value = String(repeating: "x", count: 1 << 20)
        #expect(try client.command(["SET", "k", value]) == "+OK\r\n")
        #expect(try client.command(["GET", "k"]) == "$\(value.utf8.count)\r\n\(value)\r\n")
        server.kill()
    }

    private func applied(_ database: Int) -> ProxyEvent { .applied(DatabaseID(database), Epoch(1)) }

    private func mixed(_ number: Int, _ random: inout SeededRandom) -> [String] {
        func key() -> String { "k\(random.next() % 300)" }
        switch random.next() % 24 {
        case 0...5: return ["GET", key()]
        case 6...9: return ["SET", key(), String(repeating: "v", count: [3, 30, 3000][Int(random.next() % 3)])]
        case 10...12: return ["MGET"] + (0...random.next() % 10).map { _ in key() }
        case 13...14: return ["MSET"] + (0...random.next() % 6).flatMap { _ in [key(), "m\(number)"] }
        case 15: return ["DEL"] + (0...random.next() % 6).map { _ in key() }
        case 16: return ["EXISTS"] + (0...random.next() % 6).map { _ in key() }
        case 17: return ["APPEND", key(), String(repeating: "z", count: [1, 70_000][Int(random.next() % 2)])]
        case 18:
            return [["GET"], ["NOSUCH", "a"], ["MSET", "a", "b", "c"], ["DBSIZE"], ["PING"]][Int(random.next() % 5)]
        case 19: return ["HSET", "h\(random.next() % 9)", "f\(random.next() % 3)", "\(number)"]
        case 20: return ["HGETALL", "h\(random.next() % 12)"]
        case 21: return ["ZADD", "z\(random.next() % 9)", "\(number).5", "m\(random.next() % 3)"]
        case 22: return ["ZRANGE", "z\(random.next() % 12)", "0", "-1", "WITHSCORES"]
        default: return ["INCR", "n\(random.next() % 9)"]
        }
    }
}
