import ClusterModel
import ProxyControl
import Testing
import TestSupport

/// What a session is told without asking: messages, keyspace events, commands, invalidations.
@Suite struct ProxySubscriptionTests {
    @Test(arguments: [2, 3]) func countsAndConfirmationsAreThoseOfOneServer(version: Int) throws {
        let fixture = try ProxyFixture(host: "127.0.41.\(148 + version)", shards: 4)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let plain = try RedisConnection(path: fixture.socket(3))
        let endpoint = try fixture.connect(10001)
        for client in [plain, endpoint] { _ = try client.command(["HELLO", "\(version)"]) }
        // Each answer as one server gives it, with as many parts as there are names.
        let story: [(words: [String], replies: Int)] = [
            (["SUBSCRIBE", "a", "b", "a"], 3), (["PSUBSCRIBE", "a*", "__key*"], 2), (["PING"], 1), (["PING", "x"], 1),
            (["SSUBSCRIBE", "s1", "s2", "s3"], 3), (["UNSUBSCRIBE", "gone", "a"], 2), (["SUNSUBSCRIBE", "s2"], 1),
            (["SUBSCRIBE", "__keyspace@0__:k"], 1), (["UNSUBSCRIBE", "b", "__keyspace@0__:k"], 2),
            (["PUNSUBSCRIBE", "a*"], 1), (["PUNSUBSCRIBE"], 1), (["SUNSUBSCRIBE", "s1", "s3"], 2),
            (["UNSUBSCRIBE"], 1), (["PUNSUBSCRIBE"], 1), (["SUNSUBSCRIBE"], 1), (["GET", "none"], 1),
        ]
        for (words, count) in story {
            for _ in 0..<1 {
                try plain.send(RedisConnection.encode(words))
                try endpoint.send(RedisConnection.encode(words))
            }
            for _ in 0..<count { #expect(try text(endpoint) == text(plain), "\(words)") }
        }
    }

    @Test func messagesReachEverySubscriberOnce() throws {
        let fixture = try ProxyFixture(host: "127.0.41.152", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let old = try fixture.connect(10001)
        let new = try fixture.connect(10001)
        let publisher = try fixture.connect(10001)
        _ = try new.command(["HELLO", "3"])
        for client in [old, new] {
            _ = try client.command(["SUBSCRIBE", "news"])
            _ = try client.command(["PSUBSCRIBE", "*"])
            _ = try client.command(["SSUBSCRIBE", "shard"])
        }
        #expect(try publisher.command(["PUBLISH", "news", "hi"]) == ":4\r\n")
        #expect(try publisher.command(["SPUBLISH", "shard", "yo"]) == ":2\r\n")
        for (client, mark) in [(old, "*"), (new, ">")] {
            #expect(try text(client) == "\(mark)3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n")
            #expect(try text(client) == "\(mark)4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$4\r\nnews\r\n$2\r\nhi\r\n")
            #expect(try text(client) == "\(mark)3\r\n$8\r\nsmessage\r\n$5\r\nshard\r\n$2\r\nyo\r\n")
        }
        #expect(try publisher.command(["PUBSUB", "NUMSUB", "news"]) == "*2\r\n$4\r\nnews\r\n:2\r\n")
        #expect(try publisher.command(["PUBSUB", "NUMPAT"]) == ":1\r\n")
        for channel in ["shard2", "shard3"] { _ = try old.command(["SSUBSCRIBE", channel]) }
        #expect(
            try publisher.command(["PUBSUB", "SHARDNUMSUB", "shard", "shard2", "none"])
                == "*6\r\n$5\r\nshard\r\n:2\r\n$6\r\nshard2\r\n:1\r\n$4\r\nnone\r\n:0\r\n")
        #expect(try publisher.command(["PUBSUB", "SHARDCHANNELS"]).hasPrefix("*3\r\n"))
        // Larger than any buffer on the way.
        let large = String(repeating: "0123456789", count: 300_000)
        #expect(try publisher.command(["PUBLISH", "news", large]) == ":4\r\n")
        for (client, mark) in [(old, "*"), (new, ">")] {
            #expect(try text(client) == "\(mark)3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3000000\r\n\(large)\r\n")
            _ = try text(client)
        }
        for client in [old, new] { _ = try client.command(["RESET"]) }
        #expect(try publisher.command(["PUBLISH", "news", "hi"]) == ":0\r\n")
        #expect(try old.command(["GET", "none"]) == "$-1\r\n")
    }

    @Test func keyspaceEventsComeFromEveryShard() throws {
        let fixture = try ProxyFixture(host: "127.0.41.153", shards: 3)
        for index in 0..<3 {
            let shard = try RedisConnection(path: fixture.socket(index))
            _ = try shard.command(["CONFIG", "SET", "notify-keyspace-events", "KEA"])
        }
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let client = try fixture.connect(10001)
        let writer = try fixture.connect(10001)
        _ = try client.command(["PSUBSCRIBE", "__keyevent@0__:*"])
        for key in 0..<20 {
            #expect(try writer.command(["SET", "k\(key)", "1"]) == "+OK\r\n")
            let event = "$16\r\n__keyevent@0__:*\r\n$18\r\n__keyevent@0__:set\r\n"
            #expect(try text(client) == "*4\r\n$8\r\npmessage\r\n\(event)$\("k\(key)".count)\r\nk\(key)\r\n")
        }
    }

    /// A subscriber, a monitor and a tracked client notice new routes and a killed shard by nothing but a gap.
    @Test func theySurviveNewRoutesAndALostShard() throws {
        let fixture = try ProxyFixture(host: "127.0.41.154", shards: 4)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let subscriber = try fixture.connect(10001)
        let monitor = try fixture.connect(10001)
        let tracked = try fixture.connect(10001)
        let writer = try fixture.connect(10001)
        _ = try subscriber.command(["SUBSCRIBE", "news"])
        _ = try subscriber.command(["SSUBSCRIBE", "foo"])
        #expect(try monitor.command(["MONITOR"]) == "+OK\r\n")
        _ = try tracked.command(["HELLO", "3"])
        #expect(try tracked.command(["CLIENT", "TRACKING", "on"]) == "+OK\r\n")
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 2)
        for index in 0..<2 {
            routes.shards[index].shard = ShardID(11 + index)
            routes.shards[index].address = .local(path: fixture.socket(2 + index))
        }
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(2)))
        #expect(try text(tracked) == Self.forgetAll)
        try expectMessages(subscriber, writer)
        #expect(try writer.command(["SET", "foo", "1"]) == "+OK\r\n")
        #expect(try settledLine(monitor, "\"SET\" \"foo\" \"1\""))
        fixture.shards[3].kill()
        try fixture.restartShard(3)
        #expect(try text(tracked) == Self.forgetAll)
        try expectMessages(subscriber, writer)
        var answer = try tracked.command(["GET", "foo"])
        while answer == Self.forgetAll { answer = try text(tracked) }  // A dying shard may accept once more.
        #expect(answer == "_\r\n")
        #expect(try writer.command(["SET", "foo", "3"]) == "+OK\r\n")
        #expect(try text(tracked) == ">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nfoo\r\n")
    }

    private static let forgetAll = ">2\r\n$10\r\ninvalidate\r\n_\r\n"

    /// Messages of both kinds arrive again, in the end.
    private func expectMessages(_ subscriber: RedisConnection, _ writer: RedisConnection) throws {
        for (command, channel, kind) in [("PUBLISH", "news", "message"), ("SPUBLISH", "foo", "smessage")] {
            _ = try settled("a subscriber of \(channel)", { try writer.command([command, channel, "x"]) }) {
                $0 == ":1\r\n"
            }
            let expected = "*3\r\n$\(kind.count)\r\n\(kind)\r\n$\(channel.count)\r\n\(channel)\r\n$1\r\nx\r\n"
            #expect(try text(subscriber) == expected)
        }
    }

    private func settledLine(_ monitor: RedisConnection, _ end: String) throws -> Bool {
        for _ in 0..<100 where try text(monitor).hasSuffix(end + "\r\n") { return true }
        return false
    }

    @Test func monitorShowsWhatAnyShardExecutesAndNothingElse() throws {
        let fixture = try ProxyFixture(host: "127.0.41.155", shards: 3)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 3)))
        let monitor = try fixture.connect(10001)
        let client = try fixture.connect(10001)
        #expect(try monitor.command(["MONITOR"]) == "+OK\r\n")
        for words in [
            ["INFO"], ["PING"], ["SET", "a", "1"], ["CLIENT", "ID"],
            ["EVAL", "redis.call('SET', KEYS[1], 'x')", "1", "b"],
        ] {
            _ = try client.command(words)
        }
        // The proxy's own line may come before or behind those of the shards.
        let all = try (0..<4).map { _ in try text(monitor) }
        let lines = all.filter { !$0.hasSuffix("[0 127.0.41.155:10001] \"PING\"\r\n") }
        guard lines.count == 3 else { throw Violation("\(all)") }
        #expect(lines[0].hasSuffix("[0 127.0.41.155:10001] \"SET\" \"a\" \"1\"\r\n"), "\(lines[0])")
        #expect(lines[1].contains("] \"EVAL\" "), "\(lines[1])")
        #expect(lines[2].hasSuffix("[0 lua] \"SET\" \"b\" \"x\"\r\n"), "\(lines[2])")
        #expect(try monitor.command(["RESET"]) == "+RESET\r\n")
        #expect(try monitor.command(["GET", "a"]) == "$1\r\n1\r\n")
    }

    @Test(arguments: [1, 3]) func trackingTellsWhatHasChanged(shards: Int) throws {
        let fixture = try ProxyFixture(host: "127.0.41.\(155 + shards)", shards: shards)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: shards)))
        let tracked = try fixture.connect(10001)
        let other = try fixture.connect(10001)
        _ = try tracked.command(["HELLO", "3"])
        func change(_ key: String) throws { #expect(try other.command(["SET", key, "2"]) == "+OK\r\n") }
        func expectInvalid(_ keys: String...) throws {
            let messages = try keys.map { _ in try text(tracked) }  // Of several shards, in any order.
            #expect(
                messages.sorted()
                    == keys.map { ">2\r\n$10\r\ninvalidate\r\n*1\r\n$\($0.count)\r\n\($0)\r\n" }.sorted())
        }
        #expect(try tracked.command(["CLIENT", "TRACKING", "on"]) == "+OK\r\n")
        _ = try tracked.command(["MGET", "a", "b", "c"])
        for key in ["c", "x", "a", "b"] { try change(key) }
        try expectInvalid("c", "a", "b")
        // One FLUSHALL, one message, whatever the shards; a second one counts again.
        for _ in 0..<2 {
            _ = try tracked.command(["GET", "a"])
            #expect(try other.command(["FLUSHALL"]) == "+OK\r\n")
            #expect(try text(tracked) == Self.forgetAll)
        }
        #expect(try tracked.command(["CLIENT", "TRACKING", "on", "BCAST"]).hasPrefix("-ERR You can't switch BCAST"))
        #expect(try tracked.command(["CLIENT", "TRACKING", "off"]) == "+OK\r\n")
        #expect(
            try tracked.command(["CLIENT", "TRACKING", "on", "BCAST", "PREFIX", "p:", "PREFIX", "q:", "NOLOOP"])
                == "+OK\r\n")
        for key in ["p:1", "r:1", "q:2"] { try change(key) }
        try expectInvalid("p:1", "q:2")
        #expect(try tracked.command(["SET", "p:mine", "1"]) == "+OK\r\n")  // NOLOOP.
        #expect(
            try tracked.command(["CLIENT", "TRACKINGINFO"])
                == "%3\r\n$5\r\nflags\r\n~3\r\n$2\r\non\r\n$5\r\nbcast\r\n$6\r\nnoloop\r\n$8\r\nredirect\r\n:0\r\n"
                + "$8\r\nprefixes\r\n*2\r\n$2\r\np:\r\n$2\r\nq:\r\n")
        _ = try tracked.command(["CLIENT", "TRACKING", "off"])
        #expect(try tracked.command(["CLIENT", "TRACKING", "on", "OPTIN"]) == "+OK\r\n")
        _ = try tracked.command(["GET", "a"])
        #expect(try tracked.command(["CLIENT", "CACHING", "yes"]) == "+OK\r\n")
        _ = try tracked.command(["MGET", "b", "c"])
        _ = try tracked.command(["GET", "x"])
        for key in ["a", "b", "x", "c"] { try change(key) }
        try expectInvalid("b", "c")
        #expect(try tracked.command(["CLIENT", "TRACKING", "off"]) == "+OK\r\n")
        #expect(try tracked.command(["GET", "a"]) == "$1\r\n2\r\n")
    }

    /// Over two loops, in both protocols, and until the other client is gone.
    @Test(arguments: [2, 3]) func invalidationsCanBeRedirected(version: Int) throws {
        let fixture = try ProxyFixture(host: "127.0.41.\(176 + version)", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2)))
        let writer = try fixture.connect(10001)
        // Enough of them that some are on the other loop.
        for round in 0..<6 {
            let tracked = try fixture.connect(10001)
            let target = try fixture.connect(10001)
            _ = try tracked.command(["HELLO", "\(version)"])
            let identifier = try target.command(["CLIENT", "ID"]).dropFirst().dropLast()
            _ = try target.command(["SUBSCRIBE", "__redis__:invalidate"])
            #expect(
                try tracked.command(["CLIENT", "TRACKING", "on", "REDIRECT", "99999"])
                    == "-ERR The client ID you want redirect to does not exist\r\n")
            #expect(try tracked.command(["CLIENT", "TRACKING", "on", "REDIRECT", "\(identifier)"]) == "+OK\r\n")
            #expect(try tracked.command(["CLIENT", "GETREDIR"]) == ":\(identifier)\r\n")
            // Without a target in between, and back: nothing but what was read is to be forgotten.
            #expect(try tracked.command(["CLIENT", "TRACKING", "on"]) == "+OK\r\n")
            #expect(try tracked.command(["CLIENT", "TRACKING", "on", "REDIRECT", "\(identifier)"]) == "+OK\r\n")
            for key in ["a", "b"] {
                _ = try tracked.command(["GET", key])
                // What was read before the protocol changed is tracked still.
                _ = try tracked.command(["HELLO", "\(round % 2 + 2)"])
                _ = try writer.command(["SET", key, "\(round)"])
                #expect(
                    try text(target) == "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\n\(key)\r\n")
            }
            _ = try tracked.command(["HELLO", "3"])
            _ = try tracked.command(["GET", "a"])
            #expect(try target.command(["QUIT"]) == "+OK\r\n")
            _ = try settled(
                "a broken redirection",
                {
                    _ = try writer.command(["SET", "a", "x"])
                    _ = try tracked.command(["GET", "a"])
                    return try tracked.command(["CLIENT", "TRACKINGINFO"])
                }
            ) { $0.contains("broken_redirect") || $0.contains("tracking-redir-broken") }
        }
    }

    private func text(_ client: RedisConnection) throws -> String {
        String(decoding: try client.reply(), as: UTF8.self)
    }
}
