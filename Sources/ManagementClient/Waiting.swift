/// Asks again and again, quickly at first: most operations are over in a fraction of a second, and a client that polled
/// every second would make them look slow.
struct Polling {
    static let first = Duration.milliseconds(20)
    static let last = Duration.milliseconds(500)

    private let end: ContinuousClock.Instant
    private var pause = Self.first

    init(limit: Duration) {
        end = .now + limit
    }

    var isOver: Bool { ContinuousClock.now >= end }

    mutating func wait() async {
        // Cancelled: the caller's next request tells.
        try? await Task.sleep(for: pause)
        pause = min(pause * 5 / 4, Self.last)
    }
}
