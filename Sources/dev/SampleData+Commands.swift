extension SampleData {
    /// Members of one SADD: a command stays small, as a client would send it.
    private static let membersPerCommand = 500

    /// The commands that write everything, in RESP, for `redis-cli --pipe`.
    func stream() -> (bytes: [UInt8], commandCount: Int) {
        var bytes: [UInt8] = []
        var count = 0
        func add(_ arguments: [String]) {
            RESPClient.encode(arguments, into: &bytes)
            count += 1
        }
        for (key, value) in entries {
            switch value {
            case .string(let text):
                add(["SET", key, text])
            case .hash(let fields):
                add(["HSET", key] + fields.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] })
            case .set(let members):
                let all = members.sorted()
                for start in stride(from: 0, to: all.count, by: Self.membersPerCommand) {
                    add(["SADD", key] + all[start..<min(start + Self.membersPerCommand, all.count)])
                }
            }
        }
        return (bytes, count)
    }

    /// The command that reads one entry back.
    static func readCommand(_ key: String, _ value: Value) -> [String] {
        switch value {
        case .string: ["GET", key]
        case .hash: ["HGETALL", key]
        case .set: ["SMEMBERS", key]
        }
    }

    /// Whether a reply to that command gives the entry back, whole and with nothing besides.
    static func matches(_ value: Value, _ reply: RESPClient.Reply) -> Bool {
        switch (value, reply) {
        case (.string(let text), .bulk(let found)):
            return found == Array(text.utf8)
        case (.hash(let fields), .array(let items)):
            let texts = items.compactMap(\.text)
            guard texts.count == fields.count * 2 else { return false }
            return stride(from: 0, to: texts.count, by: 2).allSatisfy { fields[texts[$0]] == texts[$0 + 1] }
        case (.set(let members), .array(let items)):
            return items.count == members.count && Set(items.compactMap(\.text)) == members
        default:
            return false
        }
    }
}
