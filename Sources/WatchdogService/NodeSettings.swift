/// What the watchdog reads from `node.conf`: lines of `key = value`, `#` starts a comment line. Keys that other
/// programs read are passed over.
package struct NodeSettings: Hashable, Sendable {
    /// Who starts the watchdog again when it dies; handed to the children as `TARN_SUPERVISOR`.
    package enum Supervisor: String, Hashable, Sendable {
        /// Nobody: the manager does.
        case own = "self"
        case systemd
        case container
    }

    /// Whose libssl and libcrypto the programs load. The installer has compared the versions.
    package enum OpenSSL: String, Hashable, Sendable {
        case system, package
    }

    package var supervisor: Supervisor
    package var openSSL: OpenSSL

    package init(supervisor: Supervisor, openSSL: OpenSSL) {
        self.supervisor = supervisor
        self.openSSL = openSSL
    }

    /// - Throws: ``WatchdogError`` with code `configuration` that names line or key and the accepted values.
    package init(parsing text: String) throws(WatchdogError) {
        self.init(supervisor: .own, openSSL: .system)
        // Not split at "\n": with a carriage return before it, it is another Character.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let trimmed = Self.trim(line)
            if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
            guard let equals = trimmed.firstIndex(of: "=") else {
                throw WatchdogError(.configuration, "node.conf line \(index + 1): `key = value` is expected")
            }
            try set(Self.trim(trimmed[..<equals]), to: Self.trim(trimmed[trimmed.index(after: equals)...]))
        }
    }

    private mutating func set(_ key: Substring, to value: Substring) throws(WatchdogError) {
        switch key {
        case "supervisor":
            guard let supervisor = Supervisor(rawValue: String(value)) else {
                throw WatchdogError(.configuration, "supervisor = \(value): self, systemd or container is accepted")
            }
            self.supervisor = supervisor
        case "openssl":
            guard let openSSL = OpenSSL(rawValue: String(value)) else {
                throw WatchdogError(.configuration, "openssl = \(value): system or package is accepted")
            }
            self.openSSL = openSSL
        default: break
        }
    }

    private static func trim(_ text: Substring) -> Substring {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var trimmed = text.drop(while: isBlank)
        while let last = trimmed.last, isBlank(last) { trimmed.removeLast() }
        return trimmed
    }
}
