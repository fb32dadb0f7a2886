import CLinux
import Glibc
import Reactor
import Synchronization

/// One thread that asks: its connections, their batches, its counts.
///
/// It has to cost well under what it measures. A batch is a template in which only the digits of the keys change;
/// replies are of known length, so they are counted and not parsed (or compared, every byte, in a verifying run).
struct Generator {
    struct Connection {
        var descriptor: Int32
        var request: UnsafeMutablePointer<UInt8>
        var sent = 0
        var received = 0
        var isWaiting = false
        /// Nanoseconds; what the latency counts from. At a fixed rate the time when it was due, not when it left.
        var startedAt = 0
        var dueAt = 0
        var numbers: UnsafeMutablePointer<UInt32>
        /// All replies of the batch, in a verifying run.
        var replies: UnsafeMutablePointer<UInt8>?
    }

    struct Counts {
        var histogram = Histogram()
        /// Commands answered within the window, and in all.
        var requests = 0
        var allRequests = 0
        var startedAt = 0
        var endedAt = 0
        var cpuNanoseconds = 0
        var wrongReplies = 0
        var failure: String?
    }

    private static let receiveBytes = 1 << 20

    let load: Load
    let batch: Batch
    private let keyCount: UInt32
    private let poller = Poller()
    private var connections: [UnsafeMutablePointer<Connection>] = []
    private let buffer: UnsafeMutablePointer<UInt8>
    private let verifies: Bool
    /// Nanoseconds between two batches of one connection; 0: as fast as it goes.
    private let interval: Int
    private let keyOffsets: [Int]
    private var random: UInt64
    private var isStopping = false
    private var isCounting = false
    private(set) var counts = Counts()

    init(_ load: Load, verifies: Bool, seed: UInt64) {
        self.load = load
        self.verifies = verifies
        batch = Batch(load)
        keyCount = UInt32(load.keyCount)
        buffer = .allocate(capacity: Self.receiveBytes)
        interval = load.rate > 0 ? 1_000_000_000 / load.rate * load.connections * load.pipeline : 0
        keyOffsets = batch.keys.flatMap(\.offsets)
        random = seed | 1
    }

    // MARK: Connections

    mutating func connect(to addresses: [Address], count: Int) throws(BenchFailure) {
        for index in 0..<count {
            let address = addresses[index % addresses.count]
            let descriptor = try address.connect()
            let connection = UnsafeMutablePointer<Connection>.allocate(capacity: 1)
            let request = UnsafeMutablePointer<UInt8>.allocate(capacity: batch.request.count)
            request.initialize(from: batch.request, count: batch.request.count)
            connection.initialize(
                to: Connection(descriptor: descriptor, request: request, numbers: .allocate(capacity: batch.keys.count))
            )
            if verifies { connection.pointee.replies = .allocate(capacity: batch.reply.count) }
            poller.add(connection: descriptor, tag: .session, connection)
            connections.append(connection)
        }
    }

    mutating func disconnect() {
        for connection in connections {
            Glibc.close(connection.pointee.descriptor)
            connection.pointee.request.deallocate()
            connection.pointee.numbers.deallocate()
            connection.pointee.replies?.deallocate()
            connection.deallocate()
        }
        connections = []
        poller.close()
        buffer.deallocate()
    }

    // MARK: The loop

    /// Asks until the phase is ``Phase/stop`` and what was asked is answered.
    ///
    /// - Parameter atEdge: Called by the leading thread when the time of the phase is over.
    mutating func run(_ clock: PhaseClock, isLeader: Bool) {
        let begin = Time.nanoseconds()
        for (index, connection) in connections.enumerated() {
            if interval > 0 {
                connection.pointee.dueAt = begin + interval / connections.count * index
            } else {
                start(connection, at: Time.nanoseconds())
            }
        }
        while counts.failure == nil {
            let now = Time.nanoseconds()
            if isLeader { clock.advance(now) }
            follow(clock.phase, now)
            if isStopping {
                let isDone = !connections.contains { $0.pointee.isWaiting }
                if isDone { break }
                if now > counts.endedAt + 5_000_000_000 {
                    counts.failure = "replies are missing"
                    break
                }
            }
            let wait = interval > 0 && !isStopping ? startDue(now) : 20_000_000
            let count = poller.wait(nanoseconds: wait)
            for position in 0..<count { handle(poller.event(position)) }
        }
    }

    private mutating func follow(_ phase: PhaseClock.Phase, _ now: Int) {
        if phase == .counting && !isCounting {
            isCounting = true
            counts.startedAt = now
            counts.cpuNanoseconds = -Time.threadNanoseconds()
        } else if phase == .stop && !isStopping {
            isStopping = true
            counts.endedAt = now
            if isCounting { counts.cpuNanoseconds += Time.threadNanoseconds() }
            isCounting = false
        }
    }

    /// - Returns: Nanoseconds until the next batch is due.
    private mutating func startDue(_ now: Int) -> Int {
        var next = now + 20_000_000
        for connection in connections where !connection.pointee.isWaiting {
            if connection.pointee.dueAt <= now {
                startNext(connection)
            } else {
                next = min(next, connection.pointee.dueAt)
            }
        }
        return max(0, next - Time.nanoseconds())
    }

