/// What the proxy knows of one command, or of one subcommand of a container (`object|encoding`).
@usableFromInline package struct CommandInfo: Sendable {
    /// As Redis prints it in errors: lower case, the subcommand behind a bar.
    package let name: String
    /// Arguments with the name: exactly this many, or at least `-arity`.
    @usableFromInline package let arity: Int
    package let effect: CommandEffect
    /// The same as a number, which the request path copies.
    package let effectCode: UInt8
    package let mayBlock: Bool
    /// Runs code of the client, for as long as that takes.
    package let isScript: Bool
    /// Its first argument names a subcommand, which has an entry of its own.
    package let isContainer: Bool
    package let keys: [KeySpecification]
    package let handling: CommandHandling
    /// What its specifications call keys are channels, which key rules don't concern.
    package let namesChannels: Bool

    /// How early the request path may let the command go: 1 for one key at argument 1, 2 for what a single shard
    /// takes whole, 3 for everything that needs a closer look.
    package let tier: UInt8

    /// - Parameter flags: `r` read-only, `w` write, `b` may block, `a` administrative.
    package init(name: String, arity: Int, flags: String, keys: [KeySpecification], isContainer: Bool = false) {
        self.name = name
        self.arity = arity
        self.isContainer = isContainer
        self.keys = keys
        mayBlock = flags.contains("b")
        let special = CommandHandling.special(name)
        let handling = special ?? Self.handling(flags, keys)
        // What says neither that it reads nor that it writes, a module's command say, may do either.
        let isUnclear =
            special == nil && !flags.contains("r") && !flags.contains("a") && !isContainer && !name.hasSuffix("|help")
        effect = CommandEffect(name: name, mayWrite: flags.contains("w") || isUnclear)
        effectCode = effect.rawValue
        self.handling = handling
        namesChannels = ["spublish", "ssubscribe", "sunsubscribe"].contains(name)
        isScript = name.hasPrefix("eval") || name.hasPrefix("fcall")
        let needsLook = mayBlock || isContainer || isScript
        tier = needsLook ? 3 : handling == .key ? 1 : handling.passesWholeToSingleShard ? 2 : 3
    }

    /// May not be repeated when its outcome is unknown.
    package var isWrite: Bool { effect != .none }

    /// What CLIENT PAUSE WRITE holds: replicas would get something of it. PFCOUNT may rewrite what it counts.
    package var mayReplicate: Bool { isWrite || name == "pfcount" }

    /// Changes what a shard has, so a node that was cut off must not send it.
    package var needsLease: Bool { isWrite || handling == .scriptLoad || handling == .scriptFlush }

    private static func handling(_ flags: String, _ keys: [KeySpecification]) -> CommandHandling {
        if flags.contains("a") { return .notPermitted }
        if keys.isEmpty { return .anyShard }
        if keys == [.firstArgument] { return .key }
        return keys.allSatisfy(\.isCertain) ? .keys : .keysByShard
    }

    @inlinable @inline(__always)
    package func accepts(argumentCount: Int) -> Bool {
        arity >= 0 ? argumentCount == arity : argumentCount >= 0 &- arity
    }

    /// Arguments from one key to the next: 2 for MSET, which has its values between.
    package var keyStep: Int {
        guard case .range(_, let step, _)? = keys.first?.find else { return 1 }
        return max(1, step)
    }
}

extension CommandInfo {
    /// The elements of a shard's reply to `COMMAND INFO`, subcommands behind their container.
    package static func all(inReply reply: ReplyValue) -> [CommandInfo] {
        reply.elements.flatMap { one($0) }
    }

    /// - Parameter reply: Name, arity, flags, first key, last key, step, categories, tips, key specifications,
    ///   subcommands. Servers before 7.0 end with the categories.
    private static func one(_ reply: ReplyValue) -> [CommandInfo] {
        let fields = reply.elements
        guard fields.count >= 6, let name = fields[0].text, let arity = fields[1].number else { return [] }
        let named = Set(fields[2].elements.compactMap(\.text))
        var flags = ""
        for (flag, letter) in [("write", "w"), ("readonly", "r"), ("blocking", "b"), ("admin", "a")]
        where named.contains(flag) { flags += letter }
        var keys: [KeySpecification] = []
        if fields.count > 8 {
            // What can't be read is as good as unknown.
            let unknown = KeySpecification(begin: .unknown, find: .unknown)
            keys = fields[8].elements.map { KeySpecification(reply: $0) ?? unknown }
        } else if let first = fields[3].number, let last = fields[4].number, let step = fields[5].number,
            let specification = KeySpecification(first: first, last: last, step: step)
        {
            keys = [specification]
        }
        if keys.isEmpty && named.contains("movablekeys") { keys = [KeySpecification(begin: .unknown, find: .unknown)] }
        let subcommands = fields.count > 9 ? fields[9].elements.flatMap { one($0) } : []
        let info = CommandInfo(
            name: name.lowercased(), arity: arity, flags: flags, keys: keys, isContainer: !subcommands.isEmpty)
        return [info] + subcommands
    }
}
