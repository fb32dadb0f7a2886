package import Primitives

/// Counts wrong passwords and locks a user who had too many of them.
///
/// Kept per node and in memory: an attacker gains at most one more round per node, and a user is not locked out of
/// a whole cluster by a store that is slow.
/// - Source: `login_lockout_threshold`, `_counter_reset_after` and `_duration` of the reference system, same defaults.
package struct LoginLockout: Sendable {
    /// Wrong passwords in a row that lock.
    package var threshold: Int
    /// A count is forgotten when its first wrong password is older than this.
    package var windowSeconds: Int64
    package var lockSeconds: Int64
    /// Users remembered at most; names come from outside.
    package static let maximumUsers = 10_000

    private struct Count {
        var failures: Int
        var since: WallTime
        var lockedUntil: WallTime?
    }

    private var counts: [String: Count] = [:]

    package init(threshold: Int = 5, windowSeconds: Int64 = 900, lockSeconds: Int64 = 1800) {
        self.threshold = threshold
        self.windowSeconds = windowSeconds
        self.lockSeconds = lockSeconds
    }

    /// Ask before the password is looked at, so that a locked user's right password gives nothing away.
    package func isLocked(_ user: String, now: WallTime) -> Bool {
        counts[user.lowercased()]?.lockedUntil.map { now < $0 } ?? false
    }

    package mutating func failed(_ user: String, now: WallTime) {
        let key = user.lowercased()
        var count = counts[key] ?? Count(failures: 0, since: now)
        if isOver(count, now: now) { count = Count(failures: 0, since: now) }
        count.failures += 1
        if count.failures >= threshold { count.lockedUntil = now.adding(seconds: lockSeconds) }
        if counts.count >= Self.maximumUsers { counts = counts.filter { !isOver($0.value, now: now) } }
        guard counts.count < Self.maximumUsers || counts[key] != nil else { return }
        counts[key] = count
    }

    package mutating func succeeded(_ user: String) {
        counts[user.lowercased()] = nil
    }

    private func isOver(_ count: Count, now: WallTime) -> Bool {
        if let lockedUntil = count.lockedUntil { return lockedUntil <= now }
        return count.since.adding(seconds: windowSeconds) <= now
    }
}
