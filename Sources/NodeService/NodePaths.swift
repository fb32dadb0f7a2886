package import ClusterModel

/// Where everything of a node lies under its prefix (`/` on a server, a directory for a loopback node).
package struct NodePaths: Hashable, Sendable {
    /// Without a slash at its end; empty for `/`.
    package let prefix: String

    package init(prefix: String) {
        var prefix = prefix
        while prefix.hasSuffix("/") { prefix.removeLast() }
        self.prefix = prefix
    }

    // What the package brought. `current` is a link to the version in force.
    package var current: String { "\(prefix)/opt/tarn/current" }
    package var binaries: String { "\(current)/bin" }
    package var libraries: String { "\(current)/lib" }
    package func program(_ name: String) -> String { "\(binaries)/\(name)" }

    // What the installer wrote.
    package var settings: String { "\(prefix)/etc/tarn/node.conf" }

    // What must survive a reboot.
    package var data: String { "\(prefix)/var/lib/tarn" }
    package var store: String { "\(data)/etcd" }
    package var shards: String { "\(data)/shards" }
    package var flash: String { "\(data)/flash" }
    package var pki: String { "\(data)/pki" }
    package var authorityCertificate: String { "\(pki)/ca.crt" }
    package var nodeCertificate: String { "\(pki)/node.crt" }
    package var nodeKey: String { "\(pki)/node.key" }
    package var bootstrapCertificate: String { "\(pki)/bootstrap.crt" }
    package var bootstrapKey: String { "\(pki)/bootstrap.key" }

    package var logs: String { "\(prefix)/var/log/tarn" }
    package func log(of process: String) -> String { "\(logs)/\(process).log" }

    package var run: String { "\(prefix)/run/tarn" }
    package var watchdogSocket: String { "\(run)/watchdog.sock" }
    /// Held (flock) by the watchdog as long as it lives.
    package var watchdogLock: String { "\(run)/watchdog.lock" }
    package var proxySocket: String { "\(run)/proxy.sock" }
    package var managerSocket: String { "\(run)/manager.sock" }

    package func shardDirectory(_ shard: ShardID) -> String { "\(shards)/\(shard)" }
    package func shardConfiguration(_ shard: ShardID) -> String { "\(shardDirectory(shard))/redis.conf" }
    package func shardSocket(_ shard: ShardID) -> String { "\(shardDirectory(shard))/shard.sock" }
}
