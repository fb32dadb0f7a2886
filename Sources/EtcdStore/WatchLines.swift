import ClusterStore
import FoundationEssentials

/// Reads the answer of a watch: one JSON object a line, cut into pieces anywhere.
struct WatchLines {
    /// A line longer than this is refused. etcd sends at most 1000 revisions at once and takes requests up to 1.5 MiB.
    static let maximumBytes = 256 << 20

    enum Step: Equatable {
        /// The watch is set up; everything from its first revision on will come.
        case created
        case change(StoreChange)
        /// Nothing has changed; the member is alive.
        case progress
        /// The first revision was compacted away.
        case compacted(Int64)
        /// The member ended the watch: it lost its leader, or is stopping.
        case ended(String)
    }

    private var pending: [UInt8] = []

    mutating func append(_ bytes: [UInt8]) throws(StoreError) -> [Step] {
        var steps: [Step] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            pending.append(contentsOf: rest[..<end])
            rest = rest[(end + 1)...]
            if !pending.isEmpty { steps += try Self.steps(of: pending) }
            pending.removeAll(keepingCapacity: true)
        }
        pending.append(contentsOf: rest)
        guard pending.count <= Self.maximumBytes else {
            throw StoreError(.protocolViolation, "a watch answer longer than \(Self.maximumBytes) bytes")
        }
        return steps
    }

    private static func steps(of line: [UInt8]) throws(StoreError) -> [Step] {
        let message: StreamLine<WatchResponse>
        do {
            message = try JSONDecoder().decode(StreamLine<WatchResponse>.self, from: Data(line))
        } catch {
            let text = String(decoding: line.prefix(200), as: UTF8.self)
            throw StoreError(.protocolViolation, "a watch answer can't be read: \(error) in \(text)")
        }
        guard let answer = message.result else { return [.ended(message.error?.message ?? "no reason given")] }
        return steps(of: answer)
    }

    private static func steps(of answer: WatchResponse) -> [Step] {
        if answer.canceled == true {
            if let revision = answer.compact_revision?.value, revision > 0 { return [.compacted(revision)] }
            return [.ended(answer.cancel_reason ?? "canceled")]
        }
        if answer.created == true { return [.created] }
        let changes = changes(of: answer.events ?? [])
        return changes.isEmpty ? [.progress] : changes.map(Step.change)
    }

    /// etcd may put several transactions into one answer but, unless asked for fragments, never one transaction into
    /// two; its events stand together and in order.
    private static func changes(of events: [WatchResponse.Event]) -> [StoreChange] {
        var changes: [StoreChange] = []
        for event in events {
            let parts = event.kv.entry
            let isDeletion = event.type == "DELETE"
            let translated: StoreEvent =
                isDeletion ? .delete(key: parts.key, revision: parts.revision) : .put(StoreEntry(parts))
            if changes.last?.revision == parts.revision {
                changes[changes.count - 1].events.append(translated)
            } else {
                changes.append(StoreChange(events: [translated], revision: parts.revision))
            }
        }
        return changes
    }
}
