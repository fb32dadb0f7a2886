import Glibc

/// What one fault did to the clients of one database.
struct FaultOutcome {
    var fault: String
    var kind: DatabaseKind
    /// Of clients whose own node was not hit: longest time without a success, the worst of clients and shards.
    var gap: Int64?
    /// The same of clients whose own node was hit.
    var hitGap: Int64?
    /// The longest that one acknowledged command took, of clients whose own node was not hit.
    var stall: Int64?
    var errors: [String: Int] = [:]
    var report: HistoryReport
    /// From the fault until the cluster was whole; nil: it was not, in time.
    var wholeAfter: Duration?
}

/// One fault, once, under the clients of all databases.
struct FaultRun {
    let lab: FaultLab
    let fault: Fault
    /// Of this fault, for its choice of victims.
    let number: Int
    /// Of all runs in this lab: part of the keys.
    let serial: Int
    /// Between two commands of one client. Lower: finer gaps, and less of the machine for the cluster.
    var pause = Duration.milliseconds(8)

    struct Result {
        var outcomes: [FaultOutcome]
        /// What was done, for the record.
        var what: String
        /// Why the cluster is not whole, when it is not.
        var failure: String?
        /// Whether the promised gap was exceeded.
        var isSlow = false
        /// All that was seen, when something was wrong.
        var histories: [String: History]
    }

    func run() throws -> Result {
        let began = ContinuousClock.now
        let loads = lab.databases.map {
            Load($0, run: serial, addresses: lab.nodes.map(lab.cluster.address), pause: pause, began: began)
        }
        for load in loads { load.start() }
        defer { for load in loads { load.stop() } }
        for load in loads { try load.waitForSuccesses(20, limit: .seconds(15)) }

        let scene = try FaultScene(lab: lab, run: number, seeksPrimary: fault.hitsNode)
        let before = try fault.hitsNode ? lab.shards().filter(\.isPrimary) : []
        let struck = ContinuousClock.now
        let injury = try fault.inject(scene)
        let failure: String?
        do {
            try Interruption.sleep(fault.lasts)
            try injury.heal()
            failure = try recover(loads)
        } catch {
            // What lasts must not outlive the run.
            try? injury.heal()
            throw error
        }
        let whole = ContinuousClock.now
        for load in loads { load.stop() }
        let span = (struck - began).nanoseconds...(ContinuousClock.now - began).nanoseconds
        var result = Result(outcomes: [], what: injury.what, failure: failure, histories: [:])
        for load in loads {
            let history = try load.history()
            var outcome = outcome(
                of: load, history, injury, span, wholeAfter: failure == nil ? whole - struck : nil)
            let isElsewhere = !before.contains { shard in
                shard.database == load.database.uid && injury.nodes.contains(shard.node)
            }
            if fault.hitsNode, isElsewhere { outcome.fault += ", primaries elsewhere" }
            result.outcomes.append(outcome)
            result.isSlow = result.isSlow || fault.gapLimit.map { $0.nanoseconds < outcome.gap ?? 0 } ?? false
            if !outcome.report.isConsistent || !outcome.report.lost.isEmpty {
                result.histories[load.database.kind.name] = history
            }
            try load.removeKeys()
        }
        return result
    }

    /// - Returns: Nil when the cluster is whole and every client works; else what is missing.
    private func recover(_ loads: [Load]) throws -> String? {
        do {
            try lab.waitUntilWhole(limit: fault.recovery)
            for load in loads { try load.waitForSuccesses(15, limit: .seconds(15)) }
            return nil
        } catch let failure as Failure where failure.code != .interrupted {
            return failure.message
        }
    }

    private func outcome(
        of load: Load, _ history: History, _ injury: Injury, _ span: ClosedRange<Int64>, wholeAfter: Duration?
    ) -> FaultOutcome {
        let operations = load.notes().operations
        let gaps = Gaps.longest(in: operations, from: span.lowerBound, to: span.upperBound)
        let isHit = { (client: Int) in injury.nodes.contains(load.homes[client] + 1) }
        return FaultOutcome(
            fault: fault.name, kind: load.database.kind,
            gap: gaps.filter { !isHit($0.key.client) }.map(\.value).max(),
            hitGap: gaps.filter { isHit($0.key.client) }.map(\.value).max(),
            stall: operations.filter { $0.isSuccess && $0.end > span.lowerBound && !isHit($0.client) }
                .map { $0.end - $0.start }.max(),
            errors: load.notes().errors,
            report: history.report(
                forksOnce: fault.forksOnce, mayLose: !load.database.kind.isDurable && !fault.isUnnoticed),
            wholeAfter: wholeAfter)
    }
}

extension Interruption {
    static func sleep(_ duration: Duration) throws {
        let deadline = ContinuousClock.now + duration
        while ContinuousClock.now < deadline {
            try check()
            usleep(UInt32(min(20, max(1, (deadline - .now).milliseconds))) * 1000)
        }
    }
}
