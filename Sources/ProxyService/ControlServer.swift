import CLinux
import ClusterModel
import Glibc
import LocalSocket
import Primitives
import ProxyControl
import ProxyCore
import Reactor

/// The proxy's side of `run/tarn/proxy.sock`: one manager at a time, a new connection replaces the old one.
///
/// Runs on a thread of its own with blocking `poll`, so that no parse of a route push ever delays a request. Losing
/// the manager changes nothing for clients.
final class ControlServer {
    /// An answer that waits until every loop has done its part.
    fileprivate struct Operation {
        var missing: Int
        var event: ProxyEvent?
        var statistics: [DatabaseID: DatabaseStatistics] = [:]
        var isSuperseded = false
    }

    private let listener: Int32
    private let signals: Int32
    private let loops: [Mailbox<LoopMessage>]
    private let replies: Mailbox<LoopReply>
    private let lease: ServingLease
    private var catalog = DatabaseCatalog()
    private var operations: [Int: Operation] = [:]
    private var lastOperation = 0
    var changes = PendingChanges()
    private var connection: Int32 = -1
    private var incoming = FrameBuffer()
    private var outgoing: [UInt8] = []

    init(
        listener: Int32, signals: Int32, loops: [Mailbox<LoopMessage>], replies: Mailbox<LoopReply>,
        lease: ServingLease
    ) {
        self.listener = listener
        self.signals = signals
        self.loops = loops
        self.replies = replies
        self.lease = lease
    }

    /// Returns when a signal asks for the end.
    func run() {
        while true {
            var waits = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
                pollfd(fd: replies.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: connection, events: Int16(outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0),
            ]
            guard poll(&waits, nfds_t(waits.count), changes.timeout(now: MonotonicClock.milliseconds())) >= 0 else {
                continue
            }
            expireChanges()
            if waits[1].revents != 0 { return }
            if waits[2].revents != 0 { takeReplies() }
            if waits[3].revents & Int16(POLLOUT) != 0 { write() }
            if waits[3].revents & ~Int16(POLLOUT) != 0 && connection >= 0 { read() }
            if waits[0].revents != 0 { accept() }
        }
    }

    // MARK: Connection

    private func accept() {
        let descriptor = clinux_accept_nonblocking(listener)
        guard descriptor >= 0 else { return }
        disconnect()
        connection = descriptor
        send(.hello(version: ReleaseVersion.current, pid: getpid(), loops: UInt16(loops.count)))
        for event in changes.takeUnsent() { send(event) }
    }

    private func disconnect() {
        if connection >= 0 { close(connection) }
        connection = -1
        incoming = FrameBuffer()
        outgoing = []
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let received = recv(connection, &buffer, buffer.count, 0)
        guard received > 0 else {
            if received == 0 || errno != EAGAIN { disconnect() }
            return
        }
        incoming.append(buffer[..<received])
        do throws(WireError) {
            while let frame = try incoming.next() {
                var reader = WireReader(frame)
                handle(try ProxyCommand(from: &reader))
            }
        } catch {
            log("the manager sent a malformed message (\(error)); its connection is closed")
            disconnect()
        }
    }

    private func send(_ event: ProxyEvent) {
        guard connection >= 0 else { return }  // A new manager asks anew.
        outgoing.append(contentsOf: event.framed())
        write()
    }

    private func write() {
        guard connection >= 0, !outgoing.isEmpty else { return }
        let sent = outgoing.withUnsafeBytes { clinux_send(connection, $0.baseAddress, UInt($0.count)) }
        if sent > 0 { outgoing.removeFirst(sent) } else if errno != EAGAIN { disconnect() }
    }

    // MARK: Commands

    private func handle(_ command: ProxyCommand) {
        switch command {
        case .replaceAll(let databases):
            let named = Set(databases.map(\.database))
            for (identifier, entry) in catalog.entries where !named.contains(identifier) {
                remove(identifier, entry.table.routes.epoch)
            }
            for routes in databases { update(routes) }
        case .update(let routes): update(routes)
        case .remove(let database, let epoch): remove(database, epoch)
        case .reportStatistics:
            begin(Operation(missing: loops.count, event: nil)) { .report(operation: $0) }
        case .settingsChanged(let request, let error): finishChange(request, error)
        case .lease(let end):
            if lease.set(until: end, now: MonotonicClock.bootMilliseconds()) {
                for loop in loops { loop.post(.leaseReturned) }
            }
        }
    }

