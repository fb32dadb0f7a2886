import Primitives

/// Tells a process that hangs from one that is busy: it has not answered for the limit, and its main thread has used no
/// processor time either. A long script or a fork uses some; a deadlock, a stopped process and one that waits for a
/// disk that doesn't answer use none.
struct HangWatch<Key: Hashable & Sendable>: Sendable {
    private struct Life {
        var pid: Int32
        var processorTicks: UInt64
        var seen: BootTime
    }

    private var lives: [Key: Life] = [:]
    private var lastLook: BootTime?

    /// Call it before the looks of one round: after a gap this process was asleep itself, and nobody is to blame.
    mutating func begin(at now: BootTime, interval: Int64) {
        if lastLook.map({ now - $0 > 3 * interval }) ?? true { lives = [:] }
        lastLook = now
    }

    /// - Parameters:
    ///   - hasAnswered: In any way: an error is an answer.
    ///   - processorTicks: User and system time of its main thread; nil: it has ended.
    /// - Returns: Whether it hangs. It is forgotten then: who acts on it acts once.
    mutating func looked(
        _ key: Key, pid: Int32, hasAnswered: Bool, processorTicks: UInt64?, at now: BootTime, limit: Int64
    ) -> Bool {
        guard let processorTicks else {
            lives[key] = nil
            return false
        }
        guard let life = lives[key], life.pid == pid, !hasAnswered, life.processorTicks == processorTicks else {
            lives[key] = Life(pid: pid, processorTicks: processorTicks, seen: now)
            return false
        }
        guard now - life.seen >= limit else { return false }
        lives[key] = nil
        return true
    }

    mutating func keep(_ keys: Set<Key>) {
        lives = lives.filter { keys.contains($0.key) }
    }
}
