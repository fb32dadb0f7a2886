import ProxyCore
import RESP

/// Commands of many keys, split over the shards: MGET, MSET, DEL, UNLINK, EXISTS, TOUCH, and the set operations that
/// only read. Keys of one shard stay one command.
///
/// Each part's request is written straight into its upstream, keys with their headers as they lie in the client's
/// bytes, neighbours for one shard as one run.
extension Worker {
    /// What one shard gets.
    private struct Part {
        var shard: Int
        var keyCount = 0
        var byteCount = 0
    }

    mutating func split(
        _ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo
    ) -> Step {
        let database = session.pointee.database
        guard let slots = database.pointee.slots else {
            return forward(session, toShard: 0, bytes, command, info)
        }
        let arguments = ArgumentCursor.all(bytes, command)
        let step = info.keyStep
        if (arguments.count - 1) % step != 0 { return reject(session, Self.arityText(info.name)) }
        var owners: [UInt16] = []  // Index into `parts` for each key.
        var parts: [Part] = []
        owners.reserveCapacity(arguments.count / step)
        parts.reserveCapacity(min(database.pointee.shardCount, arguments.count))
        let finder = slotFinder(database)
        for index in stride(from: 1, to: arguments.count, by: step) {
            let key = arguments[index]
            let shard: Int
            switch finder.slot(of: key.start, count: key.count) {
            case .slot(let slot): shard = Int(slots[slot])
            case .refused(let refusal): return reject(session, refusal.text)
            }
            var position = 0
            while position < parts.count && parts[position].shard != shard { position += 1 }
            if position == parts.count { parts.append(Part(shard: shard)) }
            parts[position].keyCount += 1
            parts[position].byteCount += end(arguments[index + step - 1]) - end(arguments[index - 1])
            owners.append(UInt16(position))
        }
        if parts.count == 1 { return forward(session, toShard: parts[0].shard, bytes, command, info) }
        for part in parts where mustPark(session, sharedUpstream(session, part.shard)) { return .parked }
        let gather = makeGather(session, merge(info, owners), parts.count)
        for position in parts.indices {
            let part = parts[position]
            let upstream = sharedUpstream(session, part.shard)
            var head = ReplyWriter()
            head.array(1 + part.keyCount * step)
            if info.handling == .sdiff && position > 0 {  // All that the first part must be without.
                head.bulk("SUNION")
            } else {
                head.bulk(arguments[0])
            }
            ask(
                gather, position, upstream, head.bytes, following: part.byteCount, isWrite: info.isWrite)
            var index = 0
            while index < owners.count {
                var last = index
                while last < owners.count && Int(owners[last]) == position { last += 1 }
                if last > index {
                    let start = end(arguments[index * step])
                    send(upstream, start, end(arguments[last * step]) - start)
                }
                index = last + 1
            }
        }
        return .next
    }

    private func merge(_ info: CommandInfo, _ owners: [UInt16]) -> Gather.Merge {
        switch info.handling {
        case .mget: .elements(owners: owners)
        case .mset: .first
        case .sunion: .union
        case .sinter: .intersection
        case .sdiff: .difference
        default: .sum
        }
    }

    /// Behind the argument and its CRLF, where the header of the next one begins.
    private func end(_ argument: ByteSpan) -> Bytes { argument.start + (argument.count + 2) }

    /// A request of which only the head is new.
    private mutating func ask(
        _ gather: Gather, _ part: Int, _ upstream: UpstreamPointer, _ head: [UInt8], following: Int, isWrite: Bool
    ) {
        expect(gather, part, upstream, byteCount: head.count + following, isWrite: isWrite)
        var head = head
        head.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
    }
}
