import TestSupport

/// One plain server and one endpoint that get the same commands.
struct DifferentialRun {
    let plain: RedisConnection
    let endpoint: RedisConnection
    /// Other clients of the two, who get in the way.
    let rivals: [RedisConnection]
    let version: Int
    let shardCount: Int
    let name: String
    private(set) var source: ValueSource
    private(set) var commandCount = 0
    /// What did not agree, at most a few of it.
    private(set) var failures: [String] = []
    private var history: [String] = []

    init(
        plain: RedisConnection, endpoint: RedisConnection, rivals: [RedisConnection], shardCount: Int, version: Int,
        seed: UInt64, name: String
    ) {
        self.plain = plain
        self.endpoint = endpoint
        self.rivals = rivals
        self.version = version
        self.shardCount = shardCount
        self.name = name
        source = ValueSource(seed: seed)
    }

    mutating func runBatch() throws {
        switch source.below(13) {
        case 0: try transaction()
        case 12: try source.below(4) == 0 ? beginAnew() : watch()
        case 1, 2, 3:
            for _ in 0..<source.below(30) { try exchange([next()]) }
        default: try exchange((0...source.below(80)).map { _ in next() })
        }
    }

    private mutating func next() -> RandomCommand {
        if source.below(500) == 0 {
            return DifferentialCommands.emptying[source.below(DifferentialCommands.emptying.count)].make(&source)
        }
        let group = DifferentialCommands.groups[source.below(DifferentialCommands.groups.count)]
        var command = group[source.below(group.count)].make(&source)
        if source.below(12) == 0 { spoil(&command) }
        return command
    }

    /// One argument too many, too few, or of the wrong kind. Keys stay in one slot, so that Redis' own words and not
    /// the rules for slots decide.
    private mutating func spoil(_ command: inout RandomCommand) {
        guard Set(command.keys.map(testSlot)).count <= 1, !command.keys.isEmpty,
            command.keys.allSatisfy({ $0.starts(with: "{t}".utf8) }), !Self.unspoilt.contains(command.words[0])
        else { return }
        switch source.below(3) {
        case 0 where command.words.count > 2: command.words.removeLast()
        case 1: command.words.append(Array("{t}".utf8) + source.junk())  // It may be taken for a key.
        default:
            let index = 1 + source.below(command.words.count - 1)
            if !command.keys.contains(command.words[index]) { command.words[index] = source.junk() }
        }
    }

    /// They would wait for ever, or take something at random.
    private static let unspoilt = Set(
        [
            "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD", "XREADGROUP",
            "SPOP",
        ]
        .map { Array($0.utf8) })

    /// MULTI, commands of one slot, EXEC or DISCARD; now and then one that can't be queued.
    private mutating func transaction() throws {
        var commands = [RandomCommand(words: [Array("MULTI".utf8)])]
        var comparisons: [ReplyComparison] = []
        let isBad = source.below(5) == 0
        for _ in 0...source.below(8) {
            if source.below(6) == 0 {
                let patterns = DifferentialCommands.beyondTheBlock
                var command = patterns[source.below(patterns.count)].make(&source)
                // The one for its place in EXEC's reply, if it gets one.
                let isQueued = !["WATCH", "MULTI"].contains { command.words[0] == Array($0.utf8) }
                if isQueued { comparisons.append(command.comparison) }
                command.comparison = .exact
                commands.append(command)
                continue
            }
            let group = DifferentialCommands.groups[source.below(10)]
            var command = group[source.below(group.count)].make(&source)
            let isWide = command.keys.isEmpty || command.keys.contains { !$0.starts(with: "{t}".utf8) }
            if isWide || command.words[0] == Array("MEMORY".utf8) { continue }
            comparisons.append(command.comparison)
            command.comparison = .exact  // What comes now is QUEUED.
            commands.append(command)
        }
        if isBad {
            commands.append(RandomCommand(words: [["GET"], ["NOSUCH", "a"]][source.below(2)].map { Array($0.utf8) }))
        }
        let isDiscarded = source.below(6) == 0
        var end = RandomCommand(words: [Array((isDiscarded ? "DISCARD" : "EXEC").utf8)])
        end.comparison = .each(comparisons)
        try exchange(commands + [end])
    }

    /// WATCH, and half of the time somebody changes the key before EXEC; sometimes the client itself does, or lets go.
    private mutating func watch() throws {
        func words(_ text: String) -> RandomCommand {
            RandomCommand(words: text.split(separator: " ").map { Array($0.utf8) })
        }
        let key = "{t}s\(source.below(5))"
        try exchange([words("WATCH \(key) {t}s9")])
        if source.below(2) == 0 {
            let touched = source.below(2) == 0 ? key : "{t}s8"
            let replies = try rivals.map { try $0.command(["APPEND", touched, "x"]) }
            if Set(replies.map { $0.prefix(1) }).count > 1 { failures.append("\(name): a rival's replies \(replies)") }
        }
        switch source.below(4) {
        case 0: try exchange([words("SET \(key) own")])
        case 1: try exchange([words("UNWATCH")])
        default: break
        }
        try transaction()
        try exchange([words("GET \(key)")])
    }

    private mutating func beginAnew() throws {
        let greeting = ["HELLO", "\(version)"].map { Array($0.utf8) }
        try exchange([
            RandomCommand(words: [Array("RESET".utf8)]), RandomCommand(words: greeting, comparison: .shape),
        ])
    }

    // MARK: Sending and comparing

