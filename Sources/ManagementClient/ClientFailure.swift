/// Why a command could not do what it was asked.
package struct ClientFailure: Error, Sendable, CustomStringConvertible {
    /// Also the exit status of `tarn`; documented in docs/reference/cli.md.
    package enum Kind: Int32, Sendable {
        /// The API said no, or the operation failed.
        case refused = 1
        /// What was asked for makes no sense as written.
        case usage = 2
        /// No API there, or one that isn't trusted.
        case unreachable = 3
        /// Wrong or missing credentials, or a role that may not.
        case unauthorized = 4
        /// Still going on when the wait was over.
        case timedOut = 5
    }

    package var kind: Kind
    /// The API's `error_code`, or one of ours in the same style.
    package var code: String
    /// One line: what happened and what to do.
    package var message: String

    package init(_ kind: Kind, _ code: String, _ message: String) {
        self.kind = kind
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
