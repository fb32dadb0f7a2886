/// One line of a shard's MONITOR, as a client of the database may see it.
package enum MonitorLine {
    /// What proxies and managers send for themselves. A client that sends one of these is answered by its proxy, or
    /// from the answers of all shards, so nothing of a client's is lost with them. Not PING, which may be a client's:
    /// who only wants to hear something asks for the ROLE.
    private static let ownCommands: Set<String> = [
        "acl", "auth", "client", "command", "config", "failover", "hello", "info", "lastsave", "monitor", "psync",
        "replconf", "replicaof", "role", "select", "shutdown", "wait",
    ]

    /// - Parameter name: Of a command, in lower case.
    static func isOwn(_ name: String) -> Bool { ownCommands.contains(name) }

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

    /// As a redis-server writes it.
    package static func line(
        seconds: Int, microseconds: Int, database: Int, endpoint: String, _ words: [[UInt8]]
    ) -> [UInt8] {
        let fraction = String(microseconds)
        let time = "\(seconds)." + String(repeating: "0", count: max(0, 6 - fraction.utf8.count)) + fraction
        return Array("+\(time) [\(database) \(endpoint)]".utf8) + words.flatMap { [32] + quoted($0) } + [13, 10]
    }

    private static func quoted(_ word: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        let named: [UInt8: String] = [7: "a", 8: "b", 9: "t", 10: "n", 13: "r", 34: "\"", 92: "\\"]
        return [34]
            + word.flatMap { byte -> [UInt8] in
                if let name = named[byte] { return [92] + Array(name.utf8) }
                if byte >= 32 && byte < 127 { return [byte] }
                return Array("\\x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } + [34]
    }

    /// The write that stands in front of a WAIT.
    private static let waitFence = Array("\"SPUBLISH\" \"__tarn:wait__\"".utf8)
}
