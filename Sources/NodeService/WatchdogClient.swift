package import Logging
package import NIOCore
import Synchronization
package import WatchdogProtocol

/// What a node's watchdog told of its processes.
package enum WatchdogEvent: Hashable, Sendable {
    /// A connection stands and the table of processes is fresh. Whatever happened before may have gone unseen.
    case connected
    case exited(ProcessStatus)
    case restarted(ProcessStatus)
}

package struct WatchdogClientError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The watchdog's own refusal.
        case refused
        /// No connection, or no answer, before the deadline.
        case timeout
    }

    package var code: Code
    package var message: String
    package var description: String { message }
}

/// Link to the node's watchdog. Keeps a connection for ever and sends again what a lost one left unanswered, which is
/// harmless: every request asks for a state, not for a change.
package final class WatchdogClient: Sendable {
    private struct Request {
        var command: WatchdogRequest.Command
        var promise: EventLoopPromise<[ProcessStatus]>
        var timer: Scheduled<Void>
    }

    private struct State {
        var connection: FrameConnection<WatchdogReply>?
        /// Since when there has been no connection; nil while there is one.
        var disconnectedAt: ContinuousClock.Instant? = .now
        var lastNumber: UInt32 = 0
        var requests: [UInt32: Request] = [:]
        /// Kept in the order of the connection's messages, so an exit can't be overtaken by the start before it.
        var processes: [String: ProcessStatus]?
        var lastSubscriber = 0
        var subscribers: [Int: AsyncStream<WatchdogEvent>.Continuation] = [:]
    }

    private let socketPath: String
    private let group: any EventLoopGroup
    private let logger: Logger
    private let state = Mutex(State())

    package init(socketPath: String, group: any EventLoopGroup, logger: Logger) {
        self.socketPath = socketPath
        self.group = group
        self.logger = logger
    }

    /// Keeps the connection until cancelled.
    package func run() async {
        await FrameConnection<WatchdogReply>.keep(
            to: "watchdog", path: socketPath, group: group, logger: logger,
            receive: { [weak self] reply in self?.receive(reply) }, opened: opened, lost: lost)
        state.withLock { state in
            for subscriber in state.subscribers.values { subscriber.finish() }
            state.subscribers = [:]
        }
    }

    /// Events from now on; a `.connected` comes first when there is a connection already. Each call makes a stream of
    /// its own, to be read by one reader.
    package var events: AsyncStream<WatchdogEvent> {
        let (stream, continuation) = AsyncStream<WatchdogEvent>.makeStream()
        state.withLock { state in
            state.lastSubscriber += 1
            let number = state.lastSubscriber
            state.subscribers[number] = continuation
            if state.connection != nil, state.processes != nil { continuation.yield(.connected) }
            continuation.onTermination = { [weak self] _ in
                // May run inside a yield under the lock, hence the hop.
                Task { self?.state.withLock { $0.subscribers[number] = nil } }
            }
        }
        return stream
    }

    /// Every process as last heard of, by name; nil before the first connection.
    package var processes: [String: ProcessStatus]? { state.withLock { $0.processes } }

    /// How long there has been no connection; nil while there is one.
    package var disconnectedFor: Duration? {
        state.withLock { $0.disconnectedAt.map { .now - $0 } }
    }

    /// Answers the status of the running process, started now or before.
    package func start(_ specification: ProcessSpecification) async throws -> ProcessStatus {
        let statuses = try await request(.start(specification), within: .seconds(5))
        guard let status = statuses.first(where: { $0.name == specification.name }) ?? statuses.first else {
            throw WatchdogClientError(code: .refused, message: "the watchdog answered no status")
        }
        return status
    }

    /// Answers when the process is gone.
    package func stop(_ name: String, within deadline: Duration = .seconds(75)) async throws {
        _ = try await request(.stop(name: name), within: deadline)
    }

    package func signal(_ name: String, number: Int32) async throws {
        _ = try await request(.signal(name: name, number: number), within: .seconds(2))
    }

    package func list() async throws -> [ProcessStatus] {
        try await request(.list, within: .seconds(2))
    }

    package func reexecute(path: String = "") async throws {
        _ = try await request(.reexecute(path: path), within: .seconds(5))
    }

    package func shutdown() async throws {
        _ = try await request(.shutdown, within: .seconds(5))
    }

    private func request(
        _ command: WatchdogRequest.Command, within deadline: Duration
    ) async throws -> [ProcessStatus] {
        let loop = group.any()
        let promise = loop.makePromise(of: [ProcessStatus].self)
        state.withLock { state in
            state.lastNumber &+= 1
            let number = state.lastNumber
            let timer = loop.scheduleTask(in: TimeAmount(deadline)) { [weak self] () -> Void in
                self?.expire(number)
            }
            state.requests[number] = Request(command: command, promise: promise, timer: timer)
            state.connection?.send(WatchdogRequest(number: number, command: command))
        }
        return try await promise.futureResult.get()
    }

    private func expire(_ number: UInt32) {
        let request = state.withLock { $0.requests.removeValue(forKey: number) }
        request?.promise.fail(
            WatchdogClientError(
                code: .timeout,
                message: "the watchdog at \(socketPath) did not answer in time; see its log watchdog.log"))
    }
}

