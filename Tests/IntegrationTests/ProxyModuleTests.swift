import ClusterModel
import ProxyControl
import Testing
import TestSupport

/// Commands that only the shards know, as of a module or of a newer server: two shards that this test plays itself.
@Suite struct ProxyModuleTests {
    private static func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

    private static func specification(_ begin: String, _ find: String, flags: String = "") -> String {
        "*6\r\n\(bulk("flags"))*\(flags.isEmpty ? 0 : 1)\r\n\(flags)"
            + "\(bulk("begin_search"))\(begin)\(bulk("find_keys"))\(find)"
    }

    private static func pairs(_ type: String, _ values: [(String, String)]) -> String {
        "*4\r\n\(bulk("type"))\(bulk(type))\(bulk("spec"))*\(values.count * 2)\r\n"
            + values.map { bulk($0.0) + $0.1 }.joined()
    }

    private static let lastKey = pairs("range", [("lastkey", ":0\r\n"), ("keystep", ":1\r\n"), ("limit", ":0\r\n")])

    private static func command(
        _ name: String, _ arity: Int, _ specifications: [String], movable: Bool = false, subcommands: String = "*0\r\n"
    ) -> String {
        "*10\r\n\(bulk(name)):\(arity)\r\n*\(movable ? 1 : 0)\r\n\(movable ? "+movablekeys\r\n" : "")"
            + ":0\r\n:0\r\n:0\r\n*0\r\n*0\r\n*\(specifications.count)\r\n\(specifications.joined())\(subcommands)"
    }

    private static func describe(_ name: String) -> String {
        switch name.lowercased() {
        case "mod.second":
            command("mod.second", -3, [specification(pairs("index", [("index", ":2\r\n")]), lastKey)])
        case "mod.behind":
            command(
                "mod.behind", -2,
                [specification(pairs("keyword", [("keyword", bulk("AT")), ("startfrom", ":1\r\n")]), lastKey)])
        case "mod.odd": command("mod.odd", -2, [], movable: true)
        case "object":
            command(
                "object", -2, [],
                subcommands: "*1\r\n"
                    + command("object|age", 3, [specification(pairs("index", [("index", ":2\r\n")]), lastKey)]))
        case "get": command("get", -2, [specification(pairs("index", [("index", ":1\r\n")]), lastKey)])
        default: "*-1\r\n"
        }
    }

    private static func answer(_ shard: String, _ words: [String]) -> String {
        switch words.prefix(2).map({ $0.lowercased() }) {
        case ["command", "info"]: "*1\r\n" + describe(words[2])
        // Its key is the last argument.
        case ["command", "getkeys"]: "*1\r\n" + bulk(words[words.count - 1])
        case ["get", "broken"]: "$99999999999999999999\r\n"
        case ["get", "mad"]: "*1099511627777\r\n"
        default: bulk("\(shard): \(words.joined(separator: " "))")
        }
    }

    @Test func commandsOfShardsRouteRight() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".122", shards: 0)
        let fakes = try ["first", "second"].map { name in
            try FakeShard(path: "\(fixture.directory.path)/\(name).sock") { Self.answer(name, $0) }
        }
        defer { fakes.forEach { $0.close() } }
        let ranges = SlotRange.even(parts: 2)
        var routes = fixture.routes(1, port: 10001, shards: 0)
        routes.shards = fakes.enumerated().map { index, fake in
            ShardRoute(shard: ShardID(index + 1), slots: ranges[index], address: .local(path: fake.path))
        }
        _ = try fixture.tell(.update(routes))
        let client = try fixture.connect(10001)
        // Slots: foo 12182 (second), bar 5061 (first).
        for (text, expected) in [
            ("MOD.SECOND x foo", "second"), ("MOD.SECOND x bar", "first"), ("mod.behind AT foo", "second"),
            ("mod.behind x y at bar", "first"), ("MOD.ODD x y foo", "second"), ("MOD.ODD x y z bar", "first"),
            ("OBJECT AGE foo", "second"), ("OBJECT AGE bar", "first"), ("OBJECT ENCODING foo", "second"),
            ("GET foo and more", "second"), ("GET bar", "first"),
        ] {
            let words = text.split(separator: " ").map(String.init)
            #expect(try client.command(words) == Self.bulk("\(expected): \(text)"))
        }
        for (text, expected) in [
            ("MOD.SECOND x", "-ERR wrong number of arguments for 'mod.second' command\r\n"),
            ("MOD.NONE x", "-ERR unknown command 'MOD.NONE', with args beginning with: 'x' \r\n"),
            ("OBJECT NONE", "-ERR unknown subcommand 'NONE'. Try OBJECT HELP.\r\n"),
            ("OBJECT AGE", "-ERR wrong number of arguments for 'object|age' command\r\n"),
            ("STRLEN a b", "-ERR wrong number of arguments for 'strlen' command\r\n"),
        ] { #expect(try client.command(text.split(separator: " ").map(String.init)) == expected) }
        // What can't be a reply costs the shard its connection, and its client nothing but an error.
        for key in ["broken", "mad"] {
            #expect(try client.command(["GET", key]) == "-ERR upstream connection lost, try again\r\n")
            #expect(try client.command(["GET", "foo"]) == Self.bulk("second: GET foo"))
            #expect(try client.command(["GET", "bar"]) == Self.bulk("first: GET bar"))
        }
    }
}
