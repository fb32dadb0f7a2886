import ClusterModel

/// What a loop knows of held shards and of the node's lease. All quiet for nearly all of the time.
struct Restraints {
    /// Routes with held shards that count as applied when these have answered what they were asked.
    struct Drain {
        let database: DatabaseID
        /// Of the control thread.
        let operation: Int
    }

    /// Databases that are written to with the lease only. While there are none nobody reads a clock.
    var leasedDatabases = 0
    /// As of the last look at the clock.
    var hasLapsed = false
    /// ``ServingLease/look(at:)`` as of then.
    var leaseGaps: Int64 = 0
    /// Monotonic milliseconds.
    var lapsedSince = 0
    /// Nobody waits for the lease any more: writes get an error at once.
    var isLapseLong = false
    var drains: [Drain] = []
    /// The next look at what is held or waits, in monotonic milliseconds; `Int.max`: nothing does.
    var nextCheck = Int.max
}
