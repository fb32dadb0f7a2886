package import WatchdogProtocol

// What managers and signals ask for.
extension ProcessTable {
    package mutating func requested(
        _ command: WatchdogRequest.Command, by ticket: Ticket, at now: Moment
    ) -> [Action] {
        switch command {
        case .start(let specification): start(specification, for: ticket)
        case .stop(let name): stop(name, for: ticket, at: now)
        case .signal(let name, let number): signal(name, number, for: ticket)
        case .list: [.reply(ticket, .done(number: ticket.number, statuses))]
        case .shutdown: shutDown(for: ticket, at: now)
        case .reexecute: refuse(ticket, "re-execution is not the table's business")
        }
    }

    /// Keeps one of the node's own processes running: starts it unless it is there already, adopted or not.
    /// A living one keeps its old specification until its next start.
    package mutating func ensure(_ specification: ProcessSpecification) -> [Action] {
        guard entries[specification.name] == nil else {
            entries[specification.name]?.specification = specification
            return []
        }
        return spawn(Entry(specification: specification, state: .ended), for: nil)
    }

    /// Orderly stop: phase after phase from low to high, then ``Action/finish``. A second request joins the first.
    package mutating func shutDown(for ticket: Ticket?, at now: Moment) -> [Action] {
        let isFirst = shutdownTickets == nil
        shutdownTickets = (shutdownTickets ?? []) + (ticket.map { [$0] } ?? [])
        return isFirst ? advanceShutdown(at: now) : []
    }

    private mutating func start(_ specification: ProcessSpecification, for ticket: Ticket) -> [Action] {
        if isShuttingDown { return refuse(ticket, "the node's processes are being stopped; nothing is started now") }
        if let fault = specification.fault { return refuse(ticket, fault) }
        guard let entry = entries[specification.name] else {
            guard entries.count < Self.maximumProcesses else {
                return refuse(ticket, "\(entries.count) processes are kept already; stop some first")
            }
            return spawn(Entry(specification: specification, state: .ended), for: ticket)
        }
        let name = specification.name
        switch entry.state {
        case .starting, .running:
            guard entry.specification == specification else {
                return refuse(ticket, "\(name) runs with another specification; stop it first")
            }
            return [.reply(ticket, .done(number: ticket.number, [entry.status]))]
        case .stopping:
            return refuse(ticket, "\(name) is being stopped; start it when that has been answered")
        case .waitingToRestart:
            // The same order again must not defeat the back-off; a corrected one need not wait for it.
            guard entry.specification != specification else {
                return [.reply(ticket, .done(number: ticket.number, [entry.status]))]
            }
        case .ended: break
        }
        var next = entry
        next.specification = specification
        return spawn(next, for: ticket)
    }

    private mutating func stop(_ name: String, for ticket: Ticket, at now: Moment) -> [Action] {
        guard let entry = entries[name] else { return [.reply(ticket, .done(number: ticket.number, []))] }
        switch entry.state {
        case .starting:
            // A start is over within the event that began it, so nobody can ask meanwhile.
            return refuse(ticket, "\(name) is being started; try again")
        case .running(let running):
            return beginStop(of: name, running, tickets: [ticket], at: now)
        case .stopping(var stopping):
            stopping.tickets.append(ticket)
            entries[name]?.state = .stopping(stopping)
            return []
        case .waitingToRestart, .ended:
            entries[name] = nil
            var status = entry.status
            status.state = .ended
            return [.save, .reply(ticket, .done(number: ticket.number, [status]))]
        }
    }

    private func signal(_ name: String, _ number: Int32, for ticket: Ticket) -> [Action] {
        guard let entry = entries[name], let identity = entry.identity else {
            return refuse(ticket, "\(name) does not run; there is nothing to signal")
        }
        guard ProcessSpecification.signals.contains(number) else {
            return refuse(ticket, "signal \(number) is not one of 1 ... 64")
        }
        return [.signal(identity, number), .reply(ticket, .done(number: ticket.number, [entry.status]))]
    }

    private mutating func spawn(_ entry: Entry, for ticket: Ticket?) -> [Action] {
        var entry = entry
        entry.state = .starting(Starting(ticket: ticket, identity: nil))
        entries[entry.specification.name] = entry
        return [.spawn(entry.specification.name)]
    }

    private func refuse(_ ticket: Ticket, _ message: String) -> [Action] {
        [.reply(ticket, .failed(number: ticket.number, message: message))]
    }

    mutating func beginStop(of name: String, _ running: Running, tickets: [Ticket], at now: Moment) -> [Action] {
        guard let specification = entries[name]?.specification else { return [] }
        entries[name]?.state = .stopping(
            Stopping(
                identity: running.identity,
                killAt: now.adding(milliseconds: Int64(specification.stopTimeoutMilliseconds)), tickets: tickets))
        return [.save, .signal(running.identity, specification.stopSignal)]
    }

    /// Signals the lowest phase that still lives; when nothing does, answers and finishes.
    mutating func advanceShutdown(at now: Moment) -> [Action] {
        guard let tickets = shutdownTickets else { return [] }
        for (name, entry) in entries where entry.identity == nil { entries[name] = nil }
        guard let phase = entries.values.map(\.specification.stopPhase).min() else {
            return [.save] + tickets.map { .reply($0, .done(number: $0.number, [])) } + [.finish]
        }
        return entries.values.filter { $0.specification.stopPhase == phase }
            .sorted { $0.specification.name < $1.specification.name }
            .flatMap { entry -> [Action] in
                guard case .running(let running) = entry.state else { return [] }
                return beginStop(of: entry.specification.name, running, tickets: [], at: now)
            }
    }
}
