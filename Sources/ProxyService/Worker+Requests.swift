import ProxyCore
import RESP

/// From client bytes to upstreams: the request path.
extension Worker {
    /// A command longer than this is passed on while it arrives, through an upstream of its own.
    static let streamThreshold = 64 << 10

    /// What became of one command that needed a closer look.
    enum Step {
        case next
        /// Taken; the session waits for its replies before the next one.
        case nextAfterReplies
        /// Not taken: the session is parked in front of it.
        case parked
        /// Nothing more of this session is of interest.
        case stop
    }

    /// Takes whole commands, and the parts of a long one.
    ///
    /// Adjacent commands for one upstream are copied as one run; that, and one send per upstream and turn, is what
    /// makes pipelines cheap.
    /// - Returns: How many bytes were used; the rest is half a command, or waits because the session is parked.
    mutating func consume(_ session: SessionPointer, _ bytes: Bytes, _ count: Int) -> Int {
        var index = 0
        if session.pointee.isStreaming {
            index = continueStream(session, bytes, count)
            if session.pointee.isStreaming || session.pointee.isParked || session.pointee.isDead { return index }
        }
        if session.pointee.isParked { return index }
        let database = session.pointee.database
        let slots = database.pointee.slots
        var upstreams = upstreams(of: session)
        var passingTier = database.pointee.passingTier
        var command = ScannedCommand()
        var head = CommandHead()
        var runStart = index
        var run: UpstreamPointer?
        let firstSequence = session.pointee.nextSequence
        defer { database.pointee.statistics.requests &+= UInt64(session.pointee.nextSequence &- firstSequence) }
        while index < count {
            if bytes[index] == 0x2A {
                let repeats = head.scan(bytes + index, count &- index, &command)
                let scan = repeats ? .complete : scanCommand(bytes + index, count &- index, &command)
                if scan == .complete {
                    var entry = repeats ? head.entry : nil
                    if !repeats, session.pointee.mode.rawValue == 0,
                        let found = commands.find(bytes + (index &+ command.nameOffset), count: command.nameCount),
                        found.pointee.tier <= passingTier, found.pointee.accepts(argumentCount: command.argumentCount)
                    {
                        entry = found
                        head.remember(bytes + index, command, found)
                    }
                    if let entry {
                        var upstream = upstreams[0]
                        if let slots {
                            let slot = hasher.slot(of: bytes + (index &+ command.keyOffset), count: command.keyCount)
                            upstream = upstreams[Int(slots[slot])]
                        }
                        if upstream != run {
                            if let run { send(run, bytes + runStart, index &- runStart) }
                            run = upstream
                            runStart = index
                        }
                        if mustPark(session, upstream) { break }
                        upstream.pointee.pending.append(
                            Pending(
                                target: session, sequence: session.pointee.nextSequence, byteCount: command.byteCount,
                                kind: .session, effectCode: entry.pointee.effectCode))
                        session.pointee.nextSequence &+= 1
                        session.pointee.lastCommand = entry
                        index &+= command.byteCount
                        continue
                    }
                    if let run { send(run, bytes + runStart, index &- runStart) }
                    run = nil
                    switch examine(session, bytes + index, command) {
                    case .next: index &+= command.byteCount
                    case .nextAfterReplies:
                        index &+= command.byteCount
                        park(session, untilReplied: true)
                        return index
                    case .parked: return index
                    case .stop: return count
                    }
                    upstreams = self.upstreams(of: session)  // HELLO, SELECT and CLIENT change what follows.
                    passingTier = database.pointee.passingTier
                    head = CommandHead()
                    runStart = index
                    continue
                }
                if let run { send(run, bytes + runStart, index &- runStart) }
                run = nil
                return index + incomplete(session, bytes + index, count &- index, command, scan)
            }
            if let run { send(run, bytes + runStart, index &- runStart) }
            run = nil
            let used = inline(session, bytes + index, count &- index)
            if used == 0 || session.pointee.isDead || session.pointee.isClosing || session.pointee.isParked {
                return session.pointee.isClosing ? count : index + used
            }
            index &+= used
            runStart = index
        }
        if let run { send(run, bytes + runStart, index &- runStart) }
        return index
    }