    private func update(_ routes: DatabaseRoutes) {
        let refuse = { (message: String) in self.send(.refused(routes.database, routes.epoch, message: message)) }
        if let objection = catalog.objection(to: routes) { return refuse(objection) }
        let table: RouteTable
        do throws(RouteTable.Refusal) {
            table = try RouteTable(
                routes, shared: catalog.shared(of: routes.database), before: catalog.entries[routes.database]?.table)
        } catch {
            return refuse(error.text)
        }
        switch listeners(for: routes) {
        case .failure(let refusal): refuse(refusal.message)
        case .success(let listeners):
            catalog.set(table)
            let operation = Operation(missing: loops.count, event: .applied(routes.database, routes.epoch))
            var index = 0
            begin(operation) { number in
                defer { index += 1 }
                return .apply(table, listeners[index], operation: number)
            }
        }
    }

    private func remove(_ database: DatabaseID, _ epoch: Epoch) {
        if let objection = catalog.objection(toRemoving: database, epoch) {
            return send(.refused(database, epoch, message: objection))
        }
        catalog.remove(database, epoch)
        begin(Operation(missing: loops.count, event: .applied(database, epoch))) { .remove(database, operation: $0) }
    }

    private struct ListenRefusal: Error { var message: String }

    /// One listener for each loop, bound here so that a busy port is known before anything changes.
    private func listeners(for routes: DatabaseRoutes) -> Result<[LoopMessage.Listener], ListenRefusal> {
        let before = catalog.entries[routes.database]?.table.routes
        guard let host = routes.listenHost else {
            return .success(Array(repeating: .close, count: loops.count))
        }
        if before?.listenHost == host && before?.port == routes.port {
            return .success(Array(repeating: .keep, count: loops.count))
        }
        let probe = Sockets.probe(host: host, port: routes.port)
        guard probe == 0 else { return .failure(refusal(host, routes.port, probe)) }
        var descriptors: [Int32] = []
        for _ in loops {
            let descriptor = Sockets.listen(host: host, port: routes.port)
            guard descriptor >= 0 else {
                for opened in descriptors { close(opened) }
                return .failure(refusal(host, routes.port, descriptor))
            }
            descriptors.append(descriptor)
        }
        return .success(descriptors.map { .replace(descriptor: $0) })
    }

    private func refusal(_ host: String, _ port: UInt16, _ outcome: Int32) -> ListenRefusal {
        let reason = String(cString: strerror(-outcome))
        return ListenRefusal(message: "can't listen on \(host):\(port): \(reason); choose another port or free it")
    }

    // MARK: Loops

    private func begin(_ operation: Operation, _ message: (Int) -> LoopMessage) {
        lastOperation += 1
        operations[lastOperation] = operation
        for loop in loops { loop.post(message(lastOperation)) }
    }

    private func takeReplies() {
        for reply in replies.takeAll() {
            if let change = reply.change { begin(change) }
            guard var operation = operations[reply.operation] else { continue }
            operation.missing -= 1
            if reply.isSuperseded { operation.isSuperseded = true }
            for part in reply.statistics { operation.add(part) }
            if operation.missing > 0 {
                operations[reply.operation] = operation
                continue
            }
            operations[reply.operation] = nil
            if operation.isSuperseded, case .applied(let database, let epoch)? = operation.event {
                // Told once more, by a new manager say: the later operation answers.
                if catalog.entries[database]?.table.routes.epoch == epoch { continue }
                send(.refused(database, epoch, message: "newer routes came before the held shards had answered"))
                continue
            }
            send(operation.event ?? .statistics(operation.statistics.values.sorted { $0.database < $1.database }))
        }
    }
}

// MARK: Settings

extension ControlServer {
    private func begin(_ change: SettingsChange) {
        let event = changes.add(change, isConnected: connection >= 0, now: MonotonicClock.milliseconds())
        if let event { send(event) }
    }

    private func finishChange(_ number: UInt64, _ error: String?) {
        guard let change = changes.remove(number) else { return }  // Too late: its client was told so.
        loops[change.loop].post(.settingsChanged(request: change.request, error: error))
    }

    private func expireChanges() {
        for (change, error) in changes.takeExpired(now: MonotonicClock.milliseconds()) {
            loops[change.loop].post(.settingsChanged(request: change.request, error: error))
        }
    }
}

extension ControlServer.Operation {
    fileprivate mutating func add(_ part: DatabaseStatistics) {
        var sum = statistics[part.database] ?? DatabaseStatistics(database: part.database)
        sum.connections += part.connections
        sum.acceptedConnections += part.acceptedConnections
        sum.requests += part.requests
        sum.receivedBytes += part.receivedBytes
        sum.sentBytes += part.sentBytes
        sum.refusedRequests += part.refusedRequests
        sum.confirmedWrites += part.confirmedWrites
        sum.unconfirmedWrites += part.unconfirmedWrites
        sum.degradedWrites += part.degradedWrites
        statistics[part.database] = sum
    }
}
