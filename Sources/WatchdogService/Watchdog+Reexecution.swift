import CLinux
import Glibc
import NodeLayout
import WatchdogProtocol

// Replaces the program of this process: same pid, so the children stay its children, and the socket stays open.
extension Watchdog {
    private static let trialMilliseconds: Int32 = 3000

    /// - Parameter path: Of the new program; empty: the current release's, else this one's own.
    func reexecute(path: String, for ticket: Ticket?) {
        let program = path.isEmpty ? defaultProgram : path
        Journal.note("re-executing", ["program": program])
        do throws(WatchdogError) {
            guard !table.isShuttingDown else {
                throw WatchdogError(.system, "the node's processes are being stopped; nothing is replaced now")
            }
            try tryOut(program)
            isStateChanged = true
            // What has been answered in this turn must not wait for a program that does not know of it.
            flush()
            throw execute(program, for: ticket)
        } catch {
            Journal.note("re-execution failed, going on as before", ["error": error.message])
            guard let ticket else { return }
            send(.failed(number: ticket.number, message: error.message), to: ticket.connection)
        }
    }

    private var defaultProgram: String {
        let current = paths.program("tarn-watchdog")
        return access(current, X_OK) == 0 ? current : ownProgram
    }

    /// A program that can be executed and then crashes would take the whole node down with it, so it first has to
    /// print its version and end well.
    private func tryOut(_ program: String) throws(WatchdogError) {
        let trial = ProcessSpecification(
            name: "trial", executable: program, arguments: ["--version"], restart: .never)
        if let fault = trial.fault { throw WatchdogError(.spawn, fault) }
        var process = try Spawner.fork(
            trial, environment: OwnProcesses.environment(of: trial, settings, paths), log: "/dev/null")
        try process.release(directory: "/")
        let pid = process.identity.pid
        let descriptor = clinux_pidfd_open(pid)
        defer { close(descriptor) }
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if Glibc.poll(&wait, 1, Self.trialMilliseconds) != 1 { _ = clinux_pidfd_signal(descriptor, SIGKILL) }
        var exit = clinux_exit()
        _ = clinux_collect(pid, 1, &exit)
        guard exit.is_signal == 0, exit.status == 0 else {
            throw WatchdogError(.spawn, "\(program) --version did not end well; is it a tarn-watchdog?")
        }
    }

    /// Returns only when it has failed.
    private func execute(_ program: String, for ticket: Ticket?) -> WatchdogError {
        let asker = ticket.flatMap { ticket in
            connections[ticket.connection].map {
                Inheritance.Asker(descriptor: $0.descriptor, number: ticket.number)
            }
        }
        let inheritance = Inheritance(listener: listener, lock: lock, asker: asker)
        inheritance.setCloseOnExec(false)
        setenv(Inheritance.variable, inheritance.text, 1)
        let words = [program, "--foreground", "--prefix", paths.prefix]
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        execv(program, arguments)
        let error = WatchdogError.system("execute \(program)")
        for argument in arguments { free(argument) }
        unsetenv(Inheritance.variable)
        inheritance.setCloseOnExec(true)
        return error
    }
}
