import HostControl
import PackageArchive

/// Why an installation, or its removal, stopped.
package struct InstallerError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notRoot = "install_not_root"
        /// A preflight check failed; the message names those that did.
        case preflight = "install_preflight"
        case declined = "install_declined"
        case badArgument = "install_bad_argument"
        /// Another `tarn install` or `uninstall` is at work under this prefix.
        case busy = "install_busy"
        /// The node is configured otherwise than asked for.
        case conflict = "install_conflict"
        case notStarted = "install_not_started"
        case notStopped = "install_not_stopped"
        case service = "install_service"
        case assembly = "package_assembly"
    }

    package var code: Code
    /// What happened, and what to do.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    package static func == (left: InstallerError, right: InstallerError) -> Bool { left.code == right.code }
}
