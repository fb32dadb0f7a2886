/// One line of a shard's MONITOR, as a client of the database may see it.
package enum MonitorLine {
    /// What proxies and managers send for themselves. A client that sends one of these is answered by its proxy, or
    /// from the answers of all shards, so nothing of a client's is lost with them.
    private static let ownCommands: Set<String> = [
        "acl", "auth", "client", "command", "config", "failover", "hello", "info", "lastsave", "monitor", "ping",
        "psync",
        "replconf", "replicaof", "role", "select", "shutdown", "wait",
    ]

    /// - Parameters:
    ///   - line: `+<seconds> [<database> <address>] "<command>" …`, with its line end.
    ///   - endpoint: Stands in for the address, which is a proxy's. What scripts run keeps its `lua`.
    /// - Returns: Nil for what is not a client's.
    package static func shown(_ line: UnsafeBufferPointer<UInt8>, endpoint: String) -> [UInt8]? {
        guard let open = line.firstIndex(of: UInt8(ascii: "[")),
            let blank = line[open...].firstIndex(of: UInt8(ascii: " ")),
            let quote = line[blank...].firstIndex(of: UInt8(ascii: "\"")), quote >= open + 4, quote + 1 < line.count
        else { return nil }
        let name = line[(quote + 1)...].prefix { $0 != UInt8(ascii: "\"") }
        let address = line[(blank + 1)..<(quote - 2)]
        let isScript = address.elementsEqual("lua".utf8)
        if !isScript && ownCommands.contains(String(decoding: name, as: UTF8.self).lowercased()) { return nil }
        if !isScript && name.elementsEqual("SPUBLISH".utf8) && line.dropFirst(quote).starts(with: waitFence) {
            return nil
        }
        return Array(line[...blank]) + (isScript ? Array(address) : Array(endpoint.utf8)) + Array(line[(quote - 2)...])
    }

    /// The write that stands in front of a WAIT.
    private static let waitFence = Array("\"SPUBLISH\" \"__tarn:wait__\"".utf8)
}
