/// Where everything of a node lies under its prefix (`/` on a server, a directory for a loopback node).
///
/// What belongs to one shard is in `NodeService`, which alone knows shards: the watchdog reads this and stays small.
package struct NodePaths: Hashable, Sendable {
    /// Without a slash at its end; empty for `/`.
    private let base: String

    /// - Parameter prefix: Absolute; slashes at its end don't matter.
    package init(prefix: String) {
        var base = prefix
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
    }

    package var prefix: String { base.isEmpty ? "/" : base }
    /// Whether the node is the machine's own, not one of several under directories.
    package var isSystem: Bool { base.isEmpty }
}

// MARK: - What the package and the installer brought

extension NodePaths {
    package var programs: String { "\(base)/opt/tarn" }
    package var versions: String { "\(programs)/versions" }
    package func version(_ version: String) -> String { "\(versions)/\(version)" }
    /// A link to the version in force.
    package var current: String { "\(programs)/current" }
    package var binaries: String { "\(current)/bin" }
    package func program(_ name: String) -> String { "\(binaries)/\(name)" }
    package var libraries: String { "\(current)/lib" }
    /// On the library path only when the installer chose the package's OpenSSL.
    package var openSSLLibraries: String { "\(libraries)/openssl" }
    /// Held while a version is laid down or removed.
    package var installationLock: String { "\(programs)/.install.lock" }

    package var configuration: String { "\(base)/etc/tarn" }
    /// See ``NodeSettings``.
    package var settings: String { "\(configuration)/node.conf" }
    /// Public keys that the administrator trusts besides the one that `tarn` carries.
    package var trustedKeys: String { "\(configuration)/trusted-keys" }
    package var systemdUnit: String { "\(base)/etc/systemd/system/tarn.service" }
}

// MARK: - What survives a reboot

extension NodePaths {
    package var data: String { "\(base)/var/lib/tarn" }
    package var store: String { "\(data)/etcd" }
    /// The data of a store that was made by a recovery lies beside that of the lost one.
    /// - Parameter name: Of the store; `0` is the one that the cluster was created with.
    package func store(named name: String) -> String { name == "0" ? store : "\(store)-\(name)" }
    /// Copies of the configuration, from which a lost store can be made anew.
    package var snapshots: String { "\(data)/snapshots" }
    /// What a store is being made from; there only while that goes on.
    package var recovery: String { "\(data)/recovery.snapshot" }
    package var shards: String { "\(data)/shards" }
    package var flash: String { "\(data)/flash" }
    /// Written last when the node becomes a member of a cluster.
    package var identity: String { "\(data)/node.json" }

    package var pki: String { "\(data)/pki" }
    package var authorityCertificate: String { "\(pki)/ca.crt" }
    package var nodeCertificate: String { "\(pki)/node.crt" }
    package var nodeKey: String { "\(pki)/node.key" }
    package var bootstrapCertificate: String { "\(pki)/bootstrap.crt" }
    package var bootstrapKey: String { "\(pki)/bootstrap.key" }

    package var logs: String { "\(base)/var/log/tarn" }
    package func log(of process: String) -> String { "\(logs)/\(process).log" }
}

// MARK: - What lives until the next reboot

extension NodePaths {
    package var run: String { "\(base)/run/tarn" }
    package var watchdogSocket: String { "\(run)/watchdog.sock" }
    /// Held by the watchdog as long as it lives.
    package var watchdogLock: String { "\(run)/watchdog.lock" }
    /// The watchdog's table of processes, for its successor.
    package var watchdogState: String { "\(run)/watchdog.state" }
    /// Name of the store whose member runs.
    package var storeMark: String { "\(run)/etcd.store" }
    package var proxySocket: String { "\(run)/proxy.sock" }
    /// Who can read it may bootstrap the node.
    package var bootstrapSecret: String { "\(run)/bootstrap.secret" }
    /// Says that a bootstrap was begun from this machine and not seen to end.
    package var bootstrapAttempt: String { "\(run)/bootstrap.attempt" }
}
