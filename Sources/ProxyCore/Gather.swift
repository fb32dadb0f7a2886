package import RESP

/// A request that went to several shards, or whose reply the proxy has to change: collects the parts, then makes
/// one reply.
package final class Gather {
    package enum Merge {
        /// Element `i` comes from the next element of part `owners[i]`.
        case elements(owners: [UInt16])
        case sum, minimum, list
        /// The reply of the first shard stands for all; an error of any wins.
        case first
        /// One shard of all can do it; errors of the others say only that it wasn't theirs.
        case anyOK
        /// Set operations: of all parts; of the first part without the others.
        case union, intersection, difference
        case latencyLatest, latencyHistory
        /// A key for each shard, then the size of each shard, by which it is chosen.
        case randomKey
        /// FUNCTION DUMP of shards that may have what another one lacks.
        case functions(FunctionReplay)
        case scriptLoad(body: [UInt8])
        /// CONFIG GET: what clients may see of the shard's settings, with the database's own in place.
        case configuration([String: String])
        /// CONFIG SET of what clients may see and not change, which is fine when it is so already.
        case settings(SettingsOrder)
        /// INFO of a shard, of which only the version is of interest.
        case learnVersion
        case info(InfoFacts)
        /// Rewrites the cursor of the shard's reply.
        case scan(ScanPlace)
        /// `SCRIPT EXISTS`: all shards have it, or one does and the proxy can bring it to the others.
        case scripts(known: [Bool])
        /// Newest first, at most so many.
        case slowlog(limit: Int)
        case slowlogLength(limit: Int)
        /// Texts of those who have something to tell.
        case report
        case functionStats
        /// What the proxy answers itself is in `own`, in the form of a part.
        case histogram(own: [UInt8])
        /// The shard's description of a command this loop doesn't know.
        case learn
        /// Names and counts in turn, the same names in every part: `PUBSUB SHARDNUMSUB`.
        case namedCounts
        /// What the client gets when no shard objects.
        case fixed([UInt8])
        /// The shard's answer where a command has its keys.
        case keys
        /// EXEC of a block between whose parts the proxy's own are to come.
        case transaction
        /// Whether a script keeps the shard from taking commands.
        case busy
        /// FUNCTION LIST, of which only what functions may do is of interest.
        case functionFlags
    }

    package let session: SessionPointer
    package let sequence: UInt32
    package let merge: Merge
    /// The version that its session spoke when it asked; the parts speak it too.
    private let usesRESP3: Bool
    package private(set) var parts: [[UInt8]]
    package private(set) var missing: Int
    private var byteCount = 0
    /// Above this a merged reply is refused: it would have to be held whole.
    package static let maximumBytes = 512 << 20

    package init(session: SessionPointer, sequence: UInt32, merge: Merge, partCount: Int) {
        self.session = session
        self.sequence = sequence
        self.merge = merge
        usesRESP3 = session.pointee.usesRESP3
        parts = Array(repeating: [], count: partCount)
        missing = partCount
    }

    package func add(_ part: Int, _ bytes: Bytes, _ count: Int) {
        byteCount += count
        if byteCount <= Self.maximumBytes {
            parts[part].append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
        }
    }

    /// A part that failed on the way.
    package func replace(_ part: Int, _ bytes: Bytes, _ count: Int) {
        parts[part] = Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    /// - Returns: True when this was the last part.
    package func finishPart() -> Bool {
        missing -= 1
        return missing == 0
    }

    package func reply(random: UInt64) -> [UInt8] {
        if byteCount > Self.maximumBytes {
            var writer = ReplyWriter()
            writer.error("ERR the merged reply is larger than 512 MiB; ask for fewer keys at once")
            return writer.bytes
        }
        return ReplyMerger.merge(parts, merge, random: random, usesRESP3: usesRESP3)
    }
}
