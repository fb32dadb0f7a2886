import Glibc
import ProxyCore
import RESP

/// Requests that go to several shards, and replies that the proxy has to change.
extension Worker {
    /// MGET, MSET, DEL, UNLINK, EXISTS, TOUCH. Keys of one shard stay one command.
    mutating func split(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let database = session.pointee.database
        guard let slots = database.pointee.slots else {
            return forward(session, toShard: 0, bytes, command, info)
        }
        let arguments = ArgumentCursor.all(bytes, command)
        let step = info.keyStep
        if (arguments.count - 1) % step != 0 {
            return reject(session, "ERR wrong number of arguments for '\(info.name)' command")
        }
        var owners: [UInt16] = []  // Index into `shards` for each key.
        var shards: [Int] = []
        var counts: [Int] = []
        owners.reserveCapacity(arguments.count / step)
        for index in stride(from: 1, to: arguments.count, by: step) {
            let key = arguments[index]
            let shard = Int(slots[hasher.slot(of: key.start, count: key.count)])
            var position = 0
            while position < shards.count && shards[position] != shard { position += 1 }
            if position == shards.count {
                shards.append(shard)
                counts.append(0)
            }
            counts[position] += 1
            owners.append(UInt16(position))
        }
        if shards.count == 1 { return forward(session, toShard: shards[0], bytes, command, info) }
        for shard in shards where mustPark(session, sharedUpstream(session, shard)) { return .parked }
        let merge: Gather.Merge =
            switch info.handling {
            case .mget: .elements(owners: owners)
            case .mset: .allOK
            default: .sum
            }
        let gather = makeGather(session, merge, shards.count)
        for (position, shard) in shards.enumerated() {
            var writer = ReplyWriter()
            writer.array(1 + counts[position] * step)
            writer.bulk(arguments[0])
            for (key, owner) in owners.enumerated() where Int(owner) == position {
                for offset in 0..<step { writer.bulk(arguments[1 + key * step + offset]) }
            }
            ask(gather, position, sharedUpstream(session, shard), writer.bytes, isWrite: info.isWrite)
        }
        return .next
    }

    /// The command as it is, to every shard.
    mutating func fanOut(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ merge: Gather.Merge, isWrite: Bool
    ) -> Step {
        let database = session.pointee.database
        for shard in 0..<database.pointee.shardCount where mustPark(session, sharedUpstream(session, shard)) {
            return .parked
        }
        let gather = makeGather(session, merge, database.pointee.shardCount)
        let request = ByteSpan(start: bytes, count: command.byteCount).bytes
        for shard in 0..<database.pointee.shardCount {
            ask(gather, shard, sharedUpstream(session, shard), request, isWrite: isWrite)
        }
        return .next
    }

    /// One cursor space: the shard travels in the cursor.
    mutating func scan(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand) -> Step {
        let database = session.pointee.database
        let arguments = ArgumentCursor.all(bytes, command)
        guard let cursor = UInt64(arguments[1].text) else { return reject(session, "ERR invalid cursor") }
        let place = ReplyMerger.splitCursor(cursor, shardCount: database.pointee.shardCount)
        let upstream = sharedUpstream(session, place.shard)
        if mustPark(session, upstream) { return .parked }
        var writer = ReplyWriter()
        writer.array(arguments.count)
        writer.bulk("SCAN")
        writer.bulk(String(place.cursor))
        for argument in arguments.dropFirst(2) { writer.bulk(argument) }
        let gather = makeGather(
            session, .scan(shard: place.shard, shardCount: database.pointee.shardCount), 1)
        ask(gather, 0, upstream, writer.bytes, isWrite: false)
        return .next
    }

    /// A question of the proxy's own to any shard; takes a turn in the session's order.
    mutating func ask(
        _ session: SessionPointer, _ request: [UInt8], _ merge: Gather.Merge, over upstream: UpstreamPointer? = nil
    ) {
        let gather = makeGather(session, merge, 1)
        ask(gather, 0, upstream ?? sharedUpstream(session, 0), request, isWrite: false)
    }

    mutating func makeGather(_ session: SessionPointer, _ merge: Gather.Merge, _ parts: Int) -> Gather {
        let gather = Gather(session: session, sequence: session.pointee.nextSequence, merge: merge, partCount: parts)
        session.pointee.nextSequence &+= 1
        return gather
    }

    mutating func ask(
        _ gather: Gather, _ part: Int, _ upstream: UpstreamPointer, _ request: [UInt8], isWrite: Bool
    ) {
        sendCaching(gather.session, upstream)
        upstream.pointee.pending.append(
            Pending(
                target: Unmanaged.passRetained(gather).toOpaque(), sequence: gather.sequence,
                byteCount: request.count, part: UInt16(part), kind: .part, isWrite: isWrite))
        var request = request
        request.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
    }

    /// All parts are there.
    mutating func complete(_ gather: Gather) {
        let isAlive = !gather.session.pointee.isDead
        switch gather.merge {
        case .learn:
            if isAlive { learn(gather.session.pointee.database, gather.parts[0]) }
            deliver(gather.session, gather.sequence, [])
        case .learnVersion:
            if isAlive { gather.session.pointee.database.pointee.version = InfoMerger.version(gather.parts[0]) }
            deliver(gather.session, gather.sequence, [])
        case .settings(let order): proceed(order, gather)
        default: deliver(gather.session, gather.sequence, gather.reply(random: nextRandom()))
        }
    }

    /// Adds a command that a shard knows and this loop did not.
    private mutating func learn(_ database: DatabasePointer, _ reply: [UInt8]) {
        var copy = reply
        let info = copy.withUnsafeMutableBufferPointer { buffer -> CommandInfo? in
            var reader = ReplyReader(buffer.baseAddress!, buffer.count)
            guard reader.number() == 1 else { return nil }
            return CommandInfo(commandReply: &reader)
        }
        guard let info else { return }
        if database.pointee.learned == nil { database.pointee.learned = CommandTable(capacity: 1024) }
        database.pointee.learned?.insert(info)
    }

    func infoFacts(_ database: DatabasePointer) -> InfoFacts {
        let table = database.pointee.table
        return InfoFacts(
            port: table.routes.port, connections: table.shared.connections.load(ordering: .relaxed),
            heldClients: table.shared.heldClients.load(ordering: .relaxed),
            memoryLimitBytes: table.routes.servedLimitBytes, processIdentifier: getpid(),
            maximumConnections: table.routes.maximumConnections)
    }
}
