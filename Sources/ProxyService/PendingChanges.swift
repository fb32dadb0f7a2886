import ProxyControl

/// Changes of settings that clients wait for, in the control thread: each gets one answer, within a bounded time.
struct PendingChanges {
    private struct Entry {
        var change: SettingsChange
        /// Monotonic milliseconds.
        var deadline: Int
        var wasSent: Bool
    }

    /// How long a client waits for the manager. The manager itself gives up earlier, with better words.
    static let limitMilliseconds = 6000

    private var entries: [UInt64: Entry] = [:]
    private var last: UInt64 = 0

    /// - Returns: What to tell the manager now; nil while there is none.
    mutating func add(_ change: SettingsChange, isConnected: Bool, now: Int) -> ProxyEvent? {
        last += 1
        entries[last] = Entry(change: change, deadline: now + Self.limitMilliseconds, wasSent: isConnected)
        return isConnected ? event(last, change) : nil
    }

    /// For a manager that has just connected. What another one was asked is not asked again: it may have been done.
    mutating func takeUnsent() -> [ProxyEvent] {
        entries.filter { !$0.value.wasSent }.sorted { $0.key < $1.key }.map { number, entry in
            entries[number]?.wasSent = true
            return event(number, entry.change)
        }
    }

    mutating func remove(_ number: UInt64) -> SettingsChange? { entries.removeValue(forKey: number)?.change }

    mutating func takeExpired(now: Int) -> [(SettingsChange, error: String)] {
        guard !entries.isEmpty else { return [] }
        let late = entries.filter { $0.value.deadline <= now }
        for number in late.keys { entries[number] = nil }
        return late.values.map { entry in
            let text =
                entry.wasSent
                ? "the node's manager has not answered in time; the settings may still be applied"
                : "the node's manager can't be reached; nothing was changed"
            return (entry.change, text)
        }
    }

    /// For `poll`: -1 waits without end.
    func timeout(now: Int) -> Int32 {
        guard let next = entries.values.map(\.deadline).min() else { return -1 }
        return Int32(max(0, next - now))
    }

    private func event(_ number: UInt64, _ change: SettingsChange) -> ProxyEvent {
        .changeSettings(change.database, request: number, settings: change.settings)
    }
}
