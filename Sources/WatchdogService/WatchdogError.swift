import Glibc

/// Why a watchdog cannot start, or a thing it tried failed; the message says what to do about it.
package struct WatchdogError: Error, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Another watchdog keeps this prefix.
        case alreadyRunning
        case configuration
        case system
        /// A process could not be started.
        case spawn
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// - Parameter number: An `errno`, by default the present one.
    static func system(_ what: String, _ number: Int32 = errno) -> WatchdogError {
        WatchdogError(.system, "\(what): \(String(cString: strerror(number)))")
    }

    package var description: String { message }
}
