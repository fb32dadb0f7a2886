import Glibc

/// Something on this machine could not be read, changed or run.
package struct HostError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case file = "host_file"
        case network = "host_network"
        case process = "host_process"
        case library = "host_library"
    }

    package var code: Code
    /// What happened, and what to do where that is not obvious.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The failure of a system call; call it before anything else can change `errno`.
    package static func file(_ operation: String, _ path: String, _ number: Int32 = errno) -> HostError {
        HostError(.file, "Cannot \(operation) \(path): \(String(cString: strerror(number))).")
    }

    package var description: String { message }

    package static func == (left: HostError, right: HostError) -> Bool { left.code == right.code }
}
