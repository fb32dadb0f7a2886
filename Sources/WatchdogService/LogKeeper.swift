/// Looks at the logs of running processes now and then and rotates the large ones, one at a time.
struct LogKeeper {
    /// The only periodic wake-up of the watchdog. A log can pass its limit by what is written in between.
    static let checkIntervalMilliseconds: Int64 = 10_000

    private(set) var nextCheck: Moment
    private var current: LogRotation?
    private var waiting: [String] = []

    init(at now: Moment) {
        nextCheck = now.adding(milliseconds: Self.checkIntervalMilliseconds)
    }

    /// Whether ``step()`` has something to do at once.
    var isRotating: Bool { current != nil }

    mutating func timePassed(_ now: Moment, logs: () -> [String]) {
        guard now >= nextCheck else { return }
        nextCheck = now.adding(milliseconds: Self.checkIntervalMilliseconds)
        guard current == nil else { return }
        waiting = logs()
        startNext()
    }

    mutating func step() {
        guard let rotation = current, !rotation.step() else { return }
        current = nil
        startNext()
    }

    private mutating func startNext() {
        while current == nil, let path = waiting.popLast() {
            current = LogRotation(of: path, limitBytes: LogRotation.limitBytes)
        }
    }
}
