import WatchdogProtocol

// What survives the watchdog.
extension ProcessTable {
    /// By name. Specifications are included, so a process that nobody orders again is still restarted.
    package var saved: [SavedProcess] {
        entries.values.sorted { $0.specification.name < $1.specification.name }.map { entry in
            let state: SavedProcess.State =
                switch entry.state {
                case .starting(let starting): starting.identity.map { .running($0) } ?? .waitingToRestart
                case .running(let running): .running(running.identity)
                case .stopping(let stopping): .stopping(stopping.identity)
                case .waitingToRestart: .waitingToRestart
                case .ended: .ended
                }
            return SavedProcess(
                specification: entry.specification, state: state, starts: entry.starts,
                failures: entry.backoff.failures, lastExit: entry.lastExit)
        }
    }

    /// Takes over what an earlier watchdog kept: adopts what lives, restarts what died and should live, and lists
    /// the rest as ended. Call it on an empty table.
    package mutating func restore(
        _ processes: [SavedProcess], living: Set<ProcessIdentity>, at now: Moment
    ) -> [Action] {
        let actions = processes.flatMap { restore($0, living: living, at: now) }
        return actions + [.save]
    }

    private mutating func restore(
        _ process: SavedProcess, living: Set<ProcessIdentity>, at now: Moment
    ) -> [Action] {
        let name = process.specification.name
        var entry = Entry(
            specification: process.specification, state: .ended, starts: process.starts,
            backoff: RestartBackoff(failures: process.failures), lastExit: process.lastExit)
        switch process.state {
        case .running(let identity):
            entry.state = .running(Running(identity: identity, since: now))
            // Saved while it was being started, before it was counted.
            entry.starts = max(entry.starts, 1)
            entries[name] = entry
            return living.contains(identity) ? [.adopt(name, identity)] : exited(name, .unknown, at: now)
        case .stopping(let identity):
            guard living.contains(identity) else { return [] }
            // Its stop signal has been sent; a second one means "now, without saving" to some programs.
            let killAt = now.adding(milliseconds: Int64(process.specification.stopTimeoutMilliseconds))
            entry.state = .stopping(Stopping(identity: identity, killAt: killAt, tickets: []))
            entries[name] = entry
            return [.adopt(name, identity)]
        case .waitingToRestart:
            entry.state = .starting(Starting(ticket: nil, identity: nil))
            entries[name] = entry
            return [.spawn(name)]
        case .ended:
            entries[name] = entry
            return []
        }
    }
}
