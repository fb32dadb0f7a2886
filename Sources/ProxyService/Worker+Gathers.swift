import ClusterModel
import Glibc
import ProxyCore
import RESP

/// Requests that go to several shards, and replies that the proxy has to change.
extension Worker {
    /// The command as it is, to every shard.
    mutating func fanOut(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ merge: Gather.Merge, isWrite: Bool
    ) -> Step {
        let count = session.pointee.database.pointee.shardCount
        if mustParkForAll(session) { return .parked }
        let gather = makeGather(session, merge, count)
        for shard in 0..<count {
            ask(gather, shard, sharedUpstream(session, shard), bytes, command.byteCount, isWrite: isWrite)
        }
        return .next
    }

    /// How the answers of all shards become one.
    func merge(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Gather.Merge {
        switch info.handling {
        case .allShardsSum: .sum
        case .allShardsList: .list
        case .allShardsEvery: .scripts(known: knownScripts(session, bytes, command))
        case .allShardsAnyOK: .anyOK
        case .allShardsInfo: .info(infoFacts(session.pointee.database))
        case .functionStats: .functionStats
        case .latencyHistogram: .histogram(own: ownLatencies(session, ArgumentCursor.all(bytes, command)))
        case .latencyLatest: .latencyLatest
        case .latencyHistory: .latencyHistory
        case .latencyReport: .report
        case .namedCounts: .namedCounts
        case .scriptLoad: .scriptLoad(body: ArgumentCursor.all(bytes, command).last?.bytes ?? [])
        default: .first
        }
    }

    mutating func mustParkForAll(_ session: SessionPointer) -> Bool {
        for shard in 0..<session.pointee.database.pointee.shardCount
        where mustPark(session, sharedUpstream(session, shard)) { return true }
        return false
    }

    /// A key of each shard and the shard's size, so that every key has about the same chance.
    mutating func randomKey(_ session: SessionPointer) -> Step {
        let count = session.pointee.database.pointee.shardCount
        if mustParkForAll(session) { return .parked }
        let gather = makeGather(session, .randomKey, count * 2)
        for shard in 0..<count {
            let upstream = sharedUpstream(session, shard)
            ask(gather, shard, upstream, Array("*1\r\n$9\r\nRANDOMKEY\r\n".utf8), isWrite: false)
            ask(gather, count + shard, upstream, Array("*1\r\n$6\r\nDBSIZE\r\n".utf8), isWrite: false)
        }
        return .next
    }

    /// SLOWLOG GET and LEN. Every shard gives all that it has, since some of it is left out, and together it is no more
    /// than one server would have kept. Redis shows ten when not
    /// told; a count that is none is a shard's to refuse.
    mutating func slowlog(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let kept = session.pointee.database.pointee.table.routes.settings["slowlog-max-len"].flatMap(Int.init) ?? 128
        var merge = Gather.Merge.slowlogLength(limit: kept)
        if info.handling == .slowlogGet {
            let limit = command.argumentCount > 2 ? ArgumentCursor.all(bytes, command)[2].integer ?? -2 : 10
            if limit < -1 || command.argumentCount > 3 { return forward(session, toShard: 0, bytes, command, info) }
            merge = .slowlog(limit: limit < 0 ? kept : min(limit, kept))
        }
        if mustParkForAll(session) { return .parked }
        let gather = makeGather(session, merge, session.pointee.database.pointee.shardCount)
        var writer = ReplyWriter()
        writer.command(["SLOWLOG", "GET", "-1"])
        for shard in 0..<gather.parts.count {
            ask(gather, shard, sharedUpstream(session, shard), writer.bytes, isWrite: false)
        }
        return .next
    }

    /// One cursor space: the place among the shards travels in the cursor (``ScanPlace``).
    mutating func scan(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let database = session.pointee.database
        guard let slots = database.pointee.slots else { return forward(session, toShard: 0, bytes, command, info) }
        let arguments = ArgumentCursor.all(bytes, command)
        guard let cursor = ScanPlace.parse(arguments[1].bytes) else { return reject(session, "ERR invalid cursor") }
        let (slot, mark, inner) = ScanPlace.parts(of: cursor)
        var shard = Int(slots[slot])
        var place = scanPlace(database, shard, cursor: inner)
        if place.firstSlot != slot || place.mark != mark {  // Also the start, whose mark is 0.
            shard = Int(slots[0])
            place = scanPlace(database, shard, cursor: 0)
        }
        let upstream = sharedUpstream(session, shard)
        if mustPark(session, upstream) { return .parked }
        var writer = ReplyWriter()
        writer.array(arguments.count)
        writer.bulk("SCAN")
        writer.bulk(String(place.cursor))
        for argument in arguments.dropFirst(2) { writer.bulk(argument) }
        let gather = makeGather(session, .scan(place), 1)
        ask(gather, 0, upstream, writer.bytes, isWrite: false)
        return .next
    }

    private func scanPlace(_ database: DatabasePointer, _ shard: Int, cursor: UInt64) -> ScanPlace {
        let shards = database.pointee.table.routes.shards
        let next = Int(shards[shard].slots.last) + 1
        let following = database.pointee.slots.flatMap { slots -> UInt64? in
            guard next < HashSlot.count else { return nil }
            let mark = ScanPlace.mark(shard: shards[Int(slots[next])].shard.rawValue)
            return ScanPlace.whole(firstSlot: next, mark: mark, cursor: 0)
        }
        return ScanPlace(
            firstSlot: Int(shards[shard].slots.first), mark: ScanPlace.mark(shard: shards[shard].shard.rawValue),
            cursor: cursor, following: following)
    }

    // MARK: Asking

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
        expect(gather, part, upstream, byteCount: request.count, isWrite: isWrite)
        var request = request
        request.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
    }

