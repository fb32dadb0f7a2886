/// What the proxy knows of one command.
@usableFromInline package struct CommandInfo: Sendable {
    package let name: String
    /// Arguments with the name: exactly this many, or at least `-arity`.
    @usableFromInline package let arity: Int
    /// May not be repeated when its outcome is unknown.
    package let isWrite: Bool
    package let mayBlock: Bool
    /// Position of the first key, 0 for none; of the last one, from the end if negative; distance.
    package let firstKey: Int
    package let lastKey: Int
    package let keyStep: Int
    package let handling: CommandHandling

    /// How early the request path may let the command go: 1 for one key at argument 1, 2 for what a single shard
    /// takes whole, 3 for everything that needs a closer look.
    package let tier: UInt8

    package init(
        name: String, arity: Int, flags: String, firstKey: Int, lastKey: Int, keyStep: Int
    ) {
        self.name = name
        self.arity = arity
        self.firstKey = firstKey
        self.lastKey = lastKey
        self.keyStep = keyStep
        isWrite = flags.contains("w") || Self.writesBeyondItsFlags(name)
        mayBlock = flags.contains("b")
        let handling = CommandHandling.special[name] ?? Self.handling(flags, firstKey, lastKey)
        self.handling = handling
        tier = mayBlock ? 3 : handling == .key ? 1 : handling.passesWholeToSingleShard ? 2 : 3
    }

    /// What must not be repeated although redis doesn't flag it as a write.
    private static func writesBeyondItsFlags(_ name: String) -> Bool {
        name.hasPrefix("eval") || name.hasPrefix("fcall") || name.hasSuffix("publish") || name == "xgroup"
    }

    /// What CLIENT PAUSE WRITE holds: replicas would get something of it. PFCOUNT may rewrite what it counts.
    package var mayReplicate: Bool { isWrite && !name.hasSuffix("_ro") || name == "pfcount" }

    private static func handling(_ flags: String, _ firstKey: Int, _ lastKey: Int) -> CommandHandling {
        if flags.contains("a") { return .notPermitted }
        if flags.contains("m") { return .countedKeys }
        if firstKey == 0 { return .anyShard }
        return firstKey == 1 && lastKey == 1 ? .key : .keys
    }

    @inlinable @inline(__always)
    package func accepts(argumentCount: Int) -> Bool {
        arity >= 0 ? argumentCount == arity : argumentCount >= 0 &- arity
    }

    /// Argument that holds the count of keys, for ``CommandHandling/countedKeys``.
    package var keyCountPosition: Int {
        switch name {
        case "zunion", "zinter", "zdiff", "sintercard", "zintercard", "lmpop", "zmpop": 1
        default: 2  // EVAL and its kin, FCALL, BLMPOP, BZMPOP, and the destination first: ZUNIONSTORE …
        }
    }

    /// ZUNIONSTORE and its kin name their destination before the count.
    package var hasDestinationKey: Bool { name.hasSuffix("store") && handling == .countedKeys }
}

extension CommandInfo {
    /// One element of a shard's reply to `COMMAND INFO`: name, arity, flags, first, last, step, and more.
    package init?(commandReply reader: inout ReplyReader) {
        guard reader.type == UInt8(ascii: "*"), let count = reader.number(), count >= 6 else { return nil }
        guard let name = reader.bulk()?.text, let arity = reader.number() else { return nil }
        guard let flagCount = reader.number(), flagCount >= 0 else { return nil }
        var flags = ""
        for _ in 0..<flagCount {
            guard let flag = reader.value() else { return nil }
            if flag.isWord("+write\r\n") { flags += "w" }
            if flag.isWord("+readonly\r\n") { flags += "r" }
            if flag.isWord("+blocking\r\n") { flags += "b" }
            if flag.isWord("+movablekeys\r\n") { flags += "m" }
            if flag.isWord("+admin\r\n") { flags += "a" }
        }
        guard let first = reader.number(), let last = reader.number(), let step = reader.number() else { return nil }
        // Only positions are believed for a command that also has keys elsewhere: better a wrong-shard answer of the
        // shard's own than a count read from an argument that isn't one.
        if first > 0 { flags.removeAll { $0 == "m" } }
        self.init(
            name: name.lowercased(), arity: arity, flags: flags, firstKey: first, lastKey: last, keyStep: max(1, step))
    }
}
