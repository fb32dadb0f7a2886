import WatchdogProtocol
import WatchdogService

/// Drives a table as the watchdog does: what it wants spawned is spawned, everything else is collected.
struct TableStory {
    var table = ProcessTable()
    var now = Moment(milliseconds: 1_000_000)
    /// Names whose program cannot be executed.
    var broken: Set<String> = []
    private(set) var pids: [String: ProcessIdentity] = [:]
    private var nextPid: Int32 = 100

    mutating func carryOut(_ actions: [ProcessTable.Action]) -> [ProcessTable.Action] {
        var seen: [ProcessTable.Action] = []
        for action in actions {
            seen.append(action)
            guard case .spawn(let name) = action else { continue }
            nextPid += 1
            let identity = ProcessIdentity(pid: nextPid, startTicks: UInt64(nextPid) * 7)
            seen += table.forked(name, as: identity)
            if broken.contains(name) {
                seen += carryOut(table.startFailed(name, because: "cannot execute", at: now))
            } else {
                pids[name] = identity
                seen += carryOut(table.started(name, at: now))
            }
        }
        return seen
    }

    mutating func request(_ command: WatchdogRequest.Command, number: UInt32 = 1) -> [ProcessTable.Action] {
        carryOut(table.requested(command, by: Ticket(connection: 1, number: number), at: now))
    }

    mutating func exit(_ name: String, _ exit: ProcessExit = .signal(9)) -> [ProcessTable.Action] {
        carryOut(table.exited(name, exit, at: now))
    }

    mutating func pass(milliseconds: Int64) -> [ProcessTable.Action] {
        now = now.adding(milliseconds: milliseconds)
        return carryOut(table.timePassed(now))
    }

    func status(_ name: String) -> ProcessStatus? { table.statuses.first { $0.name == name } }
    func identity(_ name: String) -> ProcessIdentity { pids[name] ?? ProcessIdentity(pid: 0, startTicks: 0) }
}

func process(
    _ name: String, _ restart: ProcessSpecification.Restart = .never, phase: UInt8 = 30, arguments: [String] = []
) -> ProcessSpecification {
    ProcessSpecification(
        name: name, executable: "/bin/\(name)", arguments: arguments, restart: restart,
        stopTimeoutMilliseconds: 2000, stopPhase: phase)
}

extension [ProcessTable.Action] {
    var replies: [WatchdogReply] {
        compactMap { if case .reply(_, let reply) = $0 { reply } else { nil } }
    }
    var broadcasts: [WatchdogReply] {
        compactMap { if case .broadcast(let reply) = $0 { reply } else { nil } }
    }
    var failure: String? {
        for case .failed(_, let message) in replies { return message }
        return nil
    }
}
