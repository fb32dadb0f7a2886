import ClusterModel
import RESP

/// CONFIG GET of a database, out of the answer of a shard: which settings clients may see, and which values are
/// the database's own rather than the shard's.
package enum ConfigurationView {
    /// What clients look at and can't change. What they can change, they can see (``SettingRule``).
    private static let visible: Set<String> = [
        "activedefrag", "aof-use-rdb-preamble", "appendfsync", "appendonly", "bind", "cluster-enabled", "databases",
        "dynamic-hz", "hz", "io-threads", "latency-tracking-info-percentiles", "maxclients", "maxmemory",
        "maxmemory-clients", "maxmemory-policy", "no-appendfsync-on-rewrite", "port", "rdbchecksum", "rdbcompression",
        "replica-read-only", "replicaof", "save", "set-max-listpack-entries", "set-max-listpack-value",
        "slave-read-only", "slaveof",
        "stop-writes-on-bgsave-error",
    ]

    /// For tests and debugging of redis itself, which tells of them only where they are asked for by their whole name.
    private static let hidden: Set<String> = [
        "key-load-delay", "loading-process-events-interval-bytes", "rdb-key-save-delay", "use-exit-on-panic",
        "watchdog-period",
    ]

    /// Settings of a server that belong to the cluster: asked to change them, the proxy says no rather than that they
    /// don't exist.
    private static let administrative: Set<String> = [
        "aclfile", "auto-aof-rewrite-min-size", "auto-aof-rewrite-percentage", "client-output-buffer-limit",
        "dbfilename", "dir", "enable-debug-command", "logfile", "loglevel", "masterauth",
        "masteruser", "min-replicas-max-lag", "min-replicas-to-write", "min-slaves-to-write", "oom-score-adj",
        "protected-mode", "repl-backlog-size", "repl-diskless-sync",
        "replica-serve-stale-data", "requirepass", "slave-serve-stale-data", "tls-cert-file", "tls-key-file",
        "tls-port", "unixsocket", "user",
    ]

    /// Nobody can change these while a redis-server runs.
    private static let immutable: Set<String> = [
        "always-show-logo", "appenddirname", "appendfilename", "cluster-config-file", "cluster-enabled",
        "cluster-port", "daemonize", "databases", "disable-thp", "io-threads", "io-threads-do-reads", "pidfile",
        "set-proc-title", "supervised", "syslog-enabled", "syslog-facility", "syslog-ident", "tcp-backlog",
        "unixsocketperm",
    ]

    package static func isImmutable(_ name: String) -> Bool { immutable.contains(name) }

    /// - Parameter name: In lower case, as for the other one.
    package static func isVisible(_ name: String) -> Bool { visible.contains(name) || hidden.contains(name) }
    package static func isAdministrative(_ name: String) -> Bool { administrative.contains(name) }

    /// Of what an order asks for, the first that is not so.
    package static func difference(_ part: [UInt8], from order: SettingsOrder) -> String? {
        let values = Dictionary(read(part)) { first, _ in first }
        return order.fixed.sorted { $0.key < $1.key }.first { name, value in
            (order.own[name] ?? values[name]) != value
        }?.key
    }

    private static func read(_ part: [UInt8]) -> [(String, String)] {
        ReplyMerger.read(part) { reader in
            var pairs: [(String, String)] = []
            _ = reader.number()
            while let name = reader.bulk()?.text, let value = reader.bulk()?.text { pairs.append((name, value)) }
            return pairs
        }
    }

    static func merge(_ part: [UInt8], _ own: [String: String]) -> [UInt8] {
        let isMap = part.first == UInt8(ascii: "%")
        var writer = ReplyWriter(usesRESP3: isMap)
        let shown = read(part).filter { name, _ in isVisible(name) || SettingRule.named(name) != nil }
        writer.map(pairs: shown.count)
        for (name, value) in shown {
            writer.bulk(name)
            writer.bulk(own[name] ?? value)
        }
        return writer.bytes
    }
}

/// What a CONFIG SET asks for, once it is read.
package struct SettingsOrder: Sendable {
    /// As the client wrote it, for error texts.
    package var firstName: String
    package var changes: [String: String]
    /// What can't be changed, with the values that it would have to have already.
    package var fixed: [String: String]
    /// The database's own values, before those of its shards.
    package var own: [String: String]

    package init(firstName: String, own: [String: String]) {
        self.firstName = firstName
        self.own = own
        changes = [:]
        fixed = [:]
    }
}
