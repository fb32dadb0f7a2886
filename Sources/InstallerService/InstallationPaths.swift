/// Where the parts of an installation are under its prefix (`/` on a server, a directory for a loopback node).
package struct InstallationPaths: Hashable, Sendable {
    /// Without a slash at its end; empty for `/`.
    private let base: String

    /// - Parameter prefix: Absolute.
    package init(prefix: String) {
        var base = prefix
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
    }

    package var prefix: String { base.isEmpty ? "/" : base }
    package var isSystem: Bool { base.isEmpty }

    package var programs: String { "\(base)/opt/tarn" }
    package var versions: String { "\(base)/opt/tarn/versions" }
    package var current: String { "\(base)/opt/tarn/current" }
    package var lock: String { "\(base)/opt/tarn/.install.lock" }
    package var configuration: String { "\(base)/etc/tarn" }
    package var nodeConfiguration: String { "\(base)/etc/tarn/node.conf" }
    package var trustedKeys: String { "\(base)/etc/tarn/trusted-keys" }
    package var data: String { "\(base)/var/lib/tarn" }
    package var logs: String { "\(base)/var/log/tarn" }
    package var run: String { "\(base)/run/tarn" }
    package var watchdogSocket: String { "\(base)/run/tarn/watchdog.sock" }
    package var systemdUnit: String { "\(base)/etc/systemd/system/tarn.service" }

    package func version(_ version: String) -> String { "\(versions)/\(version)" }
    package func program(_ name: String) -> String { "\(current)/bin/\(name)" }

    /// Directories that the running node writes to, with their modes; private keys live in the last.
    var writable: [(path: String, mode: UInt32)] {
        [
            (data, 0o750), ("\(data)/etcd", 0o700), ("\(data)/shards", 0o750), ("\(data)/flash", 0o750),
            (logs, 0o750), (run, 0o755), ("\(data)/pki", 0o700),
        ]
    }

    var readable: [String] { [programs, versions, configuration, trustedKeys] }

    /// Those above ours that an installation may have made; removed again when they are empty.
    var shared: [String] {
        base.isEmpty ? [] : ["opt", "etc", "var/lib", "var/log", "var", "run"].map { "\(base)/\($0)" } + [base]
    }
}
