import CLinux
import Glibc
import LocalSocket
package import NodeLayout
import Primitives
import WatchdogProtocol

/// Keeps the processes of one node: one thread, one epoll loop around ``ProcessTable``.
///
/// It outlives none of its children's troubles by accident: it works as PID 1, after `kill -9` of its predecessor
/// (adopting the living), and replaces itself by a new release without touching a child.
package final class Watchdog {
    static let maximumConnections = 64

    struct Watched {
        var identity: ProcessIdentity
        var descriptor: Int32
    }

    let paths: NodePaths
    let settings: NodeSettings
    /// Read at the start: after an upgrade has removed the old release, /proc/self/exe leads nowhere.
    let ownProgram: String
    let lock: Int32
    let listener: Int32
    let signals: Int32
    let timer: Int32
    var poll: EventPoll
    var table = ProcessTable()
    var logs: LogKeeper
    var watched: [String: Watched] = [:]
    var connections: [UInt64: WatchdogConnection] = [:]
    var nextConnection: UInt64 = 1
    private var stopped = StoppedProcesses()
    var isFinished = false
    /// The table has changed since it was last written down.
    var isStateChanged = false
    private var armed: Moment?
    private var asker: Inheritance.Asker?

    /// Takes the prefix over: lock, socket, signals. Nothing is started yet, but connections queue from here on.
    ///
    /// - Throws: ``WatchdogError``; code `alreadyRunning` where another one keeps this prefix.
    package init(paths: NodePaths) throws(WatchdogError) {
        self.paths = paths
        settings = try Self.settings(paths)
        ownProgram = HostFile.target(ofLink: "/proc/self/exe")
        umask(0o027)
        try HostFile.makeDirectory(paths.run)
        try HostFile.makeDirectory(paths.logs)
        clinux_raise_open_files()
        _ = clinux_become_subreaper()
        // Best effort: it needs privilege, and dying first would be the worst choice on a machine short of memory.
        try? HostFile.overwrite("/proc/self/oom_score_adj", with: "-900")
        signals = clinux_watchdog_signals()
        timer = clinux_timer_open()
        guard signals >= 0, timer >= 0 else { throw .system("signal and timer descriptors") }
        if let inherited = Inheritance.take() {
            (lock, listener, asker) = (inherited.lock, inherited.listener, inherited.asker)
        } else {
            lock = try InstanceLock.acquire(paths)
            do { listener = try LocalSocket.listen(path: paths.watchdogSocket) } catch {
                throw WatchdogError(.system, error.description)
            }
        }
        poll = try EventPoll()
        try poll.add(.signals, signals)
        try poll.add(.timer, timer)
        try poll.add(.listener, listener)
        logs = LogKeeper(at: ProcessFacts.now())
    }

    private static func settings(_ paths: NodePaths) throws(WatchdogError) -> NodeSettings {
        let bytes = try HostFile.read(paths.settings)
        do throws(NodeSettingsError) {
            guard let bytes else { throw .missing(paths) }
            return try NodeSettings(parsing: String(decoding: bytes, as: UTF8.self), of: paths)
        } catch {
            throw WatchdogError(.configuration, error.description)
        }
    }

    /// Works until an orderly stop is complete.
    package func run() {
        Journal.note(
            "watchdog started",
            ["version": ReleaseVersion.current, "pid": String(getpid()), "prefix": paths.prefix])
        takeOver()
        for specification in OwnProcesses.specifications(paths) { perform(table.ensure(specification)) }
        answerAsker()
        // Children that ended while nobody looked, as between two programs of one re-execution.
        reap()
        flush()
        while !isFinished { turn() }
        Journal.note("watchdog ends, everything has stopped")
    }

    private func turn() {
        arm()
        for token in poll.wait(timeoutMilliseconds: logs.isRotating ? 0 : -1) {
            guard let source = poll.source(token) else { continue }
            handle(source)
        }
        let now = ProcessFacts.now()
        perform(table.timePassed(now))
        if stopped.isDue(at: now) { endStopped(at: now) }
        logs.timePassed(now) { watched.keys.map(paths.log(of:)) + [paths.log(of: "watchdog")] }
        logs.step()
        flush()
        for (number, connection) in connections where connection.isBroken { drop(number) }
    }

    private func handle(_ source: EventSource) {
        switch source {
        case .signals:
            while case let number = clinux_next_signal(signals), number != 0 { received(signal: number) }
        case .timer:
            var count: UInt64 = 0
            _ = read(timer, &count, 8)
            armed = nil
        case .listener: accept()
        case .process(let name): ended(name)
        case .connection(let number): serve(number)
        }
    }

    private func received(signal number: Int32) {
        switch number {
        case SIGCHLD: reap()
        case SIGTERM, SIGINT:
            Journal.note("orderly stop", ["signal": String(number)])
            perform(table.shutDown(for: nil, at: ProcessFacts.now()))
        case SIGHUP: reexecute(path: "", for: nil)
        default: break
        }
    }

    private func arm() {
        let next = min(logs.nextCheck, stopped.nextLook, table.nextDeadline ?? logs.nextCheck)
        guard next != armed else { return }
        _ = clinux_timer_set(timer, max(1, next.milliseconds))
        armed = next
    }

    private func endStopped(at now: Moment) {
        let found = Set(watched.values.map(\.identity).filter { ProcessFacts.isStopped($0.pid) })
        for identity in stopped.looked(found, at: now) {
            Journal.note("killing a process that was stopped and not continued", ["pid": String(identity.pid)])
            signal(identity, SIGKILL)
        }
    }

    /// Continues where the last watchdog of this boot has stopped, however it stopped.
    private func takeOver() {
        guard let bytes = try? HostFile.read(paths.watchdogState) else { return }
        var reader = WireReader(bytes)
        guard let state = try? SavedState(from: &reader) else {
            Journal.note("state file is damaged and ignored", ["path": paths.watchdogState])
            return
        }
        guard state.machine == ProcessFacts.machine() else { return }
        let living = state.processes.compactMap { process -> ProcessIdentity? in
            switch process.state {
            case .running(let identity), .stopping(let identity):
                ProcessFacts.identity(of: identity.pid) == identity ? identity : nil
            case .waitingToRestart, .ended: nil
            }
        }
        Journal.note(
            "taking over", ["processes": String(state.processes.count), "living": String(living.count)])
        perform(table.restore(state.processes, living: Set(living), at: ProcessFacts.now()))
    }

    private func answerAsker() {
        guard let asker else { return }
        self.asker = nil
        guard let number = admit(asker.descriptor) else { return }
        send(.done(number: asker.number, table.statuses), to: number)
    }
}
