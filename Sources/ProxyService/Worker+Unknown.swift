import ProxyCore
import RESP

/// Commands that the compiled table doesn't have, or has with other facts: a shard knows better.
///
/// What a shard says of a command is kept for its database (``Database/learned``) and goes before the compiled table,
/// so that every redis-server of 7.0 or later, valkey-server, and modules' commands route right.
extension Worker {
    enum Finding {
        case command(CommandTable.Entry)
        case unknownCommand
        case unknownSubcommand
    }

    /// The entry of a command; of a subcommand where the command is a container.
    func find(_ database: DatabasePointer, _ bytes: Bytes, _ command: ScannedCommand) -> Finding {
        // `config|get` is how the table calls a subcommand, not a name that a client could use.
        let name = UnsafeBufferPointer(start: bytes + command.nameOffset, count: command.nameCount)
        guard !name.contains(UInt8(ascii: "|")),
            let entry = find(database, bytes + command.nameOffset, command.nameCount)
        else { return .unknownCommand }
        guard entry.pointee.isContainer, command.argumentCount > 1 else { return .command(entry) }
        let count = command.nameCount + 1 + command.keyCount
        guard count <= CommandTable.maximumNameBytes else { return .unknownSubcommand }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count + scanSlackBytes) { buffer in
            let name = buffer.baseAddress.unsafelyUnwrapped
            name.update(from: bytes + command.nameOffset, count: command.nameCount)
            name[command.nameCount] = UInt8(ascii: "|")
            (name + (command.nameCount + 1)).update(from: bytes + command.keyOffset, count: command.keyCount)
            return find(database, name, count).map { .command($0) } ?? .unknownSubcommand
        }
    }

    private func find(_ database: DatabasePointer, _ name: Bytes, _ count: Int) -> CommandTable.Entry? {
        database.pointee.learned?.find(name, count: count) ?? commands.find(name, count: count)
    }

    /// Asks a shard about the command, once; whoever calls tries again when it has answered.
    ///
    /// - Returns: Nil when it was asked before, about this very request or for the whole database, or can't be.
    mutating func askAbout(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand) -> Step? {
        // A subscriber's replies come over its own upstream, uncounted: a reply that has a number would outlive it.
        if session.pointee.mode.contains(.subscriber) { return nil }
        let name = ByteSpan(start: bytes + command.nameOffset, count: command.nameCount).bytes
        let details = details(session)
        let isLearned =
            session.pointee.database.pointee.learned?.find(bytes + command.nameOffset, count: command.nameCount) != nil
        let isAsked = details.askedName == name && details.askedFor == session.pointee.nextSequence
        if isLearned || isAsked || name.isEmpty || name.count > CommandTable.maximumNameBytes { return nil }
        if name.contains(UInt8(ascii: "|")) { return nil }
        if mustPark(session, sharedUpstream(session, 0)) { return .parked }
        details.askedName = name
        var writer = ReplyWriter()
        writer.array(3)
        writer.bulk("COMMAND")
        writer.bulk("INFO")
        writer.bulk(name)
        ask(session, writer.bytes, .learn)
        details.askedFor = session.pointee.nextSequence
        park(session, untilReplied: true)
        return .parked
    }

    /// Adds what a shard said.
    func learn(_ database: DatabasePointer, _ reply: [UInt8]) {
        guard let value = ReplyValue(reply) else { return }
        for info in CommandInfo.all(inReply: value) {
            if database.pointee.learned == nil { database.pointee.learned = CommandTable(capacity: 1024) }
            database.pointee.learned?.insert(info)
        }
    }

    // MARK: Keys that only a shard knows

    /// Asks a shard which of the arguments are keys; whoever calls tries again when it has answered.
    mutating func askForKeys(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand) -> Step {
        if mustPark(session, sharedUpstream(session, 0)) { return .parked }
        var writer = ReplyWriter()
        writer.array(command.argumentCount + 2)
        writer.bulk("COMMAND")
        writer.bulk("GETKEYS")
        let head = CommandProgress.headBytes(bytes, command.byteCount)
        writer.raw(bytes + head, command.byteCount - head)
        ask(session, writer.bytes, .keys)
        details(session).askedFor = session.pointee.nextSequence
        park(session, untilReplied: true)
        return .parked
    }

    /// Keeps the answer for the command that waits for it.
    func learnKeys(_ session: SessionPointer, _ reply: [UInt8]) {
        var result = KeyExtractor.Result.none  // An error says that there are no keys, or that the shard will complain.
        if case .elements(let keys)? = ReplyValue(reply) {
            let slots = slotFinder(session.pointee.database)
            for case .text(let text) in keys {
                var key = text + [UInt8](repeating: 0, count: scanSlackBytes)
                let found = key.withUnsafeMutableBufferPointer { slots.slot(of: $0.baseAddress!, count: text.count) }
                switch found {
                case .slot: result = result == .none ? .init(found) : result == .init(found) ? result : .crossSlot
                case .refused(let refusal): result = .refused(refusal)
                }
                if case .slot = result { continue }
                break
            }
        }
        details(session).askedKeys = result
    }

    // MARK: Words

    /// Redis' words, with the first arguments up to 128 characters. Byte by byte, as clients may send anything; a
    /// zero byte ends an argument, as it does for Redis.
    static func unknownText(_ bytes: Bytes, _ command: ScannedCommand) -> [UInt8] {
        var cursor = ArgumentCursor(bytes, command)
        var text = Array("ERR unknown command '".utf8)
        if let name = cursor.next() { text += shown(name, 128) }
        text += Array("', with args beginning with: ".utf8)
        let start = text.count
        while text.count - start < 128, let argument = cursor.next() {
            let room = 128 - (text.count - start)
            text += [UInt8(ascii: "'")] + shown(argument, room) + Array("' ".utf8)
        }
        return text
    }

    static func unknownSubcommandText(_ bytes: Bytes, _ command: ScannedCommand) -> [UInt8] {
        var cursor = ArgumentCursor(bytes, command)
        let container = cursor.next().map { shown($0, .max) } ?? []
        let name = cursor.next().map { shown($0, 128) } ?? []
        let uppered = container.map { $0 >= 97 && $0 <= 122 ? $0 - 32 : $0 }
        return Array("ERR unknown subcommand '".utf8) + name + Array("'. Try ".utf8) + uppered + Array(" HELP.".utf8)
    }

    private static func shown(_ span: ByteSpan, _ limit: Int) -> [UInt8] {
        Array(UnsafeBufferPointer(start: span.start, count: min(span.count, limit)).prefix { $0 != 0 })
    }
}
