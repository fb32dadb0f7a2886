import COpenSSL
import ProxyCore
import RESP

/// Scripts and functions belong to the whole database, yet a shard may lack them: it restarted without its data, or it
/// came later. What it lacks is brought to it when it says so, and the request is sent again.
///
/// - A script's text is asked of nobody: the proxy remembers what was loaded through it (`SCRIPT LOAD`), and where
///   there are several shards, also what one of them got by EVAL.
/// - Functions are another shard's to tell (`FUNCTION DUMP`).
extension Worker {
    private static let noScript = Array("-NOSCRIPT No matching script. Please use EVAL.\r\n".utf8)
    private static let noFunction = Array("-ERR Function not found\r\n".utf8)

    /// - Parameter answered: As for ``repeatLater(_:_:answered:_:_:)``.
    /// - Returns: False when the answer has to be the client's: nobody has what is missing, or it was brought before,
    ///   or the session has sent more, which must not come first.
    @inline(never)
    mutating func replay(
        _ upstream: UpstreamPointer, _ pending: Pending, answered: Int, _ text: Bytes, _ count: Int
    ) -> Bool {
        let isScript = count == Self.noScript.count
        guard isScript || count == Self.noFunction.count,
            UnsafeBufferPointer(start: text, count: count).elementsEqual(isScript ? Self.noScript : Self.noFunction),
            upstream.pointee.isShared,
            !upstream.pointee.isRetired || upstream.pointee.isOvertaken && !upstream.pointee.shard.pointee.isRetired,
            pending.kind == .session, pending.part == 0,
            let target = pending.target
        else { return false }
        let session = target.assumingMemoryBound(to: Session.self)
        guard !session.pointee.isDead, session.pointee.nextSequence == pending.sequence &+ 1 else { return false }
        let bytesToEnd = upstream.pointee.sentUnanswered - answered + Int(pending.byteCount)
        let offset = upstream.pointee.sent.count - bytesToEnd
        guard offset >= 0 else { return false }
        let request = ByteSpan(start: upstream.pointee.sent.first + offset, count: Int(pending.byteCount)).bytes
        return isScript
            ? replayScript(upstream, pending, session, request) : fetchFunctions(upstream, pending, session, request)
    }

    private mutating func replayScript(
        _ upstream: UpstreamPointer, _ pending: Pending, _ session: SessionPointer, _ request: [UInt8]
    ) -> Bool {
        let digest = Self.argument(1, of: request).map(asciiLowered)
        let shared = session.pointee.database.pointee.table.shared
        guard let body = shared.scripts.withLock({ $0.body(of: digest) }) else { return false }
        var writer = ReplyWriter()
        writer.array(3)
        writer.bulk("SCRIPT")
        writer.bulk("LOAD")
        writer.bulk(body)
        // Overtaken meanwhile, on a busy machine: its successor goes on.
        let successor =
            upstream.pointee.isOvertaken ? upstream.pointee.shard.pointee.shared[upstream.pointee.lane] : nil
        send(again: pending, request, behind: writer.bytes, successor ?? upstream)
        return true
    }

    private mutating func fetchFunctions(
        _ upstream: UpstreamPointer, _ pending: Pending, _ session: SessionPointer, _ request: [UInt8]
    ) -> Bool {
        let database = session.pointee.database
        let count = database.pointee.shardCount
        let lacking = (0..<count).first { database.pointee.shards[$0] == upstream.pointee.shard }
        guard let lacking, count > 1 else { return false }
        let replay = FunctionReplay(shard: lacking, request: request, isWrite: pending.isWrite)
        let gather = Gather(
            session: session, sequence: pending.sequence, merge: .functions(replay), partCount: count - 1)
        var writer = ReplyWriter()
        writer.command(["FUNCTION", "DUMP"])
        let others = (0..<count).filter { $0 != lacking }
        for (part, index) in others.enumerated() {
            ask(gather, part, sharedUpstream(session, index), writer.bytes, isWrite: false)
        }
        return true
    }

