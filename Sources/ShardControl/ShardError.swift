/// A shard could not be asked, or said no.
package struct ShardError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Nothing listens there, or the connection broke. A command under way may or may not have been executed.
        case unreachable
        /// No answer before the deadline. The connection is closed, since its next reply would be the late one.
        case timeout
        /// redis' own error reply; the message is its text, code word first (`NOPERM`, `WRONGPASS`, `LOADING` …).
        case refused
        /// Bytes that are no RESP2.
        case protocolViolation
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// Whether redis answered with this code word.
    package func isRefusal(_ word: String) -> Bool { code == .refused && message.hasPrefix(word) }
}
