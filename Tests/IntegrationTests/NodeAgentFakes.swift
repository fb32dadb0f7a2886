import ClusterModel
import Glibc
import LocalSocket
import NIOCore
import NIOPosix
import Primitives
import ProxyControl
import Synchronization
import TestSupport
import WatchdogProtocol

/// The listening end of a local protocol.
final class FrameServer: Sendable {
    /// One connection: what to call on each frame is up to the owner.
    typealias Receive = @Sendable (_ frame: [UInt8], _ channel: any Channel) -> Void

    private let listener: any Channel
    private let connections = ConnectionSet()

    init(
        path: String, group: any EventLoopGroup, opened: @escaping @Sendable (any Channel) -> Void,
        receive: @escaping Receive
    ) async throws {
        let descriptor = try LocalSocket.listen(path: path)
        let connections = connections
        listener = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    connections.add(channel)
                    try channel.pipeline.syncOperations.addHandler(FrameReader(opened: opened, receive: receive))
                }
            }
            .withBoundSocket(descriptor).get()
    }

    func broadcast(_ message: some WireMessage) {
        for channel in connections.all { channel.writeAndFlush(ByteBuffer(bytes: message.framed()), promise: nil) }
    }

    /// Ends the connections, not the listener.
    func hangUp() {
        for channel in connections.all { channel.close(promise: nil) }
    }

    func close() async {
        try? await listener.close()
        hangUp()
    }
}

private final class ConnectionSet: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    var all: [any Channel] { channels.withLock { Array($0.values) } }

    func add(_ channel: any Channel) {
        channels.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.channels.withLock { $0[ObjectIdentifier(channel)] = nil }
        }
    }
}

private final class FrameReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let opened: @Sendable (any Channel) -> Void
    private let receive: FrameServer.Receive
    private var frames = FrameBuffer()

    init(opened: @escaping @Sendable (any Channel) -> Void, receive: @escaping FrameServer.Receive) {
        self.opened = opened
        self.receive = receive
    }

    func channelActive(context: ChannelHandlerContext) { opened(context.channel) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data).readableBytesView)
        while let frame = try? frames.next() { receive(frame, context.channel) }
    }
}

extension Channel {
    fileprivate func send(_ message: some WireMessage) {
        writeAndFlush(ByteBuffer(bytes: message.framed()), promise: nil)
    }
}

/// Speaks the watchdog's protocol and really spawns what it is told to. Outlives the agents of a test, as a watchdog
/// does.
final class FakeWatchdog: Sendable {
    private struct Child {
        var specification: ProcessSpecification
        var status: ProcessStatus
        var stops: [(number: UInt32, channel: any Channel)] = []
    }

    private let children = Mutex<[String: Child]>([:])
    private let logs: String
    private let server: Mutex<FrameServer?> = Mutex(nil)
    private let reaper: Mutex<Task<Void, Never>?> = Mutex(nil)

