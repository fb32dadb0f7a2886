/// One kind of traffic: what is asked, how large, how deep, by how many.
struct Load: Hashable {
    enum Operation: String {
        case get, set
        /// Of sixteen commands twelve GET, three SET, one MGET of ten keys (over all shards where there are several).
        case mix
    }

    var operation: Operation
    var valueBytes: Int
    /// Commands that a connection sends at once, and whose replies it waits for.
    var pipeline = 1
    var connections = 50
    /// Commands a second over all connections; 0: each connection asks again as soon as it was answered.
    var rate = 0

    /// `get-64-p16-c50`, with `-r5000` behind it at a fixed rate.
    var name: String {
        "\(operation.rawValue)-\(valueBytes)-p\(pipeline)-c\(connections)" + (rate > 0 ? "-r\(rate)" : "")
    }

    init(_ operation: Operation, _ valueBytes: Int, pipeline: Int = 1, connections: Int = 50, rate: Int = 0) {
        self.operation = operation
        self.valueBytes = valueBytes
        self.pipeline = pipeline
        self.connections = connections
        self.rate = rate
    }

    /// Reads a ``name``; what follows the size may be left out.
    init?(_ text: String) {
        let parts = text.split(separator: "-")
        guard parts.count >= 2, let operation = Operation(rawValue: String(parts[0])), let bytes = Int(parts[1]),
            (16...(16 << 20)).contains(bytes)
        else { return nil }
        self.init(operation, bytes)
        for part in parts.dropFirst(2) {
            guard let number = Int(part.dropFirst()), number > 0 else { return nil }
            switch part.first {
            case "p": pipeline = number
            case "c": connections = number
            case "r": rate = number
            default: return nil
            }
        }
    }

    /// Keys that exist for values of this size.
    var keyCount: Int { Self.keyCount(valueBytes: valueBytes) }
    static func keyCount(valueBytes: Int) -> Int { valueBytes > 4096 ? 1000 : 100_000 }
}

// MARK: - The loads of the issue

extension Load {
    static let large = 100 << 10

    /// Those that the targets are about.
    static let targets: [Load] = [
        Load(.get, 64), Load(.set, 64), Load(.get, 64, pipeline: 16), Load(.set, 64, pipeline: 16),
        Load(.get, 64, pipeline: 64), Load(.set, 64, pipeline: 64), Load(.get, 1024, pipeline: 64),
        Load(.set, 1024, pipeline: 64), Load(.get, large), Load(.set, large),
    ]
    static let latency: [Load] = [Load(.get, 64, connections: 1), Load(.get, 64, rate: 5000)]
    static let manyConnections: [Load] = [Load(.get, 64, connections: 500), Load(.get, 64, connections: 9800)]
    static let mixed: [Load] = [Load(.mix, 64, pipeline: 16)]
    static let manyShards: [Load] = [Load(.get, 64, pipeline: 16)]

    static let quick: [Load] = [
        Load(.get, 64), Load(.set, 64), Load(.get, 64, pipeline: 64), Load(.set, 64, pipeline: 64),
        Load(.get, large), Load(.set, large),
    ]
    static let usual: [Load] = targets + latency + manyConnections + mixed
    /// Every size with every depth.
    static let full: [Load] =
        usual + [
            Load(.get, 1024), Load(.set, 1024), Load(.get, 1024, pipeline: 16), Load(.set, 1024, pipeline: 16),
            Load(.set, 64, connections: 1), Load(.get, 64, pipeline: 16, connections: 500),
            Load(.set, 64, connections: 500), Load(.get, large, connections: 1),
        ]
}