    private mutating func startNext(_ connection: UnsafeMutablePointer<Connection>) {
        let due = connection.pointee.dueAt
        connection.pointee.dueAt = due + interval
        start(connection, at: due)
    }

    @inline(__always)
    private mutating func start(_ connection: UnsafeMutablePointer<Connection>, at time: Int) {
        let numbers = connection.pointee.numbers
        let request = UnsafeMutableRawPointer(connection.pointee.request)
        for index in batch.keys.indices {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            numbers[index] = UInt32(truncatingIfNeeded: ((random >> 32) &* UInt64(keyCount)) >> 32)
        }
        if keyOffsets.count == batch.keys.count {
            for index in keyOffsets.indices {
                request.storeBytes(of: eightDigits(numbers[index]), toByteOffset: keyOffsets[index], as: UInt64.self)
            }
        } else {
            for (index, key) in batch.keys.enumerated() {
                let digits = eightDigits(numbers[index])
                for offset in key.offsets { request.storeBytes(of: digits, toByteOffset: offset, as: UInt64.self) }
            }
        }
        connection.pointee.sent = 0
        connection.pointee.received = 0
        connection.pointee.isWaiting = true
        connection.pointee.startedAt = time
        send(connection)
    }

    private mutating func send(_ connection: UnsafeMutablePointer<Connection>) {
        while connection.pointee.sent < batch.request.count {
            let count = Sockets.send(
                connection.pointee.descriptor, connection.pointee.request + connection.pointee.sent,
                batch.request.count - connection.pointee.sent)
            if count < 0 {
                if count != Int(-EAGAIN) { counts.failure = "send: \(String(cString: strerror(Int32(-count))))" }
                return
            }
            connection.pointee.sent += count
        }
    }

    private mutating func handle(_ event: Poller.Event) {
        let connection = event.pointer.assumingMemoryBound(to: Connection.self)
        if event.isWritable && connection.pointee.isWaiting { send(connection) }
        if !event.isReadable && !event.isHungUp { return }
        while counts.failure == nil {
            let count = Sockets.receive(connection.pointee.descriptor, buffer, Self.receiveBytes)
            if count == Int(-EAGAIN) { return }
            guard count > 0 else {
                counts.failure = "the connection was closed"
                return
            }
            take(connection, count)
            if count < Self.receiveBytes { return }
        }
    }

    private mutating func take(_ connection: UnsafeMutablePointer<Connection>, _ count: Int) {
        let received = connection.pointee.received
        // An error is shorter than the reply, so the counts would never meet: it is seen here, or ends as a time-out.
        if received == 0 && buffer[0] != batch.reply[0] || received + count > batch.reply.count {
            let text = String(decoding: UnsafeBufferPointer(start: buffer, count: min(count, 80)), as: UTF8.self)
            counts.failure = "unexpected reply: \(text)"
            return
        }
        if let replies = connection.pointee.replies { (replies + received).update(from: buffer, count: count) }
        connection.pointee.received = received + count
        guard received + count == batch.reply.count else { return }
        if verifies { verify(connection) }
        let now = Time.nanoseconds()
        connection.pointee.isWaiting = false
        counts.allRequests &+= batch.commandCount
        if isCounting {
            counts.histogram.add(nanoseconds: now - connection.pointee.startedAt)
            counts.requests &+= batch.commandCount
        }
        if isStopping { return }
        if interval == 0 {
            start(connection, at: now)
        } else if connection.pointee.dueAt <= now {
            startNext(connection)
        }
    }

    private mutating func verify(_ connection: UnsafeMutablePointer<Connection>) {
        let expected = batch.expectedReply(connection.pointee.numbers)
        guard let replies = connection.pointee.replies else { return }
        if memcmp(expected, replies, expected.count) != 0 {
            counts.wrongReplies += 1
            counts.failure = "a reply differs from what was stored"
        }
    }
}

/// The phases of a run, which the leading thread moves and the others follow.
final class PhaseClock: Sendable {
    enum Phase: Int { case warmUp, counting, stop }

    private let current = Atomic<Int>(0)
    private let countingAt: Int
    private let stopAt: Int
    /// Called at both edges of the counted window, by the leading thread.
    private let atEdge: @Sendable () -> Void

    init(warmUp: Int, window: Int, atEdge: @escaping @Sendable () -> Void) {
        countingAt = Time.nanoseconds() + warmUp
        stopAt = countingAt + window
        self.atEdge = atEdge
    }

    var phase: Phase { Phase(rawValue: current.load(ordering: .relaxed))! }

    func advance(_ now: Int) {
        if phase == .warmUp && now >= countingAt {
            atEdge()
            current.store(Phase.counting.rawValue, ordering: .relaxed)
        } else if phase == .counting && now >= stopAt {
            atEdge()
            current.store(Phase.stop.rawValue, ordering: .relaxed)
        }
    }
}

enum Time {
    @inline(__always)
    static func nanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
    }

    /// CPU time of the calling thread.
    static func threadNanoseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
    }
}