// MARK: - The connection's life

extension WatchdogClient {
    private func opened(_ connection: FrameConnection<WatchdogReply>) {
        let again = state.withLock { state in
            state.connection = connection
            state.disconnectedAt = nil
            // Before anything else the table, so that what is sent again below finds it fresh.
            connection.send(WatchdogRequest(number: 0, command: .list))
            for (number, request) in state.requests.sorted(by: { $0.key < $1.key }) {
                connection.send(WatchdogRequest(number: number, command: request.command))
            }
            return state.requests.count
        }
        logger.info("connected to the watchdog", metadata: ["sent_again": "\(again)"])
    }

    private func lost() {
        let finished = state.withLock { state in
            state.connection = nil
            state.disconnectedAt = .now
            // A watchdog that replaces or ends itself answers by closing the connection.
            let closing = state.requests.filter { $0.value.command.endsConnection }
            for number in closing.keys { state.requests[number] = nil }
            return Array(closing.values)
        }
        for request in finished { Self.complete(request) { $0.succeed([]) } }
    }

    private func receive(_ reply: WatchdogReply) {
        state.withLock { state in
            switch reply {
            case .done(number: 0, let statuses):
                state.processes = Dictionary(statuses.map { ($0.name, $0) }) { _, last in last }
                publish(.connected, state)
            case .done(let number, let statuses):
                guard let request = state.requests.removeValue(forKey: number) else { return }  // Late: expired.
                Self.record(statuses, of: request.command, in: &state.processes)
                Self.complete(request) { $0.succeed(statuses) }
            case .failed(let number, let message):
                guard let request = state.requests.removeValue(forKey: number) else { return }
                Self.complete(request) { $0.fail(WatchdogClientError(code: .refused, message: message)) }
            case .exited(let status):
                state.processes?[status.name] = status
                publish(.exited(status), state)
            case .restarted(let status):
                state.processes?[status.name] = status
                publish(.restarted(status), state)
            }
        }
    }

    private static func record(
        _ statuses: [ProcessStatus], of command: WatchdogRequest.Command, in processes: inout [String: ProcessStatus]?
    ) {
        switch command {
        case .start: for status in statuses { processes?[status.name] = status }
        case .stop(let name): processes?[name] = nil
        case .list: processes = Dictionary(statuses.map { ($0.name, $0) }) { _, last in last }
        case .signal, .reexecute, .shutdown: break
        }
    }

    private func publish(_ event: WatchdogEvent, _ state: State) {
        for subscriber in state.subscribers.values { subscriber.yield(event) }
    }

    private static func complete(
        _ request: Request, _ body: (EventLoopPromise<[ProcessStatus]>) -> Void
    ) {
        request.timer.cancel()
        body(request.promise)
    }
}

extension WatchdogRequest.Command {
    fileprivate var endsConnection: Bool {
        switch self {
        case .reexecute, .shutdown: true
        case .start, .stop, .signal, .list: false
        }
    }
}
