/// Callers that wait for something to happen to a key, each with a bound of its own. Lives inside an actor.
struct WaitList<Key: Hashable> {
    private var lastToken = 0
    private var waiters: [Key: [Int: CheckedContinuation<Void, Never>]] = [:]

    mutating func nextToken() -> Int {
        lastToken += 1
        return lastToken
    }

    mutating func add(_ key: Key, _ token: Int, _ continuation: CheckedContinuation<Void, Never>) {
        waiters[key, default: [:]][token] = continuation
    }

    mutating func wake(_ key: Key) {
        for waiter in (waiters.removeValue(forKey: key) ?? [:]).values { waiter.resume() }
    }

    /// Does nothing when it was woken before.
    mutating func wake(_ key: Key, _ token: Int) {
        waiters[key]?.removeValue(forKey: token)?.resume()
    }

    mutating func wakeAll() {
        for key in Array(waiters.keys) { wake(key) }
    }
}
