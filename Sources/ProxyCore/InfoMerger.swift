import RESP

/// What the proxy itself knows for INFO.
package struct InfoFacts {
    package var port: UInt16
    package var connections: Int
    package var heldClients: Int
    package var memoryLimitBytes: Int64
    package var processIdentifier: Int32
    /// 0: no limit.
    package var maximumConnections: Int

    package init(
        port: UInt16, connections: Int, heldClients: Int = 0, memoryLimitBytes: Int64, processIdentifier: Int32,
        maximumConnections: Int = 0
    ) {
        self.port = port
        self.maximumConnections = maximumConnections
        self.connections = connections
        self.heldClients = heldClients
        self.memoryLimitBytes = memoryLimitBytes
        self.processIdentifier = processIdentifier
    }
}

/// INFO of a database out of the INFO of its shards: sums where a sum means something, the largest value where the
/// worst shard is what matters, the endpoint's own facts where clients look for them, the first shard's for the rest.
package enum InfoMerger {
    private static let summed: Set<String> = [
        "active_defrag_hits", "active_defrag_misses", "allocator_active", "allocator_allocated", "allocator_resident",
        "blocked_clients", "evicted_clients", "evicted_keys", "expire_cycle_cpu_milliseconds", "expired_keys",
        "instantaneous_ops_per_sec", "keyspace_hits", "keyspace_misses", "lazyfree_pending_objects",
        "lazyfreed_objects",
        "mem_clients_normal", "mem_clients_slaves", "mem_not_counted_for_evict", "pubsubshard_channels",
        "rdb_changes_since_last_save", "rejected_connections", "total_commands_processed",
        "total_connections_received", "total_error_replies", "total_eviction_exceeded_time", "total_forks",
        "total_net_input_bytes", "total_net_output_bytes", "total_reads_processed", "total_writes_processed",
        "tracking_total_items", "tracking_total_keys", "unexpected_error_replies",
        "used_memory", "used_memory_dataset", "used_memory_functions", "used_memory_lua", "used_memory_overhead",
        "used_memory_peak", "used_memory_rss", "used_memory_scripts", "used_memory_scripts_eval",
        "used_memory_startup", "used_memory_vm_eval", "used_memory_vm_functions", "used_memory_vm_total",
    ]

    /// Every shard has the same, or the one that is worst off tells.
    private static let largest: Set<String> = [
        "aof_rewrite_in_progress", "aof_rewrite_scheduled", "async_loading", "client_recent_max_input_buffer",
        "client_recent_max_output_buffer", "latest_fork_usec", "loading", "number_of_cached_scripts",
        "number_of_functions", "number_of_libraries", "pubsub_channels", "pubsub_patterns", "rdb_bgsave_in_progress",
        "tracking_total_prefixes",
    ]

    package static func merge(_ parts: [[UInt8]], _ facts: InfoFacts) -> [UInt8] {
        let texts = parts.map(body)
        var totals = InfoTotals()
        for text in texts {
            for line in text.split(whereSeparator: \.isNewline) {
                guard let (name, value) = pair(line) else { continue }
                if summed.contains(name) || name.hasPrefix("used_cpu_") {
                    totals.add(name, value)
                } else if largest.contains(name) {
                    totals.raise(name, value)
                } else {
                    totals.addFields(name, value)
                }
            }
        }
        let own = ownFacts(facts, totals)
        var lines: [String] = []
        for line in (texts.first ?? "").split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            guard let (name, _) = pair(line) else {
                lines.append(String(line))
                // Lists that differ from shard to shard stand right below their headings.
                lines += totals.lines(of: line)
                continue
            }
            if InfoTotals.isListed(name) || isReplica(name) { continue }
            lines.append((own[name] ?? totals.value(name)).map { "\(name):\($0)" } ?? String(line))
        }
        while lines.last == "" { lines.removeLast() }
        let text = lines.joined(separator: "\r\n") + "\r\n"
        var writer = ReplyWriter(usesRESP3: isVerbatim(parts.first ?? []))
        writer.verbatim(text)
        return writer.bytes
    }

    /// `slave0` and so on: where the cluster keeps its copies is nobody's business.
    private static func isReplica(_ name: String) -> Bool {
        name.hasPrefix("slave") && Int(name.dropFirst(5)) != nil
    }

    /// `redis_version` of a shard's INFO; nil when it is an error.
    package static func version(_ reply: [UInt8]) -> String? {
        for line in body(reply).split(whereSeparator: \.isNewline) {
            if let (name, value) = pair(line), name == "redis_version" { return String(value) }
        }
        return nil
    }

    private static func ownFacts(_ facts: InfoFacts, _ totals: InfoTotals) -> [String: String] {
        var own = [
            "redis_mode": "standalone", "tcp_port": String(facts.port), "config_file": "", "executable": "",
            "process_id": String(facts.processIdentifier), "connected_clients": String(facts.connections),
            "cluster_connections": "0", "role": "master", "connected_slaves": "0", "cluster_enabled": "0",
            "maxmemory": String(facts.memoryLimitBytes), "maxmemory_human": human(Int(facts.memoryLimitBytes)),
            "maxclients": String(facts.maximumConnections),
        ]
        if let blocked = totals.value("blocked_clients").flatMap({ Int($0) }) {
            own["blocked_clients"] = String(blocked + facts.heldClients)
        }
        for name in [
            "used_memory", "used_memory_rss", "used_memory_peak", "used_memory_lua", "used_memory_scripts",
            "used_memory_vm_total",
        ] {
            if let total = totals.value(name).flatMap({ Int($0) }) { own[name + "_human"] = human(total) }
        }
        return own
    }

    private static func pair(_ line: Substring) -> (String, Substring)? {
        guard let colon = line.firstIndex(of: ":"), !line.hasPrefix("#") else { return nil }
        return (String(line[..<colon]), line[line.index(after: colon)...])
    }

    /// The text of a bulk reply, or of RESP3's verbatim string, which begins with `txt:`.
    private static func body(_ reply: [UInt8]) -> String {
        guard let line = reply.firstIndex(of: 10) else { return "" }
        let start = line + (isVerbatim(reply) ? 5 : 1)
        guard reply.count >= start + 2 else { return "" }
        return String(decoding: reply[start..<(reply.count - 2)], as: UTF8.self)
    }

    private static func isVerbatim(_ reply: [UInt8]) -> Bool { reply.first == UInt8(ascii: "=") }

    /// Two decimals and a unit letter, as redis prints it.
    private static func human(_ bytes: Int) -> String {
        if bytes < 1024 { return "\(bytes)B" }
        for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] where bytes >= 1 << shift {
            let hundredths = (bytes &* 100 &+ (1 << (shift - 1))) >> shift
            let rest = hundredths % 100
            return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)\(unit)"
        }
        return "\(bytes)B"
    }
}
