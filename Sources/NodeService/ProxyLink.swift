package import ClusterModel
package import Logging
package import NIOCore
package import Primitives
package import ProxyControl
import Synchronization

package struct ProxyLinkError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// The proxy can't do it, e.g. the port is taken; the message is its own.
        case refused
        case timeout
    }

    package var code: Code
    package var message: String
    package var description: String { message }
}

/// Link to the node's proxy. Holds the routes that should be in force and brings every new connection up to date.
///
/// Nothing is sent before ``open()``: a manager that has just been started again knows no routes yet, and an early
/// `replaceAll` would end the sessions of every client.
package final class ProxyLink: Sendable {
    private struct Waiter {
        var epoch: Epoch
        var promise: EventLoopPromise<Void>
        var timer: Scheduled<Void>
    }

    private struct State {
        var isOpen = false
        var connection: FrameConnection<ProxyEvent>?
        var routes: [DatabaseID: DatabaseRoutes] = [:]
        /// Told to go and not yet confirmed.
        var removals: [DatabaseID: Epoch] = [:]
        var leaseEnd: BootTime?
        var pid: Int32?
        var applied: [DatabaseID: Epoch] = [:]
        var refused: [DatabaseID: (epoch: Epoch, message: String)] = [:]
        var lastWaiter = 0
        var waiters: [DatabaseID: [Int: Waiter]] = [:]
        var statistics: [Int: EventLoopPromise<[DatabaseStatistics]>] = [:]
    }

    /// A client of a database wants these settings.
    package struct SettingsRequest: Sendable {
        package let database: DatabaseID
        package let settings: [String: String]
        /// Call it once: nil when they are in force, else why that can't be said.
        package let answer: @Sendable (_ error: String?) -> Void
    }

    private let socketPath: String
    private let group: any EventLoopGroup
    private let logger: Logger
    private let state = Mutex(State())
    private let settingsRequest: AsyncStream<SettingsRequest>.Continuation

    /// What clients ask for, in their order. One reader.
    package let settingsRequests: AsyncStream<SettingsRequest>

    package init(socketPath: String, group: any EventLoopGroup, logger: Logger) {
        self.socketPath = socketPath
        self.group = group
        self.logger = logger
        (settingsRequests, settingsRequest) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1000))
    }

    /// Keeps the connection until cancelled.
    package func run() async {
        await FrameConnection<ProxyEvent>.keep(
            to: "proxy", path: socketPath, group: group, logger: logger,
            receive: { [weak self] event in self?.receive(event) }, opened: opened, lost: lost)
    }

    private func opened(_ connection: FrameConnection<ProxyEvent>) {
        state.withLock { state in
            state.connection = connection
            if state.isOpen { Self.bringUpToDate(connection, state) }
        }
        logger.info("connected to the proxy")
    }

    private func lost() {
        state.withLock { state in
            state.connection = nil
            state.pid = nil
            state.applied = [:]
            state.refused = [:]
        }
    }

    /// From here on the routes set so far are all there are. Called once, after the first whole configuration.
    package func open() {
        state.withLock { state in
            guard !state.isOpen else { return }
            state.isOpen = true
            if let connection = state.connection { Self.bringUpToDate(connection, state) }
        }
    }

    var isOpen: Bool { state.withLock { $0.isOpen } }

    package func set(_ routes: DatabaseRoutes) {
        state.withLock { state in
            if let known = state.routes[routes.database] {
                guard routes.epoch >= known.epoch, routes != known || state.refused[routes.database] != nil else {
                    return
                }
            }
            state.routes[routes.database] = routes
            state.removals[routes.database] = nil
            state.refused[routes.database] = nil
            // Not in force any more, even if the epoch is the same.
            state.applied[routes.database] = nil
            if state.isOpen { state.connection?.send(ProxyCommand.update(routes)) }
        }
    }

    /// Of the proxy that is connected.
    package var pid: Int32? { state.withLock { $0.pid } }

    /// Whether every loop of it answers. Nil: it is not connected, so there is nobody to ask.
    package func isAnswering(within deadline: Duration) async -> Bool? {
        guard pid != nil else { return nil }
        return (try? await statistics(within: deadline)) != nil
    }

    /// The node's serving lease lasts until then. A proxy that connects later is told, too, behind its routes.
    package func grantLease(until end: BootTime) {
        state.withLock { state in
            // Earlier than before, too: with a third node the lease of the first two gets an end.
            guard state.leaseEnd != end else { return }
            state.leaseEnd = end
            state.connection?.send(ProxyCommand.lease(until: end.milliseconds))
        }
    }

    package func remove(_ database: DatabaseID, epoch: Epoch) {
        state.withLock { state in
            state.routes[database] = nil
            state.refused[database] = nil
            state.applied[database] = nil
            state.removals[database] = epoch
            if state.isOpen { state.connection?.send(ProxyCommand.remove(database, epoch)) }
        }
    }

    /// Routes that should be in force, and how the proxy stands to them.
    package func observation(of database: DatabaseID) -> RoutesObservation {
        state.withLock { state in
            RoutesObservation(
                routes: state.routes[database], removal: state.removals[database],
                applied: state.applied[database], refusal: state.refused[database]?.message)
        }
    }

    /// Returns when the proxy has confirmed this epoch or a newer one, removal included.
    package func waitApplied(_ database: DatabaseID, epoch: Epoch, deadline: Duration) async throws {
        let loop = group.any()
        let promise = loop.makePromise(of: Void.self)
        state.withLock { state in
            if let applied = state.applied[database], applied >= epoch { return promise.succeed() }
            if let refused = state.refused[database], refused.epoch >= epoch {
                return promise.fail(ProxyLinkError(code: .refused, message: refused.message))
            }
            state.lastWaiter += 1
            let number = state.lastWaiter
            let timer = loop.scheduleTask(in: TimeAmount(deadline)) { [weak self] () -> Void in
                self?.expire(number, database)
            }
            state.waiters[database, default: [:]][number] = Waiter(epoch: epoch, promise: promise, timer: timer)
        }
        try await promise.futureResult.get()
    }

    /// Counters of every database since the proxy started.
    package func statistics(within deadline: Duration = .seconds(1)) async throws -> [DatabaseStatistics] {
        let loop = group.any()
        let promise = loop.makePromise(of: [DatabaseStatistics].self)
        state.withLock { state in
            guard let connection = state.connection else { return promise.fail(timeout()) }
            state.lastWaiter += 1
            let number = state.lastWaiter
            state.statistics[number] = promise
            loop.scheduleTask(in: TimeAmount(deadline)) { [weak self] in
                let late = self?.state.withLock { $0.statistics.removeValue(forKey: number) }
                if let self { late?.fail(self.timeout()) }
            }
            connection.send(ProxyCommand.reportStatistics)
        }
        return try await promise.futureResult.get()
    }
}

