import Synchronization

/// How long this node may write to primaries that another copy may replace (``DatabaseRoutes/needsLease``).
///
/// Set by the control thread, read by the loops: one word, so no lock. Who reads an older value stops writing sooner
/// than it must, and is woken when that matters.
package final class ServingLease: Sendable {
    /// Milliseconds of the clock that counts suspends.
    private let end = Atomic<Int64>(0)

    package init() {}

    /// - Returns: True when it stood no more and does now: then loops may have requests that wait for it.
    package func set(until end: Int64, now: Int64) -> Bool {
        let before = self.end.exchange(end, ordering: .relaxed)
        return before <= now && end > now
    }

    /// - Parameter now: Read before a request leaves, or behind the read that brought a reply: then what is done in
    ///   time was done in time.
    package func hasLapsed(at now: Int64) -> Bool { end.load(ordering: .relaxed) <= now }
}
