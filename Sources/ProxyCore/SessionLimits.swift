/// What one client may take of a proxy. Everything that a client can make grow has its limit here.
@usableFromInline package struct SessionLimits: Equatable {
    /// Unsent replies beyond which nothing more is read from a client. Lower values slow down who reads slowly sooner,
    /// higher ones cost memory for each of them.
    @inlinable package static var backlogBytes: Int { 1 << 20 }  // No global: it is looked at for every request.
    /// Unsent replies, those that wait for their turn included, beyond which a client is cut off. A single reply may
    /// be larger: it counts when it has been taken from the shard and the client has not read it.
    package static let outputBytes = 256 << 20
    /// The same for messages, which nobody asked for one by one (redis-server: 32 MiB).
    package static let messageBytes = 32 << 20
    /// A command that has to be held whole (MSET over shards, EVAL) at most, and a single argument of any.
    package static let inputBytes = 512 << 20
    /// What the buffers of all clients of a loop may hold together; the largest is cut off beyond it.
    package static let loopBytes = 2 << 30
    /// A flood of connections gets a part of each turn, the requests of everybody else the rest.
    package static let acceptsPerTurn = 16
    /// A flood of requests likewise: reads of up to 256 KiB that one client gets in one turn.
    package static let readsPerTurn = 4
    /// New connections of one database that a loop takes in a second; the others wait in the kernel's queue.
    package static let acceptsPerSecond = 5000

    /// Seconds without a request after which a client is closed; 0: never. Not while it waits for a reply, a message or
    /// an element. Setting `timeout`.
    package private(set) var idleSeconds = 0
    /// Seconds of silence after which the kernel asks whether the client is still there; 0: never. Setting
    /// `tcp-keepalive`; 1 ... 32,767.
    package private(set) var keepAliveSeconds = 300

    /// What of that a database takes. Setting `client-query-buffer-limit`; 1 ... 512 MiB.
    package private(set) var queryBytes = inputBytes
    /// Every command is to be in the slow log, so that none may be answered where it has none. Setting
    /// `slowlog-log-slower-than`. Above 0 what the proxy answers by itself is left out: it takes it a few hundred
    /// nanoseconds, and measuring would cost more.
    package private(set) var logsEverything = false

    /// Histograms of latencies are kept. Setting `latency-tracking`.
    package private(set) var tracksLatency = true

    /// - Parameter settings: Of the database, by the names that CONFIG knows. What is missing or makes no sense keeps
    ///   its default: settings are checked where they are set.
    package init(settings: [String: String] = [:]) {
        if let text = settings["timeout"], let value = Int(text), value >= 0 { idleSeconds = value }
        if let text = settings["tcp-keepalive"], let value = Int(text), (0...32767).contains(value) {
            keepAliveSeconds = value
        }
        if let text = settings["client-query-buffer-limit"], let value = Int(text), value > 0 {
            queryBytes = min(value, Self.inputBytes)
        }
        tracksLatency = settings["latency-tracking"] != "no"
        logsEverything = settings["slowlog-log-slower-than"] == "0"
    }
}

/// Lets so many pass in a second, and as many at once after a pause.
package struct RateLimit {
    private let perSecond: Int
    private var left: Int
    /// Monotonic milliseconds.
    private var filledAt: Int

    package init(perSecond: Int, now: Int) {
        self.perSecond = perSecond
        left = perSecond
        filledAt = now
    }

    /// - Parameter now: Monotonic milliseconds; asked for only when there is need.
    /// - Returns: False when one more would be too many now.
    package mutating func take(now: () -> Int) -> Bool {
        if left == 0 {
            let time = now()
            let earned = min(perSecond, (time - filledAt) * perSecond / 1000)
            if earned == 0 { return false }
            left = earned
            filledAt = time
        }
        left -= 1
        return true
    }
}