/// What is known of a database's routes in the local proxy.
package struct RoutesObservation: Hashable, Sendable {
    package var routes: DatabaseRoutes?
    /// Asked to be removed as of this epoch.
    package var removal: Epoch?
    /// Confirmed by the proxy that runs now.
    package var applied: Epoch?
    package var refusal: String?

    package init(
        routes: DatabaseRoutes? = nil, removal: Epoch? = nil, applied: Epoch? = nil, refusal: String? = nil
    ) {
        self.routes = routes
        self.removal = removal
        self.applied = applied
        self.refusal = refusal
    }
}

extension ProxyLink {
    private static func bringUpToDate(_ connection: FrameConnection<ProxyEvent>, _ state: State) {
        connection.send(ProxyCommand.replaceAll(state.routes.values.sorted { $0.database < $1.database }))
        // The replacement has removed these already; asking again brings the confirmation that somebody waits for.
        for (database, epoch) in state.removals { connection.send(ProxyCommand.remove(database, epoch)) }
        if let end = state.leaseEnd { connection.send(ProxyCommand.lease(until: end.milliseconds)) }
    }

    private func receive(_ event: ProxyEvent) {
        state.withLock { state in
            switch event {
            case .hello(let version, let pid, let loops):
                state.pid = pid
                logger.info(
                    "proxy says hello", metadata: ["version": "\(version)", "pid": "\(pid)", "loops": "\(loops)"])
            case .applied(let database, let epoch):
                state.applied[database] = epoch
                state.refused[database] = nil
                if let removal = state.removals[database], removal <= epoch { state.removals[database] = nil }
                Self.settle(database, epoch, .success(()), &state)
            case .refused(let database, let epoch, let message):
                // Late, after a newer update was sent: not about what is wanted now.
                if let wanted = state.routes[database], wanted.epoch > epoch { return }
                state.refused[database] = (epoch, message)
                Self.settle(
                    database, epoch, .failure(ProxyLinkError(code: .refused, message: message)), &state)
            case .statistics(let databases):
                for promise in state.statistics.values { promise.succeed(databases) }
                state.statistics = [:]
            case .changeSettings(let database, let request, let settings):
                let connection = state.connection
                settingsRequest.yield(
                    SettingsRequest(database: database, settings: settings) { error in
                        connection?.send(ProxyCommand.settingsChanged(request: request, error: error))
                    })
            }
        }
    }

    private static func settle(
        _ database: DatabaseID, _ epoch: Epoch, _ result: Result<Void, any Error>, _ state: inout State
    ) {
        for (number, waiter) in state.waiters[database] ?? [:] where waiter.epoch <= epoch {
            state.waiters[database]?[number] = nil
            waiter.timer.cancel()
            waiter.promise.completeWith(result)
        }
        if state.waiters[database]?.isEmpty == true { state.waiters[database] = nil }
    }

    private func expire(_ number: Int, _ database: DatabaseID) {
        let waiter = state.withLock { $0.waiters[database]?.removeValue(forKey: number) }
        waiter?.promise.fail(timeout())
    }

    private func timeout() -> ProxyLinkError {
        ProxyLinkError(
            code: .timeout, message: "the proxy at \(socketPath) did not answer in time; see its log proxy.log")
    }
}
