/// Finds processes that were stopped (SIGSTOP, a forgotten debugger's) and not continued. To everybody who waits for
/// one it is dead without having ended, so it is made to end: then its restart policy applies. A process under a tracer
/// is let be.
package struct StoppedProcesses: Sendable {
    /// Longer than anybody stops a process on purpose for; shorter than a lost node takes to be noticed would be no
    /// use.
    package static let limitMilliseconds: Int64 = 3000
    package static let intervalMilliseconds: Int64 = 1000

    private var since: [ProcessIdentity: Moment] = [:]
    private var lastLook: Moment?

    package init() {}

    package func isDue(at now: Moment) -> Bool {
        lastLook.map { now.milliseconds - $0.milliseconds >= Self.intervalMilliseconds } ?? true
    }

    package var nextLook: Moment { Moment(milliseconds: (lastLook?.milliseconds ?? 0) + Self.intervalMilliseconds) }

    /// - Parameter stopped: Those that are stopped now.
    /// - Returns: Those that have been for too long; named again if they are still there at the next look.
    package mutating func looked(_ stopped: Set<ProcessIdentity>, at now: Moment) -> [ProcessIdentity] {
        // A gap: this process was stopped itself, with the whole node perhaps, and they get their time once more.
        let hasSlept = lastLook.map { now.milliseconds - $0.milliseconds > 3 * Self.intervalMilliseconds } ?? true
        if hasSlept { since = [:] }
        lastLook = now
        since = since.filter { stopped.contains($0.key) }
        for identity in stopped where since[identity] == nil { since[identity] = now }
        return since.filter { now.milliseconds - $0.value.milliseconds >= Self.limitMilliseconds }
            .map(\.key).sorted { $0.pid < $1.pid }
    }
}
