package import RESP

extension Refusals {
    /// Why a shard executed nothing of what it was asked, as its answer says.
    package enum Reason: Sendable {
        /// It is a replica, or loading.
        case role
        /// Fewer replicas than `min-replicas-to-write` are in step with it: it declines writes and nothing else.
        case replicas

        /// How long a shard may decline before clients are told, in milliseconds.
        ///
        /// Without replicas more than the process of a killed primary takes to come back as one (0.1 s, and the time of
        /// a copy of its data), and less than it takes to settle that a node is lost (2.4 s): its copies don't come
        /// back so soon.
        package var limitMilliseconds: Int {
            switch self {
            case .role: 5000
            case .replicas: 2000
            }
        }

        /// A confirmation that is older says nothing about when a replica was lost: nobody wrote.
        static let memoryMilliseconds = 10_000
    }

    private static let abort = "-EXECABORT Transaction discarded because of"

    /// Nil for every other reply. The whole sentence is compared where it may come from a script too: these choose
    /// their own errors, and redis-server adds the script's name when one ends because a command of it was declined.
    package static func reason(_ reply: Bytes, _ count: Int) -> Reason? {
        if count < 8 || count >= 128 { return nil }
        return reason(UnsafeBufferPointer(start: reply + 1, count: count - 1)[...])
    }

    private static func reason(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Reason? {
        if text.elementsEqual("NOREPLICAS Not enough good replicas to write.\r\n".utf8) { return .replicas }
        if text.elementsEqual("READONLY You can't write against a read only replica.\r\n".utf8)
            || text.starts(with: "LOADING ".utf8) || text.starts(with: "MASTERDOWN ".utf8)
        {
            return .role
        }
        return nil
    }

    /// What EXEC answers when it, or a command before it, was declined.
    /// - Parameter part: Why a command before it was.
    package static func abortReason(_ reply: Bytes, _ count: Int, part: Reason?) -> Reason? {
        let text = UnsafeBufferPointer(start: reply, count: count)
        guard count < 192, text.starts(with: abort.utf8) else { return nil }
        if text.dropFirst(abort.utf8.count).starts(with: ": ".utf8) {
            return reason(text.dropFirst(abort.utf8.count + 2))
        }
        return part
    }
}
