import ProxyCore
import RESP
import Reactor

/// Databases whose writes wait for a replica: their replies are withheld until one has the writes.
///
/// ```
///   upstreams of the shard ── replies to writes ──▶ withheld ──┐
///                          ── everything else ─────────────────┼──▶ sessions, each in its own order
///   witness: SPUBLISH + WAIT 1 ──▶ shard ── ":1" ── releases ──┘
/// ```
/// A redis-server answers WAIT for what the asking connection wrote last. So the question goes behind a write of its
/// own that replicas get and nobody sees: whatever had been answered before lies in front of that in the stream of
/// replication. One question is under way for each shard; who comes meanwhile shares the next.
///
/// Only the process that executed a write can say whether its replica has it: after a restart the replica copies
/// whatever is left. So every upstream asks for the process it has reached (`run_id` of INFO), and an answer of another
/// one confirms nothing.
extension Worker {
    static let unconfirmedText =
        "NOREPLICAS the write was done at the primary, but no replica has confirmed it in time: it may or may not "
        + "survive a failure"
    static let unknownText =
        "ERR upstream connection lost before a replica has confirmed the write, it may or may not have been applied"
    private static let question =
        "*3\r\n$8\r\nSPUBLISH\r\n$16\r\n__tarn:witness__\r\n$0\r\n\r\n"
        + "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$3\r\n\(WithheldReplies.sliceMilliseconds)\r\n"

    // MARK: Withholding

    /// A whole reply to a write has come.
    /// - Returns: False when it may pass at once.
    @inline(never)
    mutating func withhold(_ upstream: UpstreamPointer, _ pending: Pending, _ bytes: Bytes, _ count: Int) -> Bool {
        guard pending.kind == .session || pending.kind == .part, bytes[0] != UInt8(ascii: "-") else { return false }
        let shard = upstream.pointee.shard
        if shard.pointee.durability.isDegraded {
            shard.pointee.database.pointee.statistics.degradedWrites &+= 1
            shard.pointee.durability.isProbeDue = true
            list(shard)
            return false
        }
        let process = upstream.pointee.process
        if process == 0 || !shard.pointee.durability.replies.isEmpty && shard.pointee.durability.process != process {
            failWithheld(shard)
            if process == 0 { askProcess(upstream) }
            fail(pending, Self.unknownText)
            return true
        }
        shard.pointee.durability.process = process
        _ = witness(of: shard)  // At once: a shard that left the routes goes with its last upstream.
        shard.pointee.durability.replies.append(
            pending, bytes, count, now: MonotonicClock.coarseMilliseconds(), &pool)
        list(shard)
        return true
    }

    func isKept(_ pending: Pending) -> Bool {
        pending.changesData && (pending.kind == .session || pending.kind == .part)
    }

