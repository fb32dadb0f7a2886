import RESP
import Testing

@Suite struct CommandTableTests {
    /// Values of `CLUSTER KEYSLOT`.
    @Test(arguments: [
        ("foo", 12182), ("bar", 5061), ("", 0), ("123456789", 0x31C3), ("{user1000}.following", 3443),
        ("{user1000}.followers", 3443), ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015), ("foo{bar}{zap}", 5061),
        ("a long key without any tag at all", 3269),
    ])
    func slots(key: String, slot: Int) {
        let hasher = SlotHasher()
        #expect(withBytes(Array(key.utf8)) { hasher.slot(of: $0, count: $1) } == slot)
    }

    @Test func namesAreFoundWhateverTheirCase() {
        let table = CommandTable.compiled()
        #expect(table.count == 334)
        for (name, handling) in [
            ("get", CommandHandling.key), ("GeT", .key), ("georadiusbymember_ro", .key), ("MGET", .mget),
            ("BLPOP", .keys), ("eval", .keys), ("XREADGROUP", .keys), ("Sort", .sort), ("object|ENCODING", .keys),
            ("xgroup|createconsumer", .keys), ("memory|usage", .keys), ("memory|doctor", .notPermitted),
            ("script|load", .scriptLoad), ("config|set", .config),
            ("shutdown", .notPermitted), ("debug", .refused),
        ] {
            let entry = withBytes(Array(name.utf8)) { table.find($0, count: $1) }
            #expect(entry?.pointee.handling == handling, "\(name)")
        }
        for name in ["ge", "gett", "", "no_such_command_by_any_means", "get "] {
            #expect(withBytes(Array(name.utf8)) { table.find($0, count: $1) } == nil, "\(name)")
        }
    }

    /// Writes, scripts that may write, and what doesn't say; not messages, nor what only reads.
    @Test func effects() {
        let table = CommandTable.compiled()
        for (name, effect) in [
            ("set", CommandEffect.data), ("getdel", .data), ("sort", .data), ("eval", .data), ("fcall", .data),
            ("function|load", .data), ("flushall", .data), ("eval_ro", .none), ("publish", .passing),
            ("spublish", .passing), ("get", .none), ("pfcount", .none), ("sort_ro", .none), ("ping", .none),
            ("object|help", .none), ("wait", .none),
        ] {
            let entry = withBytes(Array(name.utf8)) { table.find($0, count: $1) }
            #expect(entry?.pointee.effect == effect, "\(name)")
        }
        let unclear = CommandInfo(name: "module.do", arity: -2, flags: "", keys: [.firstArgument])
        #expect(unclear.effect == .data)
        #expect(CommandInfo(name: "module.get", arity: -2, flags: "r", keys: [.firstArgument]).effect == .none)
    }

    @Test func inlineWordsFollowTheQuotes() {
        func words(_ text: String) -> [String]? {
            withBytes(Array(text.utf8)) { InlineCommand.words($0, $1) }?.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(words("SET  a \"b c\" 'd\\'e'\r") == ["SET", "a", "b c", "d'e"])
        #expect(words("x \"\\x41\\n\"") == ["x", "A\n"])
        #expect(words("\r") == [])
        #expect(words("GET \"x") == nil)
        #expect(words("GET \"x\"y") == nil)
    }
}
