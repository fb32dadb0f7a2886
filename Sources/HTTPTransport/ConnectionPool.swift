import Synchronization
import TLS

/// The connections of one client: those that wait for use, and all that live.
final class ConnectionPool: Sendable {
    /// Beyond this an endpoint's connections are closed when they come back; a burst leaves no crowd behind.
    private static let idlePerEndpoint = 8

    private struct State {
        var tls: TLSContext
        var generation = 0
        var isShutDown = false
        var idle: [HTTPEndpoint: [HTTPConnection]] = [:]
        var all: [ObjectIdentifier: HTTPConnection] = [:]
    }

    private let state: Mutex<State>

    init(tls: TLSContext) {
        state = Mutex(State(tls: tls))
    }

    /// The context for a new connection; nil after the shutdown.
    var current: (tls: TLSContext, generation: Int)? {
        state.withLock { $0.isShutDown ? nil : ($0.tls, $0.generation) }
    }

    /// New connections use `context`; waiting ones are closed, busy ones are closed once they are done.
    func replaceTLS(_ context: TLSContext) {
        let waiting = state.withLock { state in
            state.tls = context
            state.generation += 1
            defer { state.idle = [:] }
            return state.idle.values.flatMap { $0 }
        }
        waiting.forEach { $0.close() }
    }

    /// A waiting connection, the one used last: the others may then grow old and go.
    func take(_ endpoint: HTTPEndpoint) -> HTTPConnection? {
        state.withLock { state in
            while let connection = state.idle[endpoint]?.popLast() {
                if connection.channel.isActive { return connection }
            }
            return nil
        }
    }

    /// Makes a new connection known. False after the shutdown: it must be closed.
    func add(_ connection: HTTPConnection) -> Bool {
        let isAdded = state.withLock { state in
            guard !state.isShutDown else { return false }
            state.all[ObjectIdentifier(connection)] = connection
            return true
        }
        if isAdded { connection.channel.closeFuture.whenComplete { _ in self.remove(connection) } }
        return isAdded
    }

    func giveBack(_ connection: HTTPConnection) {
        let isKept = state.withLock { state in
            // One that closed meanwhile was removed already and must not come back.
            guard state.all[ObjectIdentifier(connection)] != nil, connection.generation == state.generation,
                state.idle[connection.endpoint, default: []].count < Self.idlePerEndpoint
            else { return false }
            state.idle[connection.endpoint, default: []].append(connection)
            return true
        }
        if !isKept { connection.close() }
    }

    func closeIdle(_ endpoint: HTTPEndpoint) {
        let waiting = state.withLock { $0.idle.removeValue(forKey: endpoint) ?? [] }
        waiting.forEach { $0.close() }
    }

    private func remove(_ connection: HTTPConnection) {
        state.withLock { state in
            state.all[ObjectIdentifier(connection)] = nil
            state.idle[connection.endpoint]?.removeAll { $0 === connection }
            if state.idle[connection.endpoint]?.isEmpty == true { state.idle[connection.endpoint] = nil }
        }
    }

    /// Closes everything; requests under way fail with `closed`. Returns when all sockets are closed.
    func shutdown() async {
        let all = state.withLock { state in
            state.isShutDown = true
            state.idle = [:]
            return Array(state.all.values)
        }
        all.forEach { $0.close() }
        for connection in all { try? await connection.channel.closeFuture.get() }
    }

    /// Number of waiting connections, for tests.
    func idleCount(_ endpoint: HTTPEndpoint) -> Int {
        state.withLock { $0.idle[endpoint]?.count ?? 0 }
    }
}
