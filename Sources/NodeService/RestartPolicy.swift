/// When a shard that is down may be started again. One for each shard of the node.
///
/// ```
///   running ─exited─▶ down ─┬─ a primary with replicas ─▶ held ─▶ start: the cluster made it a replica or released
///      ▲                    │                                     it, or 10 s passed and it persists
///      └── start: at once, later with growing pauses ◀─ else
/// ```
/// A dead primary of a replicated database must not come back by itself: started empty it would wipe its replica, the
/// only copy left, and even with its files it may be older than the replica. The leader decides by a new epoch in
/// which the roles are swapped. When none does so for 10 s, a primary that persists starts with what is on its disk:
/// that serves old data rather than none. One that doesn't persist stays down for as long as it takes, since its
/// replica may be all that is left. A new epoch that leaves the role alone does not count: it may be any update.
struct RestartPolicy {
    enum Verdict: Hashable, Sendable {
        case start
        /// Ends too often: the pause is not over. The instant tells when to ask again.
        case backOff(until: ContinuousClock.Instant)
        /// Nil: only a decision helps.
        case hold(until: ContinuousClock.Instant?)
    }

    /// A shard that ends sooner after its start than this has not worked.
    private static let workingSpan = Duration.seconds(5)
    private static let firstPause = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(30)
    private static let holdSpan = Duration.seconds(10)
    /// So many ends right after a start in a row are called a failure that waiting won't cure.
    private static let failureCount = 3

    private var startedAt: ContinuousClock.Instant?
    private var exitedAt: ContinuousClock.Instant?
    private var quickExits = 0
    private var isReleased = false

    /// Its end has been noted and it hasn't been started since.
    var isDown: Bool { exitedAt != nil }
    var isFailing: Bool { quickExits >= Self.failureCount }

    mutating func started(at now: ContinuousClock.Instant) {
        startedAt = now
        exitedAt = nil
        isReleased = false
    }

    mutating func exited(at now: ContinuousClock.Instant) {
        guard exitedAt == nil else { return }  // Told by the event and found by looking: the same end.
        exitedAt = now
        let worked = startedAt.map { now - $0 >= Self.workingSpan } ?? true
        quickExits = worked ? 0 : quickExits + 1
    }

    /// Its configuration is another one now, with which it may work.
    mutating func reconfigured() { quickExits = 0 }

    /// It may start as the primary it is.
    mutating func release() { isReleased = true }

    /// - Parameter hasReplicas: It is configured as a primary, and there are replicas that could replace it.
    func verdict(at now: ContinuousClock.Instant, hasReplicas: Bool, persists: Bool) -> Verdict {
        guard let exitedAt else { return .start }
        if hasReplicas && !isReleased {
            guard persists else { return .hold(until: nil) }
            let end = exitedAt + Self.holdSpan
            return now < end ? .hold(until: end) : .start
        }
        let end = exitedAt + pause
        return now < end ? .backOff(until: end) : .start
    }

    /// None after the first end: it may be the last one.
    private var pause: Duration {
        guard quickExits > 1 else { return .zero }
        return min(Self.firstPause * (1 << min(quickExits - 2, 16)), Self.longestPause)
    }
}
