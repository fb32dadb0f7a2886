import HostControl

/// `etc/tarn/node.conf`: what the installer decided, read by every program of the node.
package struct NodeConfiguration: Equatable, Sendable {
    package enum Supervisor: String, Sendable, CaseIterable {
        /// The unit `tarn.service` starts the watchdog.
        case systemd
        /// The installer starts it, and nobody after a reboot: for loopback nodes and trials.
        case itself = "self"
        /// It is PID 1 of a container.
        case container
    }

    package enum OpenSSLOrigin: String, Sendable {
        case system, package
    }

    package var prefix: String
    /// Nil in a container image, whose address is known only when it runs.
    package var address: String?
    package var supervisor: Supervisor
    package var openSSL: OpenSSLOrigin

    package init(prefix: String, address: String?, supervisor: Supervisor, openSSL: OpenSSLOrigin) {
        self.prefix = prefix
        self.address = address
        self.supervisor = supervisor
        self.openSSL = openSSL
    }

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

    /// Nil when there is no such file, or none that an installer wrote.
    package init?(file path: String) {
        guard let text = HostFile.text(path) else { return nil }
        self.init(parsing: text)
    }

    package init?(parsing text: String) {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(separator: "=", maxSplits: 1).map { part in
                String(part.drop { $0 == " " }.reversed().drop { $0 == " " || $0 == "\r" }.reversed())
            }
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        guard let prefix = values["prefix"], let supervisor = values["supervisor"].flatMap(Supervisor.init(rawValue:))
        else { return nil }
        self.init(
            prefix: prefix, address: values["address"], supervisor: supervisor,
            openSSL: values["openssl"].flatMap(OpenSSLOrigin.init(rawValue:)) ?? .package)
    }
}
