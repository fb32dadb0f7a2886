import Glibc

/// Ctrl-C and SIGTERM: noted here, acted on where dev waits, so that every clean-up on the way out still runs.
enum Interruption {
    nonisolated(unsafe) private static var flag: sig_atomic_t = 0

    static var isRequested: Bool { flag != 0 }

    static func install() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in Interruption.flag = 1 }
        // No SA_RESTART: a blocking call has to come back so that somebody looks at the flag.
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaction(signal, &action, nil) }
        signal(SIGPIPE, SIG_IGN)
    }

    /// For what has to be done all the same, on the way out.
    static func postponed<Value>(_ body: () throws -> Value) rethrows -> Value {
        let before = flag
        flag = 0
        defer { if before != 0 { flag = before } }
        return try body()
    }

    static func check() throws {
        if isRequested { throw Failure(.interrupted, "interrupted") }
    }
}

/// What must be undone however dev ends, errors and Ctrl-C included: last registered, first done.
enum CleanUp {
    nonisolated(unsafe) private static var tasks: [(id: Int, run: () -> Void)] = []
    nonisolated(unsafe) private static var nextID = 0

    /// - Returns: What to give to `runNow` when the thing is over in the normal course.
    static func register(_ task: @escaping () -> Void) -> Int {
        nextID += 1
        tasks.append((nextID, task))
        return nextID
    }

    static func runNow(_ id: Int) {
        guard let index = tasks.firstIndex(where: { $0.id == id }) else { return }
        tasks.remove(at: index).run()
    }

    static func runAll() {
        while let task = tasks.popLast() { task.run() }
    }
}
