import Synchronization

/// How long this node may write to primaries that another copy may replace (``DatabaseRoutes/needsLease``).
///
/// Set by the control thread, read by the loops: one word, so no lock, and whoever sees a new end sees whether there
/// was a gap before it. Who reads an older value stops writing sooner than it must, and is woken when that matters.
package final class ServingLease: Sendable {
    private static let gapBits: Int64 = 16
    private static let gapMask: Int64 = (1 << gapBits) - 1

    /// Its end in milliseconds of the clock that counts suspends, and below that the gaps.
    private let word = Atomic<Int64>(0)

    package init() {}

    /// By one thread only.
    /// - Returns: True when it stood no more and does now: then loops may have requests that wait for it.
    package func set(until end: Int64, now: Int64) -> Bool {
        let before = word.load(ordering: .relaxed)
        let isReturn = before >> Self.gapBits <= now && end > now
        let gaps = (before + (isReturn ? 1 : 0)) & Self.gapMask
        word.store(min(max(end, 0), Int64.max >> Self.gapBits) << Self.gapBits | gaps, ordering: .relaxed)
        return isReturn
    }

    /// - Parameter now: Read before a request leaves, or behind the read that brought a reply: then what is done in
    ///   time was done in time.
    package func hasLapsed(at now: Int64) -> Bool { look(at: now).hasLapsed }

    /// - Returns: Also a number that is another one after every time that it had ended before it was given again,
    ///   whether or not somebody looked meanwhile.
    package func look(at now: Int64) -> (hasLapsed: Bool, gaps: Int64) {
        let word = word.load(ordering: .relaxed)
        return (word >> Self.gapBits <= now, word & Self.gapMask)
    }
}