    /// Sends all at once, in pieces at any byte, or one by one, and compares every reply.
    private mutating func exchange(_ commands: [RandomCommand]) throws {
        let refused = commands.map(isCrossSlot)
        var forEndpoint: [UInt8] = []
        var forPlain: [UInt8] = []
        for (index, command) in commands.enumerated() {
            let bytes = encode(command)
            forEndpoint += bytes
            if !refused[index] { forPlain += bytes }
        }
        if !forPlain.isEmpty { try plain.send(forPlain) }
        if source.below(4) == 0 {
            var rest = forEndpoint[...]
            while !rest.isEmpty {
                let piece = rest.prefix(1 + source.below(700))
                rest = rest.dropFirst(piece.count)
                try endpoint.send(Array(piece))
            }
        } else {
            try endpoint.send(forEndpoint)
        }
        let before = failures.count
        for (index, command) in commands.enumerated() {
            commandCount += 1
            let expected = refused[index] ? Self.crossSlot : try plain.reply()
            let got = try endpoint.reply()
            if !command.comparison.agrees(expected, got), failures.count == before {
                note(command, expected, got)
            }
            history.append(command.text)
        }
        if history.count > 3000 { history.removeFirst(1500) }
        if failures.count > before { try startOver() }
    }

    private static let crossSlot = Array("-CROSSSLOT Keys in request don't hash to the same slot\r\n".utf8)

    private func isCrossSlot(_ command: RandomCommand) -> Bool {
        shardCount > 1 && !command.isSplit && Set(command.keys.map(testSlot)).count > 1
    }

    /// Sometimes as a line of words, where that is possible.
    private mutating func encode(_ command: RandomCommand) -> [UInt8] {
        let isPlain = command.words.allSatisfy { word in
            !word.isEmpty && word.allSatisfy { $0 > 32 && $0 < 127 && $0 != 34 && $0 != 39 && $0 != 92 }
        }
        if isPlain && command.words[0][0] != 0x2A && source.below(10) == 0 {
            return Array(command.words.joined(separator: [32])) + [13, 10]
        }
        return RedisConnection.encode(command.words)
    }

    private mutating func note(_ command: RandomCommand, _ expected: [UInt8], _ got: [UInt8]) {
        let keys = command.keys.map(printable)
        let touching = history.filter { line in keys.contains { line.contains($0) } }.suffix(8)
        failures.append(
            """
            \(name), command \(commandCount): \(command.text.prefix(300))
              redis    \(printable(expected))
              endpoint \(printable(got))
              only one \(Self.difference(expected, got))
              before   \(touching.map { String($0.prefix(160)) }.joined(separator: "\n           "))
            """)
    }

    /// Elements that only one of them has.
    private static func difference(_ expected: [UInt8], _ got: [UInt8]) -> String {
        let left = Set(ReplyTree(expected).children.map { printable($0.content) })
        let right = Set(ReplyTree(got).children.map { printable($0.content) })
        return left.symmetricDifference(right).sorted().prefix(10).joined(separator: " ")
    }

    private func startOver() throws {
        for connection in [plain, endpoint] {
            for words in [["DISCARD"], ["FLUSHALL"]] { _ = try connection.command(words) }
        }
    }

    // MARK: The whole database

    /// Every key with its value, whatever way it came there.
    mutating func compareContents() throws {
        let all = [RandomCommand(words: [Array("KEYS".utf8), Array("*".utf8)], comparison: .unordered)]
        try exchange(all)
        try plain.send(RedisConnection.encode(all[0].words))
        for key in ReplyTree(try plain.reply()).children {
            let name = key.content
            try plain.send(RedisConnection.encode([Array("TYPE".utf8), name]))
            let type = String(decoding: try plain.reply().dropFirst().dropLast(2), as: UTF8.self)
            guard let (words, comparison) = Self.reading[type] else { continue }
            let command = [Array(words[0].utf8), name] + words.dropFirst().map { Array($0.utf8) }
            try exchange([RandomCommand(words: command, comparison: comparison)])
        }
    }

    /// Every key once in all pages together, whatever their size.
    mutating func compareScans() throws {
        for options in [[], ["COUNT", "3"], ["COUNT", "1000"], ["MATCH", "*s*", "COUNT", "5"], ["TYPE", "hash"]] {
            let expected = try scan(plain, options)
            let got = try scan(endpoint, options)
            if expected != got {
                failures.append(
                    "\(name), SCAN \(options): \(expected.sorted()) on redis, \(got.sorted()) on the endpoint")
            }
        }
    }

    private func scan(_ connection: RedisConnection, _ options: [String]) throws -> Set<String> {
        var keys: Set<String> = []
        var cursor = "0"
        for _ in 0..<10_000 {
            try connection.send(RedisConnection.encode(["SCAN", cursor] + options))
            let page = ReplyTree(try connection.reply())
            guard page.children.count == 2 else { throw Violation("SCAN \(cursor): \(printable(page.line))") }
            for key in page.children[1].children { keys.insert(printable(key.content)) }
            cursor = printable(page.children[0].content)
            if cursor == "0" { return keys }
        }
        throw Violation("SCAN never ended")
    }

    private static let reading: [String: ([String], ReplyComparison)] = [
        "string": (["GET"], .exact), "hash": (["HGETALL"], .pairs), "list": (["LRANGE", "0", "-1"], .exact),
        "set": (["SMEMBERS"], .unordered), "zset": (["ZRANGE", "0", "-1", "WITHSCORES"], .exact),
        "stream": (["XRANGE", "-", "+"], .exact),
    ]
}

/// Hash slot by the definition, bit by bit: not the code that is being tested.
func testSlot(_ key: [UInt8]) -> Int {
    var part = key[...]
    if let open = key.firstIndex(of: 0x7B), let close = key[(open + 1)...].firstIndex(of: 0x7D), close > open + 1 {
        part = key[(open + 1)..<close]
    }
    var crc: UInt16 = 0
    for byte in part {
        crc ^= UInt16(byte) << 8
        for _ in 0..<8 { crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1 }
    }
    return Int(crc % 16384)
}