    /// A piece of a long reply to a write: withheld when it is whole, so nothing of it may leave before.
    mutating func keepReply(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int, isComplete: Bool) {
        if upstream.pointee.keptReply.count + count <= Gather.maximumBytes {
            pool.append(&upstream.pointee.keptReply, bytes, count)
        } else {
            upstream.pointee.isKeptReplyTooLong = true
        }
        guard isComplete else { return }
        upstream.pointee.isKeepingReply = false
        var reply = ByteQueue()
        swap(&reply, &upstream.pointee.keptReply)
        let pending = upstream.pointee.streamed
        if upstream.pointee.isKeptReplyTooLong {
            upstream.pointee.isKeptReplyTooLong = false
            fail(pending, "ERR the write was applied, but its reply is larger than 512 MiB, which can't be withheld")
        } else if !withhold(upstream, pending, reply.first, reply.count) {  // Degraded meanwhile.
            if pending.kind == .session {
                let session = pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self)
                deliver(session, pending.sequence, ByteSpan(start: reply.first, count: reply.count).bytes)
            } else {
                addPart(pending, reply.first, reply.count, isLast: true)
            }
        }
        pool.release(&reply)
    }

    /// So much is withheld that its shard is not read until some of it has left.
    mutating func holdReading(_ upstream: UpstreamPointer) -> Bool {
        guard upstream.pointee.shard.pointee.durability.replies.isFull else { return false }
        upstream.pointee.isReadHeld = true
        return true
    }

    private mutating func list(_ shard: ShardPointer) {
        if shard.pointee.durability.isListed { return }
        shard.pointee.durability.isListed = true
        withholdingShards.append(shard)
    }

    // MARK: Once a turn

    /// Behind all events of the turn: gives the answers their effect, and asks anew.
    @inline(never)
    mutating func settleWithheld() {
        var position = 0
        while position < withholdingShards.count {
            let shard = withholdingShards[position]
            if let replicas = shard.pointee.durability.answer {
                shard.pointee.durability.answer = nil
                settle(shard, replicas)
            }
            if shard.pointee.isRetired { shard.pointee.durability.isProbeDue = false }
            let isProbeDue = shard.pointee.durability.isProbeDue && !shard.pointee.isHeld
            let isDue = !shard.pointee.durability.replies.isEmpty || isProbeDue
            if isDue && !shard.pointee.durability.isAsked && !shard.pointee.database.pointee.isRemoved { ask(shard) }
            position &+= 1
        }
    }

    private mutating func settle(_ shard: ShardPointer, _ replicas: Int) {
        let database = shard.pointee.database
        if database.pointee.needsLease {  // It was there when the reply came; it has to be when the client gets it.
            checkLease()
            if restraints.hasLapsed { return failWithheld(shard) }
        }
        if replicas > 0 {
            shard.pointee.durability.isDegraded = false
            shard.pointee.durability.isStarved = false
        }
        let outcome = shard.pointee.durability.replies.outcome(
            replicas: replicas, mode: database.pointee.table.routes.durability,
            now: MonotonicClock.coarseMilliseconds(), limit: shard.pointee.durability.limit)
        switch outcome {
        case .waiting: break
        case .confirmed(let count):
            database.pointee.statistics.confirmedWrites &+= UInt64(count)
            shard.pointee.durability.confirmedAt = MonotonicClock.milliseconds()
            release(shard, count)
        case .degraded(let count):
            shard.pointee.durability.isDegraded = true
            log("shard \(shard.pointee.identifier): no replica confirms writes; they are acknowledged without")
            database.pointee.statistics.degradedWrites &+= UInt64(count)
            release(shard, count)
        case .expired(let count):
            shard.pointee.durability.isStarved = true
            database.pointee.statistics.unconfirmedWrites &+= UInt64(count)
            for _ in 0..<count {
                guard let taken = shard.pointee.durability.replies.takeFirst(&pool) else { return }
                fail(taken.pending, Self.unconfirmedText)
            }
        }
    }

    private mutating func release(_ shard: ShardPointer, _ count: Int) {
        for _ in 0..<count {
            guard let taken = shard.pointee.durability.replies.takeFirst(&pool) else { return }
            if taken.pending.kind == .session {
                let session = taken.pending.target.unsafelyUnwrapped.assumingMemoryBound(to: Session.self)
                deliver(session, taken.pending.sequence, taken.bytes, taken.count)
            } else {
                addPart(taken.pending, taken.bytes, taken.count, isLast: true)
            }
        }
    }

    /// Behind the flush of the sessions: what was passed on is sent or copied.
    @inline(never)
    mutating func freeReleased() {
        var position = 0
        while position < withholdingShards.count {
            let shard = withholdingShards[position]
            shard.pointee.durability.isListed = false
            shard.pointee.durability.replies.freeTaken(&pool)
            if !shard.pointee.durability.replies.isFull { readAgain(shard) }
            dismissWitness(shard)
            position &+= 1
        }
        withholdingShards.count = 0
    }

    /// In the next turn, which comes at once.
    private mutating func readAgain(_ shard: ShardPointer) {
        for index in 0..<shard.pointee.all.count where shard.pointee.all[index].pointee.isReadHeld {
            shard.pointee.all[index].pointee.isReadHeld = false
            readableUpstreams.append(shard.pointee.all[index])
        }
    }

    mutating func readHeld() {
        while let upstream = readableUpstreams.removeLast() {
            if !upstream.pointee.isDead && upstream.pointee.descriptor >= 0 { read(upstream) }
        }
    }

    // MARK: The witness

    private mutating func witness(of shard: ShardPointer) -> UpstreamPointer {
        if let witness = shard.pointee.durability.witness { return witness }
        let witness = makeUpstream(shard, .witness, .resp2)
        shard.pointee.durability.witness = witness
        return witness
    }

    private mutating func ask(_ shard: ShardPointer) {
        let witness = witness(of: shard)
        shard.pointee.durability.isAsked = true
        shard.pointee.durability.isProbeDue = false
        shard.pointee.durability.replies.mark()
        var question = Array(Self.question.utf8)
        witness.pointee.pending.append(
            Pending(target: nil, sequence: 0, byteCount: 0, kind: .discard, isWrite: false))
        witness.pointee.pending.append(
            Pending(target: nil, sequence: 0, byteCount: question.count, kind: .witness, isWrite: false))
        question.withUnsafeMutableBufferPointer { send(witness, $0.baseAddress!, $0.count) }
    }

    mutating func takeTestimony(_ witness: UpstreamPointer, _ bytes: Bytes, _ count: Int) {
        let shard = witness.pointee.shard
        var reader = ReplyReader(bytes, count)
        var replicas = 0
        if bytes[0] == UInt8(ascii: ":") {
            replicas = reader.number() ?? 0
            let isSameProcess = witness.pointee.process == shard.pointee.durability.process
            if !shard.pointee.durability.replies.isEmpty && !isSameProcess { return lose(witness) }
        } else if !ByteSpan(start: bytes, count: count).text.hasPrefix("-BUSY ") {
            // A script that runs long tells nothing. Anything else says that this is no primary (any more).
            return lose(witness)
        }
        shard.pointee.durability.isAsked = false
        shard.pointee.durability.answer = replicas
        list(shard)
    }

    /// What it was to confirm, nobody can.
    mutating func loseWitness(_ witness: UpstreamPointer) {
        let shard = witness.pointee.shard
        disconnect(witness)
        witness.pointee.process = 0
        pool.release(&witness.pointee.rest)
        failAll(witness, "")
        shard.pointee.durability.isAsked = false
        shard.pointee.durability.answer = nil
        failWithheld(shard)
        dismissWitness(shard)
    }

    mutating func failWithheld(_ shard: ShardPointer) {
        while let taken = shard.pointee.durability.replies.takeFirst(&pool) {
            fail(taken.pending, Self.unknownText)
            list(shard)
        }
    }

    /// The last of a shard that left the routes: it stays while somebody may need it.
    mutating func dismissWitness(_ shard: ShardPointer) {
        guard shard.pointee.isRetired, shard.pointee.all.count == 1, shard.pointee.durability.replies.isEmpty,
            let witness = shard.pointee.durability.witness
        else { return }
        failAll(witness, "")
        destroy(witness)
    }

    // MARK: Processes

    /// Goes with the login, or behind what was sent when the database's durability changes.
    static let processQuestion = ["INFO", "server"]

    mutating func askProcess(_ upstream: UpstreamPointer) {
        var writer = ReplyWriter()
        writer.command(Self.processQuestion)
        var request = writer.bytes
        // In front of what has not left, so that this can still be taken out of the stream.
        let unsent = takeUnsent(upstream, upstream.pointee.unsentTail)
        upstream.pointee.pending.append(
            Pending(target: nil, sequence: 0, byteCount: request.count, kind: .process, isWrite: false))
        request.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
        giveUnsent(unsent.requests, unsent.bytes, to: upstream)
    }

    mutating func noteProcess(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) {
        let database = upstream.pointee.shard.pointee.database
        upstream.pointee.process = ShardProcessMark.find(in: bytes, count)
        let waits = database.pointee.table.routes.durability.waitsForReplica
        upstream.pointee.withholds = waits && upstream.pointee.role != .witness
    }

    /// New routes: upstreams that are there learn what they serve now. What was asked before is answered as before.
    mutating func followDurability(_ database: DatabasePointer) {
        let waits = database.pointee.table.routes.durability.waitsForReplica
        for index in 0..<database.pointee.shardCount {
            let shard = database.pointee.shards[index]
            shard.pointee.durability.isDegraded = false
            for position in 0..<shard.pointee.all.count {
                let upstream = shard.pointee.all[position]
                if upstream.pointee.isListening || upstream.pointee.withholds == waits { continue }
                if upstream.pointee.role == .witness { continue }
                if !waits {
                    upstream.pointee.withholds = false
                } else if upstream.pointee.descriptor >= 0 && !isMidRequest(upstream) {
                    askProcess(upstream)
                }
            }
        }
    }

    /// Half a long command has been sent over it; it is not lent again.
    private func isMidRequest(_ upstream: UpstreamPointer) -> Bool {
        upstream.pointee.owner.map { $0.pointee.streamUpstream == upstream } ?? false
    }
}
