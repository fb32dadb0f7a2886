/// CLIENT PAUSE of one database in one loop.
package struct Pause: Equatable {
    package private(set) var isOn = false
    /// Monotonic milliseconds.
    package private(set) var until = 0
    /// Reads go on.
    package private(set) var isWritesOnly = true

    package init() {}

    /// The longer end and the stricter mode win.
    package mutating func add(until: Int, isWritesOnly: Bool) {
        self.until = max(self.until, until)
        self.isWritesOnly = self.isWritesOnly && isWritesOnly
        isOn = true
    }
}
