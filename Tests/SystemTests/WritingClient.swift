import Dispatch
import Glibc
import Synchronization

@testable import dev

/// Writes one key after another from a thread of its own, connects anew when it has to, and notes what went wrong.
final class WritingClient: Sendable {
    struct Tally {
        var written = 0
        var errors: [String] = []
        /// Longest time that one write took, or that nothing could be written.
        var longestGap = Duration.zero
    }

    private struct State {
        var tally = Tally()
        var isStopped = false
        var lastSuccess = ContinuousClock.now
    }

    private let endpoint: Endpoint
    private let state = Mutex(State())
    private let ended = DispatchSemaphore(value: 0)

    init(_ endpoint: Endpoint, at host: String) {
        var endpoint = endpoint
        endpoint.host = host
        self.endpoint = endpoint
        DispatchQueue(label: "writing client").async { [self] in
            run()
            ended.signal()
        }
    }

    /// What happened since the last call.
    func takeTally() -> Tally {
        state.withLock { state in
            defer { state.tally = Tally() }
            return state.tally
        }
    }

    var written: Int { state.withLock { $0.tally.written } }

    /// Idempotent; returns when the thread has ended.
    func stop() {
        let wasStopped = state.withLock { state in
            defer { state.isStopped = true }
            return state.isStopped
        }
        if !wasStopped { ended.wait() }
    }

    private func run() {
        var client: RESPClient?
        var number = 0
        state.withLock { $0.lastSuccess = .now }
        while !state.withLock({ $0.isStopped }) {
            do {
                let connection =
                    try client
                    ?? RESPClient(
                        host: endpoint.host, port: endpoint.port, password: endpoint.password, timeoutSeconds: 15)
                client = connection
                number += 1
                note(try connection.send([["SET", "written:\(number % 5000)", "\(number)"]])[0])
            } catch {
                client = nil
                fail("\(error)")
            }
        }
    }

    private func note(_ reply: RESPClient.Reply) {
        guard reply == .simple("OK") else { return fail("\(reply)") }
        let now = ContinuousClock.now
        state.withLock { state in
            state.tally.written += 1
            state.tally.longestGap = max(state.tally.longestGap, now - state.lastSuccess)
            state.lastSuccess = now
        }
    }

    private func fail(_ text: String) {
        state.withLock { $0.tally.errors.append(text) }
        // A refused connection is refused at once; without this the log of errors would fill the memory.
        usleep(10_000)
    }
}
