/// What the installer decided for this node: the content of `etc/tarn/node.conf`, which every program of the node
/// reads when it starts.
///
/// Lines of `key = value` without quotes; `#` starts a comment line. Keys that are not known here are passed over, so
/// that a program still starts after a newer one has written the file; of a key given twice the last one counts.
package struct NodeSettings: Hashable, Sendable {
    /// Who keeps the watchdog alive.
    package enum Supervisor: String, Sendable, CaseIterable {
        /// The unit `tarn.service` starts it.
        case systemd
        /// Nobody, and nobody after a reboot: watchdog and manager bring each other back. For loopback nodes and
        /// trials.
        case itself = "self"
        /// It is PID 1 of a container.
        case container
    }

    /// Whose libssl and libcrypto the programs load. The installer has compared the versions.
    package enum OpenSSLOrigin: String, Sendable, CaseIterable {
        case system, package
    }

    package var prefix: String
    /// IPv4 by which peers and clients reach the node. Nil in a container image, whose address is known only when it
    /// runs.
    package var address: String?
    /// Default: `itself`.
    package var supervisor: Supervisor
    /// Default: `system`.
    package var openSSL: OpenSSLOrigin

    package init(
        prefix: String, address: String?, supervisor: Supervisor = .itself, openSSL: OpenSSLOrigin = .system
    ) {
        self.prefix = prefix
        self.address = address
        self.supervisor = supervisor
        self.openSSL = openSSL
    }

    package var paths: NodePaths { NodePaths(prefix: prefix) }

    /// For programs that can't work without an address.
    ///
    /// - Throws: ``NodeSettingsError`` when the file has none.
    package var requiredAddress: String {
        get throws(NodeSettingsError) {
            guard let address else {
                throw NodeSettingsError(path: paths.settings, problem: "`address = <IPv4 address>` is missing")
            }
            return address
        }
    }

    /// What the installer writes; parsing it gives the same settings.
    package var text: String {
        var lines = [
            "# Written by `tarn install`; the programs of this node read it when they start.",
            "prefix = \(prefix)",
        ]
        if let address { lines.append("address = \(address)") }
        lines.append("supervisor = \(supervisor.rawValue)")
        lines.append("openssl = \(openSSL.rawValue)")
        return lines.joined(separator: "\n") + "\n"
    }
}

/// `node.conf` is missing or wrong.
package struct NodeSettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    /// Names the line or the key, and what is accepted.
    package var problem: String

    package init(path: String, problem: String) {
        self.path = path
        self.problem = problem
    }

    package static func missing(_ paths: NodePaths) -> NodeSettingsError {
        NodeSettingsError(
            path: paths.settings,
            problem: "it can't be read; install the node first: `tarn install --prefix \(paths.prefix)`")
    }

    package var description: String { "\(path): \(problem)" }
}
