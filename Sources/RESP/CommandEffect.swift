/// What a command leaves behind.
package enum CommandEffect: UInt8, Sendable {
    /// Nothing: it may be repeated.
    case none
    /// No data, and still not to be repeated: messages were sent.
    case passing
    /// The data set may be another one.
    case data

    /// - Parameter mayWrite: As far as redis' flags tell. They don't of scripts, of which nobody knows what they do.
    init(name: String, mayWrite: Bool) {
        if name.hasSuffix("publish") {
            self = .passing
        } else {
            let isScript = name.hasPrefix("eval") || name.hasPrefix("fcall")
            self = mayWrite || isScript && !name.hasSuffix("_ro") ? .data : .none
        }
    }
}
