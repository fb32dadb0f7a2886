package import ClusterModel

/// What a manager tells the proxy of its node, over `run/tarn/proxy.sock` (the proxy listens, the manager dials).
package enum ProxyCommand: Hashable, Sendable {
    /// First message of a connection and whenever the manager starts over: these databases and no others.
    case replaceAll([DatabaseRoutes])
    /// Adds or changes one database. An epoch older than the one in force is refused.
    case update(DatabaseRoutes)
    /// Stops serving a database: its listener closes, its sessions end.
    case remove(DatabaseID, Epoch)
    /// Asks for ``ProxyEvent/statistics(_:)``.
    case reportStatistics
    /// Answers ``ProxyEvent/changeSettings(_:request:settings:)``: the settings are in force on all primaries, or why
    /// that can't be said.
    case settingsChanged(request: UInt64, error: String?)
    /// The node's serving lease stands until this moment of the clock that counts suspends (`CLOCK_BOOTTIME`,
    /// milliseconds). A new proxy has none. Databases whose routes need it (``DatabaseRoutes/needsLease``) are not
    /// written to without, and no reply to a write is passed on that arrives after its end.
    case lease(until: Int64)
}

/// What the proxy tells its manager.
package enum ProxyEvent: Hashable, Sendable {
    /// First message of a connection.
    case hello(version: String, pid: Int32, loops: UInt16)
    /// Every loop routes by this epoch and the listener (if any) is bound. Sent for every `update`, `remove` and for
    /// every database of a `replaceAll`.
    case applied(DatabaseID, Epoch)
    /// The routes could not be applied, e.g. the port is taken; the routes before stay in force.
    case refused(DatabaseID, Epoch, message: String)
    case statistics([DatabaseStatistics])
    /// A client of the database wants these settings (CONFIG SET); the proxy has checked them. All or none of them.
    case changeSettings(DatabaseID, request: UInt64, settings: [String: String])
}

/// Counters of one database in one proxy, since the proxy started.
package struct DatabaseStatistics: Hashable, Sendable {
    package var database: DatabaseID
    package var connections: UInt64
    package var acceptedConnections: UInt64
    package var requests: UInt64
    package var receivedBytes: UInt64
    package var sentBytes: UInt64
    /// Commands that clients of a database may not use, whatever they were told about it.
    package var refusedRequests: UInt64
    /// Writes that were acknowledged when a replica had them (``DatabaseRoutes/durability``).
    package var confirmedWrites: UInt64 = 0
    /// Writes whose clients were told that no replica confirmed them.
    package var unconfirmedWrites: UInt64 = 0
    /// Writes that were acknowledged although no replica confirmed them.
    package var degradedWrites: UInt64 = 0

    package init(
        database: DatabaseID, connections: UInt64 = 0, acceptedConnections: UInt64 = 0, requests: UInt64 = 0,
        receivedBytes: UInt64 = 0, sentBytes: UInt64 = 0, refusedRequests: UInt64 = 0
    ) {
        self.database = database
        self.connections = connections
        self.acceptedConnections = acceptedConnections
        self.requests = requests
        self.receivedBytes = receivedBytes
        self.sentBytes = sentBytes
        self.refusedRequests = refusedRequests
    }
}