    /// Too many unanswered, too much unread, or the upstream is full or held.
    @inline(__always)
    mutating func mustPark(_ session: SessionPointer, _ upstream: UpstreamPointer) -> Bool {
        if session.pointee.nextSequence &- session.pointee.sendSequence >= session.pointee.window {
            park(session, untilReplied: false)
            return true
        }
        if session.pointee.output.count > SessionLimits.backlogBytes {
            park(session, untilReplied: false)
            return true
        }
        if upstream.pointee.isBlocked || upstream.pointee.hold == .waiting {
            parkBlocked(session)
            return true
        }
        return false
    }

    // MARK: Commands that are not whole

    /// - Returns: How many bytes were used.
    private mutating func incomplete(
        _ session: SessionPointer, _ bytes: Bytes, _ count: Int, _ command: ScannedCommand, _ scan: CommandScan
    ) -> Int {
        switch scan {
        case .invalidArgumentCount: return protocolError(session, "invalid multibulk length", count)
        case .invalidBulkLength: return protocolError(session, "invalid bulk length", count)
        case .expectedBulk:
            let shown = String(UnicodeScalar(command.unexpected))
            return protocolError(session, "expected '$', got '\(shown)'", count)
        case .complete: return 0
        case .partial: break
        }
        if session.pointee.mode.contains(.unauthenticated)
            && (command.argumentCount > 10 || command.byteCount > Self.chunkLimit)
        {
            return protocolError(session, "unauthenticated bulk length", count)
        }
        guard command.byteCount > Self.streamThreshold || count > Self.streamThreshold else { return 0 }
        return startStream(session, bytes, count, command)
    }

    private static var chunkLimit: Int { 16 << 10 }

    mutating func protocolError(_ session: SessionPointer, _ text: String, _ count: Int) -> Int {
        var writer = ReplyWriter()
        writer.error("ERR Protocol error: \(text)")
        answer(session, writer.bytes)
        closeWhenDone(session)
        return count
    }

    /// A line of words. Rewritten as a multi-bulk command and taken like one.
    /// - Returns: 0 when the line is not whole.
    private mutating func inline(_ session: SessionPointer, _ bytes: Bytes, _ count: Int) -> Int {
        var end = 0
        let limit = min(count, InlineCommand.maximumBytes)
        while end < limit && bytes[end] != 10 { end += 1 }
        guard end < limit else {
            return count >= InlineCommand.maximumBytes ? protocolError(session, "too big inline request", count) : 0
        }
        guard let words = InlineCommand.words(bytes, end) else {
            return protocolError(session, "unbalanced quotes in request", count)
        }
        if words.isEmpty { return end + 1 }
        var writer = ReplyWriter()
        writer.array(words.count)
        for word in words { writer.bulk(word) }
        writer.raw([UInt8](repeating: 0, count: scanSlackBytes))
        var text = writer.bytes
        let length = text.count - scanSlackBytes
        let used = text.withUnsafeMutableBufferPointer { consume(session, $0.baseAddress!, length) }
        return used == length ? end + 1 : 0
    }

    // MARK: To an upstream

    /// Adds bytes to the upstream's next send; long pieces leave at once, uncopied.
    @inline(__always)
    mutating func send(_ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int) {
        if count == 0 { return }
        if count >= BufferPool.chunkBytes {
            sendLarge(upstream, bytes, count)
        } else {
            pool.append(&upstream.pointee.output, bytes, count)
            markDirty(upstream)
        }
    }

    /// Passes one whole command to an upstream, its reply to the session.
    mutating func forward(
        _ session: SessionPointer, _ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int, effect: CommandEffect
    ) {
        sendCaching(session, upstream)
        upstream.pointee.pending.append(
            Pending(
                target: session, sequence: session.pointee.nextSequence, byteCount: count, kind: .session,
                effectCode: effect.rawValue))
        session.pointee.nextSequence &+= 1
        send(upstream, bytes, count)
    }

    mutating func forward(
        _ session: SessionPointer, _ upstream: UpstreamPointer, _ bytes: Bytes, _ count: Int, isWrite: Bool
    ) {
        forward(session, upstream, bytes, count, effect: isWrite ? .data : .none)
    }
}
