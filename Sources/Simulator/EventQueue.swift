/// What is going to happen, in order of time; of two events of one moment the one that was planned first comes first.
struct EventQueue {
    struct Event {
        /// Whose event it is, and in which of its lives; nil: the world's own.
        let process: SimulatedProcess?
        let life: Int
        let body: () -> Void
    }

    /// The heap orders small numbers; what is to be done lies still.
    private struct Entry {
        let microseconds: Int64
        let number: UInt64
        let place: Int

        static func < (left: Entry, right: Entry) -> Bool {
            left.microseconds != right.microseconds
                ? left.microseconds < right.microseconds : left.number < right.number
        }
    }

    private var heap: [Entry] = []
    private var events: [Event?] = []
    private var free: [Int] = []
    private var lastNumber: UInt64 = 0

    /// When the next event is.
    var nextTime: Moment? { heap.first.map { Moment(microseconds: $0.microseconds) } }

    mutating func add(at time: Moment, for process: SimulatedProcess?, _ body: @escaping () -> Void) {
        lastNumber += 1
        let event = Event(process: process, life: process?.life ?? 0, body: body)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            events[place] = event
        } else {
            place = events.count
            events.append(event)
        }
        heap.append(Entry(microseconds: time.microseconds, number: lastNumber, place: place))
        rise()
    }

    mutating func takeFirst() -> Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty { sink(last) }
        defer { events[first.place] = nil }
        free.append(first.place)
        return events[first.place]
    }

    private mutating func rise() {
        var index = heap.count - 1
        let entry = heap[index]
        while index > 0, entry < heap[(index - 1) / 2] {
            heap[index] = heap[(index - 1) / 2]
            index = (index - 1) / 2
        }
        heap[index] = entry
    }

    /// Puts `entry` where the first one was.
    private mutating func sink(_ entry: Entry) {
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < entry else { break }
            heap[index] = heap[child]
            index = child
        }
        heap[index] = entry
    }
}
