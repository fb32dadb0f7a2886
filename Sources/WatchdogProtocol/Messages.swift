/// What a manager asks of its watchdog, over `run/tarn/watchdog.sock`. Each request has a number of the sender's
/// choice that the answer repeats; several may be under way.
package struct WatchdogRequest: Hashable, Sendable {
    package enum Command: Hashable, Sendable {
        /// Starts a process, or answers its status when one of that name runs with an equal specification.
        /// A running one with another specification is an error: stop it first. One that has ended is started
        /// with the new specification and counts on; one that waits for its restart keeps waiting, unless the
        /// specification differs: then it is started at once. Answered when the program is being executed; `failed`
        /// names what could not be.
        case start(ProcessSpecification)
        /// Stops a process with all others of its session, answers when it is gone (at once when there is none),
        /// and forgets it. An ended one stays in the list until it is stopped or started.
        case stop(name: String)
        case signal(name: String, number: Int32)
        case list
        /// The watchdog replaces itself by the program at this path (empty: the current release's), children
        /// intact. Other connections are closed; this one is answered by the new program with its list.
        case reexecute(path: String)
        /// Orderly stop of everything, the watchdog last.
        case shutdown
    }

    package var number: UInt32
    package var command: Command

    package init(number: UInt32, command: Command) {
        self.number = number
        self.command = command
    }
}

/// What the watchdog sends: answers, and what happens as it happens, to every connection.
package enum WatchdogReply: Hashable, Sendable {
    case done(number: UInt32, [ProcessStatus])
    case failed(number: UInt32, message: String)
    /// A process has ended; `status` says how and whether it will be started again.
    case exited(ProcessStatus)
    /// The watchdog itself has started a process again.
    case restarted(ProcessStatus)
}
