package import WatchdogProtocol

// What happens to processes, and the time.
extension ProcessTable {
    /// The process exists, held before its program: its pid must be saved before it may go on.
    package mutating func forked(_ name: String, as identity: ProcessIdentity) -> [Action] {
        guard case .starting(var starting) = entries[name]?.state else { return [] }
        starting.identity = identity
        entries[name]?.state = .starting(starting)
        return [.save]
    }

    package mutating func started(_ name: String, at now: Moment) -> [Action] {
        guard var entry = entries[name], case .starting(let starting) = entry.state, let identity = starting.identity
        else { return [] }
        entry.state = .running(Running(identity: identity, since: now))
        entry.starts += 1
        entries[name] = entry
        if let ticket = starting.ticket { return [.reply(ticket, .done(number: ticket.number, [entry.status]))] }
        return entry.starts > 1 ? [.broadcast(.restarted(entry.status))] : []
    }

    /// Its program could not be executed. Who asked is told why; what the watchdog itself keeps is tried again.
    package mutating func startFailed(_ name: String, because message: String, at now: Moment) -> [Action] {
        guard var entry = entries[name], case .starting(let starting) = entry.state else { return [] }
        guard let ticket = starting.ticket else {
            entry.lastExit = .status(Self.cannotExecute)
            return restartLater(entry, afterLifeOf: 0, at: now)
        }
        // A first start that failed leaves nothing behind; a later one leaves the process as it was, ended.
        entry.state = .ended
        entries[name] = entry.starts > 0 ? entry : nil
        return [.save, .reply(ticket, .failed(number: ticket.number, message: message))]
    }

    package mutating func exited(_ name: String, _ exit: ProcessExit, at now: Moment) -> [Action] {
        guard var entry = entries[name] else { return [] }
        entry.lastExit = exit
        switch entry.state {
        case .running(let running):
            if isShuttingDown { return forget(entry, tickets: [], at: now) }
            switch entry.specification.restart {
            case .always:
                return restartLater(entry, afterLifeOf: now.milliseconds - running.since.milliseconds, at: now)
            case .never:
                entry.state = .ended
                entries[name] = entry
                return [.save, .broadcast(.exited(entry.status))]
            }
        case .stopping(let stopping):
            return forget(entry, tickets: stopping.tickets, at: now)
        case .starting, .waitingToRestart, .ended:
            // Our bug, but a keeper that traps takes a whole node's supervision with it.
            return []
        }
    }

    /// Due restarts, and SIGKILL for what did not stop in time. Harmless when called early or late.
    package mutating func timePassed(_ now: Moment) -> [Action] {
        var actions: [Action] = []
        for name in entries.keys.sorted() {
            switch entries[name]?.state {
            case .waitingToRestart(let due) where due <= now:
                entries[name]?.state = .starting(Starting(ticket: nil, identity: nil))
                actions.append(.spawn(name))
            case .stopping(var stopping) where stopping.killAt <= now:
                stopping.killAt = now.adding(milliseconds: Self.killIntervalMilliseconds)
                entries[name]?.state = .stopping(stopping)
                actions.append(.kill(stopping.identity))
            case .waitingToRestart, .stopping, .starting, .running, .ended, nil: break
            }
        }
        return actions
    }

    /// The status by which shells report a program that could not be executed.
    private static let cannotExecute: Int32 = 127

    private mutating func restartLater(_ entry: Entry, afterLifeOf life: Int64, at now: Moment) -> [Action] {
        var entry = entry
        let delay = entry.backoff.delay(afterLifeOf: life)
        let name = entry.specification.name
        if isShuttingDown { return forget(entry, tickets: [], at: now) }
        entry.state = .waitingToRestart(due: now.adding(milliseconds: delay))
        entries[name] = entry
        let told: [Action] = [.save, .broadcast(.exited(entry.status))]
        guard delay == 0 else { return told }
        entries[name]?.state = .starting(Starting(ticket: nil, identity: nil))
        return told + [.spawn(name)]
    }

    private mutating func forget(_ entry: Entry, tickets: [Ticket], at now: Moment) -> [Action] {
        var entry = entry
        entry.state = .ended
        entries[entry.specification.name] = nil
        return [.save, .broadcast(.exited(entry.status))]
            + tickets.map { .reply($0, .done(number: $0.number, [entry.status])) }
            + advanceShutdown(at: now)
    }
}
