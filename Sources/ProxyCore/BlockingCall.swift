package import RESP

/// A blocking command while it waits at a shard, so that it can be asked again where the routes lead now.
package struct BlockingCall {
    private enum Clock { case seconds, milliseconds }

    private let arguments: [[UInt8]]
    /// Where the time limit stands, and in which unit.
    private let limit: (position: Int, clock: Clock)?
    /// Monotonic milliseconds.
    private let startedAt: Int
    /// Since when shards decline it, in monotonic milliseconds.
    package var declinedSince: Int?

    /// - Parameters:
    ///   - arguments: The whole command.
    ///   - name: Of the command, in lower case.
    package init(_ arguments: [ByteSpan], name: String, now: Int) {
        self.arguments = arguments.map(\.bytes)
        startedAt = now
        switch name {
        case "blmpop", "bzmpop": limit = (1, .seconds)
        case "xread", "xreadgroup":
            let word = arguments.firstIndex { $0.isWord("block") }
            limit = word.flatMap { $0 + 1 < arguments.count ? ($0 + 1, .milliseconds) : nil }
        default: limit = arguments.count > 1 ? (arguments.count - 1, .seconds) : nil
        }
    }

    /// The request with what is left of its time; nil when that is over. No limit (0) stays none, and what is no number
    /// is the shard's to refuse.
    package func request(now: Int) -> [UInt8]? {
        var words = arguments
        if let limit, let value = Double(String(decoding: words[limit.position], as: UTF8.self)), value > 0,
            value < 1e12
        {
            let given = limit.clock == .seconds ? value * 1000 : value
            let left = given - Double(now - startedAt)
            if left < 1 { return nil }
            let whole = Int(left)
            let text =
                limit.clock == .seconds ? "\(whole / 1000).\(String(whole % 1000 + 1000).dropFirst())" : "\(whole)"
            words[limit.position] = Array(text.utf8)
        }
        var writer = ReplyWriter()
        writer.command(words)
        return writer.bytes
    }

    /// How long to wait before the next try: half of the time that shards have declined it, 5 ... 250 ms.
    package func delay(now: Int) -> Int { min(250, max(5, (now - (declinedSince ?? now)) / 2)) }

    /// Whether a shard ended the wait, or did not begin it, for what it is: nothing was taken.
    /// - Parameter isLeaving: It has left the routes, and was asked to end what waits there.
    package static func isEnded(_ reply: Bytes, _ count: Int, isLeaving: Bool) -> Bool {
        let text = UnsafeBufferPointer(start: reply, count: count)
        return text.starts(with: "-UNBLOCKED force unblock".utf8) || Refusals.reason(reply, count) != nil
            || isLeaving && text.starts(with: "-UNBLOCKED client unblocked".utf8)
    }
}
