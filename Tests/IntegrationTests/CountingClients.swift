import Dispatch
import Synchronization
import TestSupport

/// Clients that count, each with a key of its own and a pipeline: a reply that isn't the next number is an error, be it
/// a write lost, done twice, out of order, or an error of the proxy.
final class CountingClients: Sendable {
    struct Outcome {
        var errors: [String] = []
        var requests = 0
        /// Longest time that a pipeline took, in milliseconds.
        var worst = 0.0
    }

    private let isOver = Atomic<Bool>(false)
    private let outcome = Mutex(Outcome())
    private let group = DispatchGroup()

    init(_ fixture: ProxyFixture, count: Int, depth: Int) throws {
        for index in 0..<count {
            nonisolated(unsafe) let client = try fixture.connect(10001)
            DispatchQueue(label: "client \(index)").async(group: group) { [self] in
                run(client, RedisConnection.encode(["INCR", "counter\(index)"]), depth)
            }
        }
    }

    private func run(_ client: RedisConnection, _ request: [UInt8], _ depth: Int) {
        let batch = Array(repeatElement(request, count: depth).joined())
        var number = 0
        while !isOver.load(ordering: .relaxed) {
            let start = ContinuousClock.now
            var errors: [String] = []
            do {
                try client.send(batch)
                for _ in 0..<depth {
                    number += 1
                    let reply = String(decoding: try client.reply(), as: UTF8.self)
                    if reply != ":\(number)\r\n" { errors.append("\(number): \(reply)") }
                }
            } catch {
                errors.append("\(error)")
            }
            let time = Double((ContinuousClock.now - start) / .microseconds(1)) / 1000
            outcome.withLock {
                $0.errors += errors
                $0.requests += depth
                $0.worst = max($0.worst, time)
            }
            if !errors.isEmpty { return }
        }
    }

    var requests: Int { outcome.withLock(\.requests) }

    func finish() -> Outcome {
        isOver.store(true, ordering: .relaxed)
        group.wait()
        return outcome.withLock { $0 }
    }
}
