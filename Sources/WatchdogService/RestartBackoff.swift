/// How long to wait before a process that has ended is started again.
///
/// The first restart is immediate, because a single crash should cost no more than the start itself; then 100 ms,
/// doubling up to 1 s, so that a crash loop costs little CPU time. 30 s of life start it anew.
///
/// Not longer: a manager that is away for longer than its node's serving lease (2 s) costs the node its primaries.
package struct RestartBackoff: Hashable, Sendable {
    package static let firstDelayMilliseconds: Int64 = 100
    package static let longestDelayMilliseconds: Int64 = 1000
    package static let healthyLifeMilliseconds: Int64 = 30_000

    /// Ends in a row, none of them after a healthy life.
    package private(set) var failures: UInt32

    package init(failures: UInt32 = 0) {
        self.failures = failures
    }

    /// - Returns: Milliseconds to wait after an end that followed `life` milliseconds of running.
    package mutating func delay(afterLifeOf life: Int64) -> Int64 {
        if life >= Self.healthyLifeMilliseconds { failures = 0 }
        defer { if failures < .max { failures += 1 } }
        guard failures > 0 else { return 0 }
        // Four doublings pass the longest delay; the bound keeps the shift in range.
        return min(Self.firstDelayMilliseconds << Int64(min(failures - 1, 4)), Self.longestDelayMilliseconds)
    }
}
