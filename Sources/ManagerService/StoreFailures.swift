/// Tells a member of the store that can't come up again from one that was killed: it ends by itself, again and again.
///
/// etcd with damaged or missing data ends within a second of its start with a status, one that the others have removed
/// with status 0; one that was killed ends by a signal and comes up the next time.
package struct StoreFailures: Sendable {
    /// Ends in a row, and the span that they must lie in. Raising the first makes repair slower; lowering it makes a
    /// short trouble, such as a disk that is read-only for a moment, cost a whole copy of the store.
    package static let limit = 4
    package static let span = Duration.seconds(60)

    private var ends: [ContinuousClock.Instant] = []
    private var known: UInt32?

    package init() {}

    /// - Parameters:
    ///   - restarts: How often it has been started again in all.
    ///   - status: How it last ended; nil: by a signal, or not at all.
    /// - Returns: Whether it is to be replaced.
    package mutating func note(restarts: UInt32, status: Int32?, at now: ContinuousClock.Instant) -> Bool {
        defer { known = restarts }
        guard let known, restarts != known else { return ends.count >= Self.limit }
        guard status != nil, restarts > known else {
            ends = []
            return false
        }
        ends += Array(repeating: now, count: Int(restarts - known))
        ends.removeAll { now - $0 > Self.span }
        return ends.count >= Self.limit
    }

    /// Why another copy would fail in the same way; nil: nothing in the log says so.
    package static func hindrance(in log: String) -> String? {
        ["address already in use", "no space left on device", "permission denied", "too many open files"].first {
            log.lowercased().contains($0)
        }
    }
}