    init(socketPath: String, logs: String, group: any EventLoopGroup) async throws {
        self.logs = logs
        let server = try await FrameServer(path: socketPath, group: group, opened: { _ in }) { [weak self] in
            self?.receive($0, $1)
        }
        self.server.withLock { $0 = server }
        let task = Task { [weak self] in
            while !Task.isCancelled {
                self?.reap()
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
        reaper.withLock { $0 = task }
    }

    var statuses: [ProcessStatus] { children.withLock { $0.values.map(\.status) } }
    func pid(_ name: String) -> Int32? {
        children.withLock { $0[name]?.status.pid }.flatMap { $0 > 0 ? $0 : nil }
    }

    func hangUp() { server.withLock { $0 }?.hangUp() }

    func close() async {
        reaper.withLock { $0 }?.cancel()
        await server.withLock { $0 }?.close()
        children.withLock { children in
            for child in children.values where child.status.pid > 0 {
                kill(child.status.pid, SIGKILL)
                waitpid(child.status.pid, nil, 0)
            }
            children = [:]
        }
    }

    private func receive(_ frame: [UInt8], _ channel: any Channel) {
        var reader = WireReader(frame)
        guard let request = try? WatchdogRequest(from: &reader) else { return }
        let number = request.number
        children.withLock { children in
            switch request.command {
            case .list:
                channel.send(WatchdogReply.done(number: number, children.values.map(\.status)))
            case .start(let specification):
                channel.send(start(specification, number, &children))
            case .stop(let name):
                guard let child = children[name], child.status.pid > 0 else {
                    children[name] = nil
                    return channel.send(WatchdogReply.done(number: number, []))
                }
                children[name]?.status.state = .stopping
                children[name]?.stops.append((number, channel))
                kill(child.status.pid, child.specification.stopSignal)
            case .signal, .reexecute, .shutdown:
                channel.send(WatchdogReply.failed(number: number, message: "not in this fake"))
            }
        }
    }

    private func start(
        _ specification: ProcessSpecification, _ number: UInt32, _ children: inout [String: Child]
    ) -> WatchdogReply {
        let name = specification.name
        if let child = children[name], child.status.pid > 0 {
            return child.specification == specification
                ? .done(number: number, [child.status]) : .failed(number: number, message: "\(name) runs otherwise")
        }
        guard let pid = spawn(specification) else { return .failed(number: number, message: "spawn failed") }
        let former = children[name]?.status
        let status = ProcessStatus(
            name: name, state: .running, pid: pid, restarts: former.map { $0.restarts + 1 } ?? 0,
            lastExit: former?.lastExit)
        children[name] = Child(specification: specification, status: status)
        return .done(number: number, [status])
    }

    private func spawn(_ specification: ProcessSpecification) -> Int32? {
        // A child that inherits a connection would keep it open when we hang up.
        for descriptor: Int32 in 3..<1024 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let log = "\(logs)/\(specification.name).log"
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var arguments = ([specification.executable] + specification.arguments).map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: pid_t = 0
        return posix_spawn(&pid, specification.executable, &actions, nil, &arguments, environ) == 0 ? pid : nil
    }

    private func reap() {
        children.withLock { children in
            for (name, child) in children where child.status.pid > 0 {
                var status: Int32 = 0
                guard waitpid(child.status.pid, &status, WNOHANG) == child.status.pid else { continue }
                let signal = status & 0x7F
                children[name]?.status.pid = 0
                children[name]?.status.state = .ended
                children[name]?.status.lastExit = signal == 0 ? .status(status >> 8 & 0xFF) : .signal(signal)
                guard let ended = children[name] else { continue }
                server.withLock { $0 }?.broadcast(WatchdogReply.exited(ended.status))
                for stop in ended.stops { stop.channel.send(WatchdogReply.done(number: stop.number, [ended.status])) }
                if !ended.stops.isEmpty { children[name] = nil }
            }
        }
    }
}

/// Speaks the proxy's protocol, routes nothing, remembers everything.
final class FakeProxy: Sendable {
    private struct State {
        var routes: [DatabaseID: DatabaseRoutes] = [:]
        /// Databases whose routes went away, in order, by whatever command.
        var lost: [DatabaseID] = []
        var replacements = 0
        var leaseEnd: Int64?
        var refusedPorts: Set<UInt16> = []
        /// To changes of settings, by request.
        var answers: [UInt64: String?] = [:]
    }

    private let state = Mutex(State())
    private let server: Mutex<FrameServer?> = Mutex(nil)

    init(socketPath: String, group: any EventLoopGroup) async throws {
        let server = try await FrameServer(
            path: socketPath, group: group,
            opened: { $0.send(ProxyEvent.hello(version: "0", pid: 1, loops: 1)) },
            receive: { [weak self] in self?.receive($0, $1) })
        self.server.withLock { $0 = server }
    }

    var routes: [DatabaseID: DatabaseRoutes] { state.withLock { $0.routes } }
    var lost: [DatabaseID] { state.withLock { $0.lost } }
    var leaseEnd: Int64? { state.withLock { $0.leaseEnd } }
    var replacements: Int { state.withLock { $0.replacements } }
    func refuse(_ ports: Set<UInt16>) { state.withLock { $0.refusedPorts = ports } }
    var answers: [UInt64: String?] { state.withLock { $0.answers } }
    func ask(_ event: ProxyEvent) { server.withLock { $0 }?.broadcast(event) }
    func hangUp() { server.withLock { $0 }?.hangUp() }
    func close() async { await server.withLock { $0 }?.close() }

    private func receive(_ frame: [UInt8], _ channel: any Channel) {
        var reader = WireReader(frame)
        guard let command = try? ProxyCommand(from: &reader) else { return }
        state.withLock { state in
            switch command {
            case .replaceAll(let databases):
                state.replacements += 1
                let kept = Set(databases.map(\.database))
                state.lost += state.routes.keys.filter { !kept.contains($0) }
                state.routes = state.routes.filter { kept.contains($0.key) }
                for routes in databases { channel.send(apply(routes, &state)) }
            case .update(let routes):
                channel.send(apply(routes, &state))
            case .remove(let database, let epoch):
                if state.routes.removeValue(forKey: database) != nil { state.lost.append(database) }
                channel.send(ProxyEvent.applied(database, epoch))
            case .reportStatistics:
                let databases = state.routes.keys.sorted()
                channel.send(ProxyEvent.statistics(databases.map { DatabaseStatistics(database: $0, requests: 7) }))
            case .settingsChanged(let request, let error): state.answers[request] = .some(error)
            case .lease(let until): state.leaseEnd = until
            }
        }
    }

    private func apply(_ routes: DatabaseRoutes, _ state: inout State) -> ProxyEvent {
        let epoch = routes.epoch
        if state.refusedPorts.contains(routes.port) {
            return .refused(routes.database, epoch, message: "port \(routes.port) is taken")
        }
        if let known = state.routes[routes.database], known.epoch > epoch {
            return .refused(routes.database, epoch, message: "older than epoch \(known.epoch)")
        }
        state.routes[routes.database] = routes
        return .applied(routes.database, epoch)
    }
}
