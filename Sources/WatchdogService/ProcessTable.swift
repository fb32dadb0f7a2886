package import WatchdogProtocol

/// One process of this machine, told apart from a later one with the same number by its time of start.
package struct ProcessIdentity: Hashable, Sendable {
    package var pid: Int32
    /// Field 22 of `/proc/<pid>/stat`, clock ticks since boot.
    package var startTicks: UInt64

    package init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }
}

/// Who waits for an answer: a connection of the watchdog and the request's own number.
package struct Ticket: Hashable, Sendable {
    package var connection: UInt64
    package var number: UInt32

    package init(connection: UInt64, number: UInt32) {
        self.connection = connection
        self.number = number
    }
}

/// The decisions of the watchdog: which processes are to run, restart, stop, and who is told.
///
/// Requests, ends of processes and the time go in; actions come out, to be carried out in their order.
///
/// ```
///                 spawn fails (restart always)
///              ┌───────────────────────────────┐
///  start ─▶ starting ─▶ running ─ends─▶ waitingToRestart ─due─▶ starting
///                          │  └──ends (restart never)──▶ ended ─start─▶ starting
///                         stop
///                          └──▶ stopping ─ends─▶ forgotten
/// ```
package struct ProcessTable: Sendable {
    package enum Action: Hashable, Sendable {
        /// Fork the process of this name and call ``forked(_:as:)``, let it go on, then call
        /// ``started(_:at:)`` or ``startFailed(_:because:at:)``.
        case spawn(String)
        /// Watch a living process that an earlier watchdog has started.
        case adopt(String, ProcessIdentity)
        case signal(ProcessIdentity, Int32)
        /// SIGKILL to the process and to all others of its group.
        case kill(ProcessIdentity)
        /// Write ``saved`` down before any later reply leaves and any later process goes on to its program: what
        /// was answered survives the watchdog.
        case save
        case reply(Ticket, WatchdogReply)
        /// To every connection.
        case broadcast(WatchdogReply)
        /// Everything has stopped: the watchdog ends with status 0.
        case finish
    }

    /// An answer to a limit: one node has at most a few hundred shards.
    package static let maximumProcesses = 4096
    /// A process that outlives SIGKILL hangs in the kernel; it is killed again at this interval.
    static let killIntervalMilliseconds: Int64 = 5000

    struct Starting {
        /// Who asked; nil when the watchdog itself decided.
        var ticket: Ticket?
        var identity: ProcessIdentity?
    }

    struct Running {
        var identity: ProcessIdentity
        var since: Moment
    }

    struct Stopping {
        var identity: ProcessIdentity
        var killAt: Moment
        var tickets: [Ticket]
    }

    enum State {
        case starting(Starting)
        case running(Running)
        case waitingToRestart(due: Moment)
        case stopping(Stopping)
        case ended
    }

    struct Entry {
        var specification: ProcessSpecification
        var state: State
        var starts: UInt32 = 0
        var backoff = RestartBackoff()
        var lastExit: ProcessExit?
    }

    var entries: [String: Entry] = [:]
    /// Non-nil from the first request for an orderly stop on; all of these are answered at its end.
    var shutdownTickets: [Ticket]?

    package init() {}

    package var isShuttingDown: Bool { shutdownTickets != nil }

    /// When ``timePassed(_:)`` is next needed; nil: not before another event.
    package var nextDeadline: Moment? {
        entries.values.compactMap { entry -> Moment? in
            switch entry.state {
            case .waitingToRestart(let due): due
            case .stopping(let stopping): stopping.killAt
            case .starting, .running, .ended: nil
            }
        }.min()
    }

    /// Of all processes, by name.
    package var statuses: [ProcessStatus] {
        entries.values.map(\.status).sorted { $0.name < $1.name }
    }

    package func specification(of name: String) -> ProcessSpecification? { entries[name]?.specification }
}

extension ProcessTable.Entry {
    var identity: ProcessIdentity? {
        switch state {
        case .starting(let starting): starting.identity
        case .running(let running): running.identity
        case .stopping(let stopping): stopping.identity
        case .waitingToRestart, .ended: nil
        }
    }

    var status: ProcessStatus {
        let reported: ProcessStatus.State =
            switch state {
            case .starting, .running: .running
            case .waitingToRestart: .waitingToRestart
            case .stopping: .stopping
            case .ended: .ended
            }
        return ProcessStatus(
            name: specification.name, state: reported, pid: identity?.pid ?? 0, restarts: starts > 0 ? starts - 1 : 0,
            lastExit: lastExit)
    }
}
