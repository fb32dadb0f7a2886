/// Writes and reads the redis.conf of a shard.
///
/// The file is also the record of what the running process was last told: it is rewritten after a change took effect,
/// never before. So a file that says what is wanted means that the process does too, and no CONFIG GET is needed.
package enum ShardConfigurationFile {
    /// In the shard's directory.
    package static let name = "redis.conf"
    /// The unix socket, relative to `dir`, since an absolute path could be longer than a socket address holds.
    package static let socketName = "shard.sock"

    package static func text(_ settings: ShardSettings) -> String {
        var lines = [
            "# Shard \(settings.shard), written by Tarn. Changes made here are lost.",
            "daemonize no",
            "supervised no",
            "dir \(quoted(settings.directory))",
            "unixsocket \(socketName)",
            "unixsocketperm 600",
            "port 0",
            "protected-mode yes",
            "databases 16",
            "maxclients 10000",
            "timeout 0",
            "tcp-keepalive 60",
            // Standard output, which the watchdog writes to the shard's log.
            "loglevel notice",
            "logfile \"\"",
            "always-show-logo no",
            "set-proc-title yes",
            "crash-log-enabled yes",
            "io-threads 1",
            "enable-debug-command no",
            "enable-module-command no",
        ]
        lines += network(settings) + replication(settings) + persistence
        lines += settings.runtimeParameters.map(line)
        lines += settings.users.map { "user \($0.name) \($0.rules.joined(separator: " "))" }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func network(_ settings: ShardSettings) -> [String] {
        [
            "bind \(settings.address)",
            "tls-port \(settings.port)",
            "tls-cert-file \(quoted(settings.certificatePath))",
            "tls-key-file \(quoted(settings.privateKeyPath))",
            "tls-ca-cert-file \(quoted(settings.authorityPath))",
            "tls-auth-clients yes",
            "tls-replication yes",
            "tls-cluster no",
            "tls-protocols \"TLSv1.2 TLSv1.3\"",
            // Proxies reconnect in bursts after a failover.
            "tls-session-caching yes",
        ]
    }

    private static func replication(_ settings: ShardSettings) -> [String] {
        [
            "masteruser replica",
            // The address by which the primary knows this replica when it hands over to it (FAILOVER TO).
            "replica-announce-ip \(settings.address)",
            "replica-announce-port \(settings.port)",
            "replica-read-only yes",
            // A primary that was replaced starts as an empty replica. A proxy that hasn't heard yet asks it still, and
            // is to be declined (MASTERDOWN) until it has its data, not told that there are no keys.
            "replica-serve-stale-data no",
            "repl-diskless-sync yes",
            // One replica per primary: there is no second one to wait for.
            "repl-diskless-sync-delay 0",
            "repl-diskless-load on-empty-db",
            "repl-timeout 60",
            "repl-ping-replica-period 2",
            "repl-disable-tcp-nodelay no",
            // An orderly stop lets the replica catch up, within this many seconds.
            "shutdown-timeout 5",
        ] + (settings.primary.map { ["replicaof \($0.host) \($0.port)"] } ?? [])
    }

    private static let persistence = [
        // A full disk must not stop a tenant's writes: what was promised is memory, plus snapshots when there is room.
        // Reports say that saving fails. (An append-only file that can't be written does stop them: redis insists.)
        "stop-writes-on-bgsave-error no",
        "rdbcompression yes",
        "rdbchecksum yes",
        "dbfilename dump.rdb",
        // A database without persistence leaves no files of a first synchronisation behind.
        "rdb-del-sync-files yes",
        "aof-use-rdb-preamble yes",
        "aof-load-truncated yes",
        "no-appendfsync-on-rewrite no",
        "auto-aof-rewrite-percentage 100",
        "auto-aof-rewrite-min-size 64mb",
    ]

    private static func line(_ parameter: ShardParameter) -> String {
        let needsQuotes = parameter.value.isEmpty || parameter.value.contains(" ")
        // Several rules fit on one `save` line since redis 7.0, but not quoted.
        let isRuleList = parameter.name == "save" && !parameter.value.isEmpty
        return "\(parameter.name) \(needsQuotes && !isRuleList ? quoted(parameter.value) : parameter.value)"
    }

    /// As redis' `sdssplitargs` reads it.
    private static func quoted(_ text: String) -> String {
        "\"" + text.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
    }
}

extension ShardConfigurationFile {
    /// What a running shard has to be told for the file `old` to become the file of `settings`. Nothing when they
    /// differ only in what takes a role change or a restart.
    package static func changes(from old: String, to settings: ShardSettings) -> ShardChanges {
        let oldLines = Set(old.split(separator: "\n").map(String.init))
        return ShardChanges(
            parameters: settings.runtimeParameters.filter { !oldLines.contains(line($0)) },
            users: settings.users.filter { !oldLines.contains("user \($0.name) \($0.rules.joined(separator: " "))") })
    }

    /// The manager's password as the file has it: the one to log in with while a new one isn't in force yet.
    package static func managerPassword(in text: String) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix("user manager ") {
            return line.split(separator: " ").first { $0.hasPrefix(">") }.map { String($0.dropFirst()) }
        }
        return nil
    }

    /// Whether a primary with this file takes writes though no replica follows it.
    package static func takesWritesAlone(_ text: String) -> Bool {
        text.split(separator: "\n").contains("min-replicas-to-write 0")
    }

    /// Whether the process that was started with this file began as a replica.
    package static func isReplica(_ text: String) -> Bool {
        text.split(separator: "\n").contains { $0.hasPrefix("replicaof ") }
    }
}

/// What to tell a running shard.
package struct ShardChanges: Hashable, Sendable {
    package var parameters: [ShardParameter]
    package var users: [ShardUser]

    package init(parameters: [ShardParameter] = [], users: [ShardUser] = []) {
        self.parameters = parameters
        self.users = users
    }

    package var isEmpty: Bool { parameters.isEmpty && users.isEmpty }
}
