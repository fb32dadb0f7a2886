/// Why something asked for is refused. The codes are the reference system's where it has one.
package struct PlanError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Snake case, stable: `insufficient_resources`, `port_unavailable`, …
    package var code: String
    /// HTTP status at the REST edge; 406 is the reference system's "understood, but no".
    package var status: Int
    /// What is wrong and what to do.
    package var message: String

    package init(code: String, status: Int, message: String) {
        self.code = code
        self.status = status
        self.message = message
    }

    package init(_ code: String, status: Int = 406, _ message: String) {
        self.init(code: code, status: status, message: message)
    }

    package var description: String { message }
}
