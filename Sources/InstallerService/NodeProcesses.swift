import Glibc
import HostControl
import LocalSocket
import NodeLayout
import WatchdogProtocol

/// The running side of an installation: starting it, seeing whether it is up, stopping it.
struct NodeProcesses {
    let paths: NodePaths

    var isWatchdogUp: Bool {
        guard let descriptor = try? LocalSocket.connect(path: paths.watchdogSocket) else { return false }
        close(descriptor)
        return true
    }

    /// Starts the watchdog by itself, detached from this terminal.
    func start() throws {
        if isWatchdogUp { return }
        let log = paths.log(of: "watchdog")
        let pid = try Subprocess.start(
            paths.program("tarn-watchdog"), ["--prefix", paths.prefix, "--daemon"], log: log)
        try wait(seconds: 10, "The watchdog did not start; see \(log).") {
            if let status = Subprocess.reap(pid), status != 0 {
                throw InstallerError(.notStarted, "The watchdog ended with status \(status); see \(log).")
            }
            return isWatchdogUp
        }
    }

    /// Waits until the watchdog answers and the REST port accepts connections.
    func waitUntilServing(address: String) throws {
        try wait(seconds: 30, "The watchdog does not answer at \(paths.watchdogSocket); see \(paths.logs).") {
            isWatchdogUp
        }
        try wait(seconds: 30, "Nothing answers at \(address):9443; see \(paths.log(of: "manager")).") {
            NetworkProbe.accepts(address, port: 9443)
        }
    }

    /// Stops everything of this installation: asks first, then tells, then kills. Returns when nothing is left.
    func stop() throws {
        if requestShutdown(), isGone(within: 60) { return }
        // A watchdog that does not listen still stops its children in order when it is told to.
        let isWatchdog: (RunningProcess) -> Bool = { $0.name == "tarn-watchdog" }
        signal(SIGTERM, isWatchdog)
        if isGone(within: 20, isWatchdog), remaining().isEmpty { return }
        signal(SIGTERM) { _ in true }
        if isGone(within: 5) { return }
        // Watchdog and manager bring each other back, so all go at once, again until none is seen.
        for _ in 0..<50 {
            signal(SIGKILL) { _ in true }
            if isGone(within: 0.1) { return }
        }
        let left = remaining().map { "\($0.name) (\($0.pid))" }.joined(separator: ", ")
        throw InstallerError(.notStopped, "These processes do not end: \(left). Nothing was removed.")
    }

    /// All processes of this installation's programs, without the command that is asking.
    func remaining() -> [RunningProcess] {
        let directory = realpath(paths.programs, nil).map { pointer in
            defer { free(pointer) }
            return String(cString: pointer)
        }
        guard let directory else { return [] }
        return RunningProcess.all(under: directory).filter { $0.name != "tarn" && RunningProcess.isAlive($0.pid) }
    }

    private func requestShutdown() -> Bool {
        guard let descriptor = try? LocalSocket.connect(path: paths.watchdogSocket) else { return false }
        defer { close(descriptor) }
        let frame = WatchdogRequest(number: 1, command: .shutdown).framed()
        return send(descriptor, frame, frame.count, Int32(MSG_NOSIGNAL)) == frame.count
    }

    private func signal(_ number: Int32, _ isMeant: (RunningProcess) -> Bool) {
        for process in remaining() where isMeant(process) { kill(process.pid, number) }
    }

    private func isGone(
        within seconds: Double, _ isMeant: (RunningProcess) -> Bool = { _ in true }
    ) -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while remaining().contains(where: isMeant) {
            guard ContinuousClock.now < deadline else { return false }
            usleep(20_000)
        }
        return true
    }

    private func wait(seconds: Int, _ message: String, _ isDone: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !isDone() {
            guard ContinuousClock.now < deadline else { throw InstallerError(.notStarted, message) }
            usleep(20_000)
        }
    }
}
