package import TLS

/// Why a request has no answer.
package struct HTTPClientError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// No TCP connection: nobody listens, no route, unknown name.
        case connectFailed
        /// The deadline passed, while connecting or waiting for the answer.
        case timedOut
        case tls(TLSError)
        /// The connection ended before the whole answer was there, or the client was shut down.
        case closed
        /// The answer is longer than ``HTTPClient/maximumResponseBytes``.
        case tooLarge
        /// The task that asked was cancelled.
        case cancelled
        /// The server answered something that isn't HTTP/1.1.
        case protocolViolation
        /// The request can't be sent as it is.
        case invalidRequest
        /// A streamed request was answered with a status outside 200...299; the message has the body.
        case status(Int)
    }

    package var code: Code
    /// What happened and what to do about it.
    package var message: String
    /// Whether the server may have seen the request. False: repeating it is safe, whatever it does.
    package var wasSent: Bool

    package init(_ code: Code, _ message: String, wasSent: Bool) {
        self.code = code
        self.message = message
        self.wasSent = wasSent
    }

    package var description: String { message }
}
