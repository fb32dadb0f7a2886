import RESP

/// Commands between MULTI and EXEC.
///
/// Most are the shard's: they travel as one block. What the proxy answers itself stands between them, and its answers
/// take their places in EXEC's reply when the shard has done its part.
/// ```
///   client   MULTI   SET a 1   CONFIG GET x   INCR a   EXEC
///   shard    MULTI   SET a 1                  INCR a   EXEC  ──▶ [+OK, :2]
///   proxy                      CONFIG GET x                  ──▶ [+OK, …, :2]
/// ```
package struct Transaction {
    package enum Part: Equatable {
        /// The shard's answer is the client's.
        case shard
        /// The proxy's to answer, once the shard has executed the block.
        case proxy([UInt8])
        /// Within the block for its shard; the others are asked when that is done.
        case everyShard([UInt8])
        /// SELECT: the shard does it within the block, the proxy for what the session sends later.
        case select([UInt8])
    }

    /// MULTI as the client wrote it: MONITOR shows it so.
    package let opening: [UInt8]
    /// What the shard gets between MULTI and EXEC.
    package private(set) var stream: [UInt8] = []
    package private(set) var parts: [Part] = []
    package private(set) var byteCount = 0
    package private(set) var shardCount = 0
    package private(set) var selects = false
    /// The shard's reply to EXEC is not yet the client's.
    package private(set) var isMixed = false
    /// Something of it is held by CLIENT PAUSE WRITE.
    package var mayReplicate = false
    /// A command could not be queued.
    package var isAborted = false

    package init(opening: [UInt8] = []) { self.opening = opening }

    package mutating func append(_ part: Part, _ request: UnsafeBufferPointer<UInt8>) {
        parts.append(part)
        byteCount += request.count
        if part != .shard { isMixed = true }
        if case .select = part { selects = true }
        if case .proxy = part { return }
        stream.append(contentsOf: request)
        shardCount += 1
    }

    /// - Parameter database: What the connection has selected and is to have selected afterwards.
    package func block(exec: UnsafeBufferPointer<UInt8>, database: Int) -> (bytes: [UInt8], commandCount: Int) {
        var bytes = opening + stream
        var writer = ReplyWriter()
        // Within the block, so that it is done whenever the rest is.
        if selects { writer.command(["SELECT", String(database)]) }
        bytes += writer.bytes
        bytes.append(contentsOf: exec)
        return (bytes, shardCount + (selects ? 3 : 2))
    }
}

/// A transaction that its shard has executed and that has parts of the proxy's.
package struct Execution {
    private var parts: ArraySlice<Transaction.Part>
    private var elements: ArraySlice<[UInt8]> = []
    /// EXEC's reply as far as it has come.
    package private(set) var reply: [UInt8] = []
    /// What is being answered; nil: nothing is under way.
    private var collected: [UInt8]?

    /// Index of the shard that has executed the block.
    package let shard: Int

    /// Number of the request.
    package let sequence: UInt32

    package init(_ transaction: Transaction, shard: Int, sequence: UInt32) {
        self.shard = shard
        self.sequence = sequence
        parts = transaction.parts[...]
        var writer = ReplyWriter()
        writer.array(parts.count)
        reply = writer.bytes
    }

    /// - Returns: False when the shard did not execute the block: its reply is the client's.
    package mutating func begin(_ shardReply: [UInt8]) -> Bool {
        guard let elements = ReplyMerger.elements(of: shardReply) else { return false }
        self.elements = elements[...]
        return true
    }

    /// A part that the proxy has to do something for, with the shard's answer where it has one. The shard's own before
    /// it are added to the reply.
    package mutating func next() -> (part: Transaction.Part, element: [UInt8]?)? {
        finish()
        while let part = parts.first {
            if case .proxy = part { return (part, nil) }
            let element = elements.first ?? ReplyMerger.malformed
            guard case .shard = part else { return (part, element) }
            reply += element
            parts.removeFirst()
            elements = elements.dropFirst()
        }
        return nil
    }

    package var isCollecting: Bool { collected != nil }
    package mutating func collect() { collected = [] }
    /// What was asked was not taken and has to be asked again.
    package mutating func giveUp() { collected = nil }
    package mutating func add(_ bytes: UnsafeBufferPointer<UInt8>) { collected?.append(contentsOf: bytes) }

    /// What was collected is the answer of the part at hand.
    private mutating func finish() {
        guard let answer = collected, let part = parts.popFirst() else { return }
        collected = nil
        reply += answer.isEmpty ? ReplyMerger.malformed : answer
        if case .proxy = part { return }
        elements = elements.dropFirst()
    }
}
