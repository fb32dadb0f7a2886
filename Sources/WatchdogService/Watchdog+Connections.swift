import Glibc
import WatchdogProtocol

// The socket: any number of managers and tools, up to a limit; losing one has no effect on any process.
extension Watchdog {
    func accept() {
        while true {
            let descriptor = Glibc.accept(listener, nil, nil)
            if descriptor < 0 { return }
            _ = admit(descriptor)
        }
    }

    /// Takes over the descriptor; nil, and closed, where there is no room for it.
    func admit(_ descriptor: Int32) -> UInt64? {
        guard connections.count < Self.maximumConnections else {
            Journal.note("connection refused, too many are open", ["limit": String(Self.maximumConnections)])
            close(descriptor)
            return nil
        }
        let number = nextConnection
        do { try poll.add(.connection(number), descriptor) } catch {
            close(descriptor)
            return nil
        }
        nextConnection += 1
        connections[number] = WatchdogConnection(descriptor: descriptor)
        return number
    }

    func drop(_ number: UInt64) {
        poll.remove(.connection(number))
        connections[number] = nil
    }

    func serve(_ number: UInt64) {
        guard let connection = connections[number] else { return }
        for request in connection.read() {
            let ticket = Ticket(connection: number, number: request.number)
            if case .reexecute(let path) = request.command {
                reexecute(path: path, for: ticket)
            } else {
                perform(table.requested(request.command, by: ticket, at: ProcessFacts.now()))
            }
        }
    }

    /// Queues a reply; it leaves at the end of the turn, after the state has been saved.
    func send(_ reply: WatchdogReply, to number: UInt64) {
        guard let connection = connections[number] else { return }
        connection.queue(reply)
        if connection.isFull { flush() }
    }

    /// Saves the state if it has changed, then sends what waits: one write of the file per turn, however many
    /// processes have ended in it.
    func flush() {
        saveIfChanged()
        for (number, connection) in connections where connection.hasOutput || connection.isWaitingToWrite {
            connection.flush()
            guard connection.isWaitingToWrite != connection.hasOutput else { continue }
            connection.isWaitingToWrite = connection.hasOutput
            poll.setWriting(.connection(number), connection.hasOutput)
        }
    }
}
