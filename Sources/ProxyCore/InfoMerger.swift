import RESP

/// What the proxy itself knows for INFO.
package struct InfoFacts {
    package var port: UInt16
    package var connections: Int
    package var heldClients: Int
    package var memoryLimitBytes: Int64
    package var processIdentifier: Int32
    package init(
        port: UInt16, connections: Int, heldClients: Int, memoryLimitBytes: Int64, processIdentifier: Int32
    ) {
        self.port = port
        self.connections = connections
        self.heldClients = heldClients
        self.memoryLimitBytes = memoryLimitBytes
        self.processIdentifier = processIdentifier
    }
}

/// INFO of a database out of the INFO of its shards: sums where a sum means something, the endpoint's own
/// facts where clients look for them, the first shard's value for the rest.
package enum InfoMerger {
    private static let summed: Set<String> = [
        "used_memory", "used_memory_rss", "used_memory_peak", "used_memory_overhead", "used_memory_startup",
        "used_memory_dataset", "used_memory_lua", "used_memory_scripts", "used_memory_vm_total", "allocator_allocated",
        "allocator_active", "allocator_resident", "mem_clients_normal", "mem_clients_slaves",
        "total_connections_received", "total_commands_processed", "instantaneous_ops_per_sec",
        "total_net_input_bytes", "total_net_output_bytes", "expired_keys", "evicted_keys", "keyspace_hits",
        "keyspace_misses", "pubsub_channels", "pubsub_patterns", "rdb_changes_since_last_save", "blocked_clients",
        "total_error_replies", "total_reads_processed", "total_writes_processed", "unexpected_error_replies",
        "number_of_cached_scripts", "number_of_functions",
    ]

    package static func merge(_ parts: [[UInt8]], _ facts: InfoFacts) -> [UInt8] {
        let texts = parts.map(body)
        var totals: [String: Int] = [:]
        var keyspace: [String: [String: Int]] = [:]
        for text in texts {
            for line in text.split(whereSeparator: \.isNewline) { collect(line, &totals, &keyspace) }
        }
        let own = ownFacts(facts, totals)
        var lines: [String] = []
        for line in (texts.first ?? "").split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            guard let (name, _) = pair(line), !name.hasPrefix("db") else {
                if pair(line) == nil { lines.append(String(line)) }
                continue
            }
            if let value = own[name] ?? totals[name].map(String.init) {
                lines.append("\(name):\(value)")
            } else {
                lines.append(String(line))
            }
        }
        let databases = keyspace.keys.sorted().map { name in keyspaceLine(name, keyspace[name]!) }
        if let section = lines.firstIndex(of: "# Keyspace") { lines.insert(contentsOf: databases, at: section + 1) }
        while lines.last == "" { lines.removeLast() }
        let text = lines.joined(separator: "\r\n") + "\r\n"
        var writer = ReplyWriter(usesRESP3: isVerbatim(parts.first ?? []))
        writer.verbatim(text)
        return writer.bytes
    }

    /// `redis_version` of a shard's INFO; nil when it is an error.
    package static func version(_ reply: [UInt8]) -> String? {
        for line in body(reply).split(whereSeparator: \.isNewline) {
            if let (name, value) = pair(line), name == "redis_version" { return value }
        }
        return nil
    }

    private static func ownFacts(_ facts: InfoFacts, _ totals: [String: Int]) -> [String: String] {
        var own = [
            "redis_mode": "standalone", "tcp_port": String(facts.port), "config_file": "", "executable": "",
            "process_id": String(facts.processIdentifier), "connected_clients": String(facts.connections),
            "cluster_connections": "0", "role": "master", "connected_slaves": "0", "cluster_enabled": "0",
            "maxmemory": String(facts.memoryLimitBytes), "maxmemory_human": human(Int(facts.memoryLimitBytes)),
        ]
        if let blocked = totals["blocked_clients"] { own["blocked_clients"] = String(blocked + facts.heldClients) }
        for name in ["used_memory", "used_memory_rss", "used_memory_peak", "used_memory_lua", "used_memory_scripts"] {
            if let total = totals[name] { own[name + "_human"] = human(total) }
        }
        return own
    }

    private static func collect(
        _ line: Substring, _ totals: inout [String: Int], _ keyspace: inout [String: [String: Int]]
    ) {
        guard let (name, value) = pair(line) else { return }
        if summed.contains(name), let number = Int(value) {
            totals[name, default: 0] += number
        } else if name.hasPrefix("db"), Int(name.dropFirst(2)) != nil {
            var counts: [String: Int] = [:]
            for field in value.split(separator: ",") {
                let parts = field.split(separator: "=")
                if parts.count == 2, let number = Int(parts[1]) { counts[String(parts[0])] = number }
            }
            // The mean of times to live counts by the keys that have one.
            counts["avg_ttl", default: 0] *= counts["expires"] ?? 0
            keyspace[name, default: [:]].merge(counts) { $0 + $1 }
        }
    }

    private static func keyspaceLine(_ name: String, _ counts: [String: Int]) -> String {
        let expires = counts["expires"] ?? 0
        let mean = expires > 0 ? (counts["avg_ttl"] ?? 0) / expires : 0
        return "\(name):keys=\(counts["keys"] ?? 0),expires=\(expires),avg_ttl=\(mean)"
    }

    private static func pair(_ line: Substring) -> (String, String)? {
        guard let colon = line.firstIndex(of: ":"), !line.hasPrefix("#") else { return nil }
        return (String(line[..<colon]), String(line[line.index(after: colon)...]))
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
            let hundredths = (bytes * 100 + (1 << (shift - 1))) >> shift
            let rest = hundredths % 100
            return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)\(unit)"
        }
        return "\(bytes)B"
    }
}
