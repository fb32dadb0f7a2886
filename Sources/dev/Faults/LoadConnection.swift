import Glibc

/// A connection with the time limits that a careful application sets.
enum LoadConnection {
    /// How long an answer may take. Above the 5 s for which a proxy holds requests, so that its own answer is seen.
    static let answerSeconds = 6
    /// How long a connection may take to be made.
    static let connectSeconds = 1
    /// A peer that acknowledges nothing for so long is dead: what tells a node without power from one that is slow.
    static let deadMilliseconds: Int32 = 2000

    static func open(host: String, port: Int) throws -> Int32 {
        let descriptor = try TCP.connect(host: host, port: port, timeoutSeconds: connectSeconds)
        var limit = timeval(tv_sec: answerSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        for (option, value) in [
            (TCP_NODELAY, 1), (TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 2),
            (TCP_USER_TIMEOUT, deadMilliseconds),
        ] { set(descriptor, Int32(IPPROTO_TCP), option, value) }
        return descriptor
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// What an error reply says of the command.
enum ErrorReply {
    /// Beginnings of answers that come instead of doing anything.
    private static let refusals = [
        "READONLY", "LOADING", "MASTERDOWN", "OOM", "MISCONF", "CLUSTERDOWN", "NOAUTH", "WRONGPASS", "TRYAGAIN",
        "ERR max number of clients", "NOREPLICAS Not enough good replicas to write",
    ]

    /// Only a clear "not done" counts as one; whatever leaves it open counts as unknown.
    static func outcome(_ text: String) -> Operation.Outcome {
        if text.contains("may or may not") || text.contains("may have") || text.contains("may exist") {
            return .unknown
        }
        let isRefusal =
            refusals.contains { text.hasPrefix($0) } || text.contains("not sent")
            || text.contains("nothing was written")
        return isRefusal ? .refused : .unknown
    }

    /// Its first words; what follows may be an address or a number.
    static func kind(_ text: String) -> String {
        text.split(separator: " ").prefix(8).joined(separator: " ")
    }
}

extension Duration {
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
