import Primitives

/// When a shard that ended may be started again: the rules of `RestartPolicy`, in virtual time.
struct ShardRestarts {
    private static let holdSpan: Int64 = 10_000
    private var exitedAt: BootTime?
    private var isReleased = false

    mutating func started() {
        exitedAt = nil
        isReleased = false
    }

    mutating func exited(at now: BootTime) {
        if exitedAt == nil { exitedAt = now }
    }

    /// It may start as the primary it is: no replica can take its place.
    mutating func release() { isReleased = true }

    func mayStart(at now: BootTime, hasReplicas: Bool, persists: Bool) -> Bool {
        guard let exitedAt, hasReplicas, !isReleased else { return true }
        return persists && now - exitedAt >= Self.holdSpan
    }
}