    /// The other shards have told what they have. The largest dump is the whole of what was loaded.
    mutating func finish(_ replay: FunctionReplay, _ gather: Gather) {
        let session = gather.session
        guard !session.pointee.isDead, replay.shard < session.pointee.database.pointee.shardCount,
            let dump = gather.parts.filter({ $0.first == UInt8(ascii: "$") }).max(by: { $0.count < $1.count })
        else { return deliver(session, gather.sequence, Self.noFunction) }
        var writer = ReplyWriter()
        writer.array(4)
        writer.bulk("FUNCTION")
        writer.bulk("RESTORE")
        writer.raw(dump)
        writer.bulk("REPLACE")
        let pending = Pending(
            target: session, sequence: gather.sequence, byteCount: replay.request.count, kind: .session,
            isWrite: replay.isWrite)
        send(again: pending, replay.request, behind: writer.bytes, sharedUpstream(session, replay.shard))
    }

    private mutating func send(
        again pending: Pending, _ request: [UInt8], behind preparation: [UInt8], _ upstream: UpstreamPointer
    ) {
        var again = pending
        again.part = 1  // Once is enough.
        upstream.pointee.pending.append(
            Pending(target: nil, sequence: 0, byteCount: preparation.count, kind: .discard, isWrite: true))
        upstream.pointee.pending.append(again)
        var stream = preparation + request
        stream.withUnsafeMutableBufferPointer { send(upstream, $0.baseAddress!, $0.count) }
    }

    private static func argument(_ index: Int, of request: [UInt8]) -> [UInt8] {
        var bytes = request + [UInt8](repeating: 0, count: scanSlackBytes)
        return bytes.withUnsafeMutableBufferPointer { buffer in
            var command = ScannedCommand()
            guard scanCommand(buffer.baseAddress!, request.count, &command) == .complete else { return [] }
            let arguments = ArgumentCursor.all(buffer.baseAddress!, command)
            return index < arguments.count ? arguments[index].bytes : []
        }
    }

    // MARK: SCRIPT LOAD, SCRIPT FLUSH

    /// Every shard has it.
    mutating func finishLoad(_ body: [UInt8], _ gather: Gather) {
        let reply = gather.reply(random: 0)
        if reply.starts(with: "$40\r\n".utf8), reply.count == 47, !gather.session.pointee.isDead {
            let shared = gather.session.pointee.database.pointee.table.shared
            shared.scripts.withLock { $0.remember(Array(reply[5..<45]), body) }
        }
        deliver(gather.session, gather.sequence, reply)
    }

    /// A shard has it from EVAL, by the digest of its text; the others may be asked for it by EVALSHA.
    func rememberScript(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand, _ info: CommandInfo) {
        guard info.name == "eval" || info.name == "eval_ro" else { return }
        let body = ArgumentCursor.all(bytes, command)[1]
        var digest = [UInt8](repeating: 0, count: 20)
        EVP_Digest(body.start, body.count, &digest, nil, EVP_sha1(), nil)
        let digits = Array("0123456789abcdef".utf8)
        let name = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        let shared = session.pointee.database.pointee.table.shared
        shared.scripts.withLock { cache in
            if cache.body(of: name) == nil { cache.remember(name, body.bytes) }
        }
    }

    /// SCRIPT EXISTS: which of them could be brought to a shard.
    func knownScripts(_ session: SessionPointer, _ bytes: Bytes, _ command: ScannedCommand) -> [Bool] {
        let digests = ArgumentCursor.all(bytes, command).dropFirst(2).map { $0.bytes.map(asciiLowered) }
        let shared = session.pointee.database.pointee.table.shared
        return shared.scripts.withLock { cache in digests.map { cache.body(of: $0) != nil } }
    }

    /// SCRIPT FLUSH is on its way to every shard.
    func forgetScripts(_ session: SessionPointer) {
        session.pointee.database.pointee.table.shared.scripts.withLock { $0.forgetAll() }
    }
}
