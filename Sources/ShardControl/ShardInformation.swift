/// What a shard tells of itself in INFO.
package struct ShardInformation: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        case primary
        case replica(of: ShardPeer)
    }

    package var role: Role
    package var pid: Int32
    package var uptimeSeconds: Int64
    package var usedMemoryBytes: Int64
    package var keys: Int64
    /// Reading its RDB or AOF, or the data set that its primary sent.
    package var isLoading: Bool
    /// True for a replica whose replication link is established; false for a primary.
    package var isLinkUp: Bool
    /// A first synchronisation with its primary is under way.
    package var isSynchronizing: Bool
    /// Bytes of the replication stream: produced by a primary, processed by a replica.
    package var replicationOffset: Int64
    /// Replicas that are attached, those that still receive their first copy included.
    package var attachedReplicas: [ShardPeer]
    /// Replicas that are attached and follow the stream.
    package var onlineReplicas: [ShardPeer]
    /// Replicas that follow the stream and have acknowledged nothing for two seconds or more; they do so every second.
    package var silentReplicas: [ShardPeer]
    /// The last background save or append-only write failed: disk full, most likely.
    package var isPersistenceFailing: Bool

    /// - Throws: ``ShardError/Code/protocolViolation`` when the text has no role.
    package init(parsing text: String) throws(ShardError) {
        var fields: [Substring: Substring] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        func number(_ name: Substring) -> Int64 { fields[name].flatMap { Int64($0) } ?? 0 }

        switch fields["role"] {
        case "master": role = .primary
        case "slave":
            let host = String(fields["master_host"] ?? "")
            role = .replica(of: ShardPeer(host: host, port: UInt16(truncatingIfNeeded: number("master_port"))))
        default: throw ShardError(.protocolViolation, "INFO names no role")
        }
        pid = Int32(truncatingIfNeeded: number("process_id"))
        uptimeSeconds = number("uptime_in_seconds")
        usedMemoryBytes = number("used_memory")
        isLoading = number("loading") != 0
        isLinkUp = fields["master_link_status"] == "up"
        isSynchronizing = number("master_sync_in_progress") != 0
        replicationOffset = number(role == .primary ? "master_repl_offset" : "slave_repl_offset")
        isPersistenceFailing =
            fields["rdb_last_bgsave_status"] == "err" || fields["aof_last_write_status"] == "err"
        keys = fields.reduce(0) { sum, field in
            field.key.hasPrefix("db") && field.value.hasPrefix("keys=")
                ? sum + (Int64(field.value.dropFirst(5).prefix { $0 != "," }) ?? 0) : sum
        }
        let replicas = fields.compactMap { ShardInformation.replica($0.key, $0.value) }
            .sorted { ($0.peer.host, $0.peer.port) < ($1.peer.host, $1.peer.port) }
        attachedReplicas = replicas.map(\.peer)
        onlineReplicas = replicas.filter(\.isOnline).map(\.peer)
        silentReplicas = replicas.filter { $0.isOnline && $0.lag >= 2 }.map(\.peer)
    }

    private struct Replica {
        var peer: ShardPeer
        var isOnline: Bool
        /// Whole seconds since its last acknowledgement.
        var lag: Int
    }

    /// Reads `slave0:ip=127.0.0.1,port=20001,state=online,offset=14,lag=0`.
    private static func replica(_ name: Substring, _ value: Substring) -> Replica? {
        guard name.hasPrefix("slave"), Int(name.dropFirst(5)) != nil else { return nil }
        var parts: [Substring: Substring] = [:]
        for part in value.split(separator: ",") {
            guard let equals = part.firstIndex(of: "=") else { continue }
            parts[part[..<equals]] = part[part.index(after: equals)...]
        }
        guard let host = parts["ip"], let port = parts["port"].flatMap({ UInt16($0) }) else { return nil }
        return Replica(
            peer: ShardPeer(host: String(host), port: port), isOnline: parts["state"] == "online",
            lag: parts["lag"].flatMap { Int($0) } ?? 0)
    }
}

/// The mutual-TLS port of a shard, as other shards reach it.
package struct ShardPeer: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package var description: String { "\(host):\(port)" }
}