    mutating func ask(
        _ gather: Gather, _ part: Int, _ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int, isWrite: Bool
    ) {
        expect(gather, part, upstream, byteCount: count, isWrite: isWrite)
        send(upstream, bytes, count)
    }

    /// The entry for a request whose bytes follow.
    mutating func expect(
        _ gather: Gather, _ part: Int, _ upstream: UpstreamPointer, byteCount: Int, isWrite: Bool
    ) {
        sendCaching(gather.session, upstream)
        upstream.pointee.pending.append(
            Pending(
                target: Unmanaged.passRetained(gather).toOpaque(), sequence: gather.sequence, byteCount: byteCount,
                part: UInt16(part), kind: .part, isWrite: isWrite))
    }

    /// All parts are there.
    mutating func complete(_ gather: Gather) {
        let isAlive = !gather.session.pointee.isDead
        switch gather.merge {
        case .learn:
            if isAlive { learn(gather.session.pointee.database, gather.parts[0]) }
            deliver(gather.session, gather.sequence, [])
        case .keys:
            if isAlive { learnKeys(gather.session, gather.parts[0]) }
            deliver(gather.session, gather.sequence, [])
        case .learnVersion:
            if isAlive { gather.session.pointee.database.pointee.version = InfoMerger.version(gather.parts[0]) }
            deliver(gather.session, gather.sequence, [])
        case .settings(let order): proceed(order, gather)
        case .functions(let replay): finish(replay, gather)
        case .scriptLoad(let body): finishLoad(body, gather)
        case .transaction: finishBlock(gather)
        case .busy:
            if isAlive { details(gather.session).busyAnswer = gather.parts[0] }
            deliver(gather.session, gather.sequence, [])
        case .functionFlags:
            if isAlive { learnFunctions(gather.session, gather.parts[0]) }
            deliver(gather.session, gather.sequence, [])
        default: deliver(gather.session, gather.sequence, gather.reply(random: nextRandom()))
        }
    }

    func infoFacts(_ database: DatabasePointer) -> InfoFacts {
        let table = database.pointee.table
        return InfoFacts(
            port: table.routes.port, connections: table.shared.connections.load(ordering: .relaxed),
            heldClients: table.shared.heldClients.load(ordering: .relaxed),
            memoryLimitBytes: table.routes.memoryLimitInForce.bytes, processIdentifier: getpid(),
            maximumConnections: table.routes.maximumConnections)
    }
}
