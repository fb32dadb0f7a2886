package import ClusterModel
package import RESP

/// Replies to writes of one shard that are kept back until a replica has the writes. One queue for each shard and loop,
/// whatever upstreams the replies came over.
///
/// ```
///   replies, as they come ──▶ [ r1 r2 r3 │ r4 r5 ]      mark: the question that is under way was asked here
///                               released │ wait for the next question
/// ```
/// A question covers whatever had been received before it was sent: the primary executed that before it gets the
/// question, so its replication stream has it in front. Everybody who came in between shares the next one, so the wait
/// costs throughput nothing; and no question is under way for longer than a slice, so no reply waits for much longer
/// than the limit.
///
/// Taken replies lie where they are until ``freeTaken(_:)``: the loop passes them on from there, without a copy.
package struct WithheldReplies {
    /// How long a reply waits for a replica: five times what a busy replica's event loop was seen to take, and short of
    /// what clients wait for by default (1 to 5 s). Less turns a replica's pauses (a fork, a slow command) into errors;
    /// more leaves clients hanging while a replica is gone.
    package static let limitMilliseconds = 1000
    /// The same while none has confirmed since such a limit was over: a replica whose node was lost is waited for once,
    /// not by each write, and a client that goes from shard to shard gets on to those that have theirs.
    package static let starvedLimitMilliseconds = 200
    /// How long one question may take. Less asks a stuck replica more often; more makes the limit coarser.
    package static let sliceMilliseconds = 100
    /// Beyond this nothing more is read from the shard. 100,000 short replies; a client has 4096 unanswered at most.
    package static let limitBytes = 4 << 20

    /// What is to be done after an answer.
    package enum Outcome: Equatable {
        /// So many are confirmed: pass them on.
        case confirmed(Int)
        /// So many have waited too long: their clients get an error instead.
        case expired(Int)
        /// No replica confirms, and the database does without: pass all of them on.
        case degraded(Int)
        case waiting
    }

    package struct Taken {
        package let pending: Pending
        package let bytes: Bytes
        package let count: Int
    }

    private struct Entry {
        var pending: Pending
        var byteCount: UInt32
        /// Low bits of the monotonic milliseconds of its arrival.
        var since: UInt32
    }

    private static let entryBytes = MemoryLayout<Entry>.stride

    private var entries = ByteQueue()
    private var bytes = ByteQueue()
    private var takenBytes = 0
    /// How many of the first entries the question under way covers.
    private var marked = 0

    package init() {}

    package var count: Int { entries.count / Self.entryBytes }
    package var isEmpty: Bool { entries.isEmpty }
    package var byteCount: Int { entries.count &+ bytes.count }
    package var isFull: Bool { byteCount >= Self.limitBytes }

    /// - Parameter now: Monotonic milliseconds.
    package mutating func append(
        _ pending: Pending, _ reply: Bytes, _ count: Int, now: Int, _ pool: inout BufferPool
    ) {
        var entry = Entry(
            pending: pending, byteCount: UInt32(truncatingIfNeeded: count), since: UInt32(truncatingIfNeeded: now))
        withUnsafeMutableBytes(of: &entry) { raw in
            let base = raw.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)
            pool.append(&entries, base, MemoryLayout<Entry>.size)
        }
        entries.end &+= Self.entryBytes &- MemoryLayout<Entry>.size
        pool.append(&bytes, reply, count)
    }

    /// A question is sent now; everything that is here lies in front of it.
    package mutating func mark() { marked = count }

    /// - Parameters:
    ///   - replicas: How many have what the question covers; 0 when there was no use in asking, too.
    ///   - limit: How long a reply may wait, in milliseconds.
    package func outcome(replicas: Int, mode: Durability, now: Int, limit: Int = limitMilliseconds) -> Outcome {
        if replicas > 0 { return marked > 0 ? .confirmed(marked) : .waiting }
        var late = 0
        while late < count && waited(late, now) >= limit { late += 1 }
        if late == 0 { return .waiting }
        return mode == .replica ? .expired(late) : .degraded(count)
    }

    private func waited(_ index: Int, _ now: Int) -> Int {
        Int(Int32(bitPattern: UInt32(truncatingIfNeeded: now) &- self[index].since))
    }

    private subscript(index: Int) -> Entry {
        (UnsafeRawPointer(entries.first) + index * Self.entryBytes).load(as: Entry.self)
    }

    /// Takes the first one out. Nothing may be appended from the first one that is passed on until ``freeTaken(_:)``.
    package mutating func takeFirst(_ pool: inout BufferPool) -> Taken? {
        if entries.isEmpty { return nil }
        let entry = self[0]
        pool.consume(&entries, Self.entryBytes)
        if marked > 0 { marked &-= 1 }
        let count = Int(entry.byteCount)
        let reply = bytes.base.unsafelyUnwrapped + (bytes.start &+ takenBytes)
        takenBytes &+= count
        return Taken(pending: entry.pending, bytes: reply, count: count)
    }

    /// Nobody looks at what was taken any more.
    package mutating func freeTaken(_ pool: inout BufferPool) {
        if takenBytes == 0 { return }
        pool.consume(&bytes, takenBytes)
        takenBytes = 0
    }

    /// - Precondition: Empty.
    package mutating func release(_ pool: inout BufferPool) {
        pool.release(&entries)
        pool.release(&bytes)
        self = WithheldReplies()
    }
}

/// What one loop knows about the confirmations of one shard.
package struct ShardDurability {
    package var replies = WithheldReplies()
    /// The process that executed what is withheld (``Upstream/process``); no other's replicas can confirm that.
    package var process: UInt64 = 0
    /// When a replica last confirmed something, in monotonic milliseconds: of the shard that had the slots before, too.
    package var confirmedAt = 0
    /// Writes have waited in vain, and none has been confirmed since.
    package var isStarved = false
    /// The connection over which questions go; opened on first use.
    package var witness: UpstreamPointer?
    /// A question is under way.
    package var isAsked = false
    /// What the last question brought, until the end of the turn.
    package var answer: Int?
    /// No replica confirms, and the database does without.
    package var isDegraded = false
    /// Writes are passed on unconfirmed: ask whether a replica is back.
    package var isProbeDue = false
    /// In the loop's list of shards to look at.
    package var isListed = false

    package init() {}

    /// How long a reply may wait, in milliseconds.
    package var limit: Int {
        isStarved ? WithheldReplies.starvedLimitMilliseconds : WithheldReplies.limitMilliseconds
    }
}
