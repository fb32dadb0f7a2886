import Glibc

/// What the installer recorded of this node in `etc/tarn/node.conf`: lines `key = value`, `#` starts a comment line.
package struct NodeSettings: Hashable, Sendable {
    /// Who keeps the watchdog alive.
    package enum Supervisor: String, Sendable, CaseIterable {
        case systemd
        /// Nobody: watchdog and manager bring each other back.
        case itself = "self"
        case container
    }

    /// Whose OpenSSL the programs run with.
    package enum OpenSSLOrigin: String, Sendable, CaseIterable {
        case system, package
    }

    package var prefix: String
    /// IPv4 address that peers and clients reach the node by.
    package var address: String
    package var supervisor: Supervisor
    package var openSSL: OpenSSLOrigin

    package init(
        prefix: String, address: String, supervisor: Supervisor = .itself, openSSL: OpenSSLOrigin = .system
    ) {
        self.prefix = prefix
        self.address = address
        self.supervisor = supervisor
        self.openSSL = openSSL
    }

    /// - Throws: ``NodeSettingsError`` when the file can't be read, or lacks or has an odd value.
    package static func load(prefix: String) throws(NodeSettingsError) -> NodeSettings {
        let path = NodePaths(prefix: prefix).settings
        guard let text = LocalFile.text(path) else {
            throw NodeSettingsError(path: path, problem: "can't be read (\(String(cString: strerror(errno)))); "
                + "install the node first: tarn install --prefix \(prefix)")
        }
        return try parse(text, path: path, prefix: prefix)
    }

    /// - Parameters:
    ///   - path: For error messages.
    ///   - prefix: Where the file was found; used when the file itself names none.
    package static func parse(
        _ text: String, path: String, prefix: String
    ) throws(NodeSettingsError) -> NodeSettings {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let line = trimmed(line)
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard let equals = line.firstIndex(of: "=") else {
                throw NodeSettingsError(path: path, problem: "has a line without `=`: \(line)")
            }
            values[trimmed(line[..<equals])] = trimmed(line[line.index(after: equals)...])
        }
        guard let address = values["address"], isIPv4(address) else {
            let found = values["address"] ?? "nothing"
            throw NodeSettingsError(path: path, problem: "needs `address = <IPv4 address>`, has \(found)")
        }
        return NodeSettings(
            prefix: values["prefix"] ?? prefix, address: address,
            supervisor: try choice(values["supervisor"], key: "supervisor", default: .itself, path),
            openSSL: try choice(values["openssl"], key: "openssl", default: .system, path))
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: String?, key: String, default fallback: Choice, _ path: String
    ) throws(NodeSettingsError) -> Choice {
        guard let value else { return fallback }
        guard let choice = Choice(rawValue: value) else {
            let accepted = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw NodeSettingsError(path: path, problem: "has `\(key) = \(value)`; accepted: \(accepted)")
        }
        return choice
    }

    private static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    private static func trimmed(_ text: Substring) -> String {
        let blank: Set<Character> = [" ", "\t", "\r"]
        guard let first = text.firstIndex(where: { !blank.contains($0) }),
            let last = text.lastIndex(where: { !blank.contains($0) })
        else { return "" }
        return String(text[first...last])
    }
}

/// node.conf is missing or wrong.
package struct NodeSettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    package var path: String
    package var problem: String

    package init(path: String, problem: String) {
        self.path = path
        self.problem = problem
    }

    package var description: String { "\(path) \(problem)" }
}
