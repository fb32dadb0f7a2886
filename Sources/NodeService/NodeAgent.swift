package import ClusterModel
import HostControl
package import Logging
package import NIOCore
import NodeLayout
import ShardControl
import WatchdogProtocol

/// Makes this node's part of the cluster configuration true.
///
/// Every database that concerns the node has a job: observe, plan (``NodePlanner``), execute, until the plan is
/// settled. Jobs run at the same time and end when settled; they start again when the configuration, a process or
/// the time says so. A settled node runs no timer and asks no shard.
package actor NodeAgent {
    /// The job of one database.
    struct Job {
        /// The newest that was adopted; nil when the database is gone from the configuration.
        var wanted: DatabaseConfiguration?
        var epoch: Epoch
        var adoptedAt: ContinuousClock.Instant
        /// Shards that are or were here by any configuration adopted, until they have been removed.
        var shards: Set<ShardID> = []
        var isRunning = false
        /// Something changed since the running pass looked.
        var isStale = false
        var hadFirstPass = false
        /// The epoch that was settled last.
        var settled: Epoch?
        var missing = "not looked at yet"
        var failure: String?
    }

    let node: NodeID
    let address: String
    let paths: NodePaths
    let watchdog: WatchdogClient
    let proxy: ProxyLink
    let group: any EventLoopGroup
    let logger: Logger
    let links: ShardLinks

    var jobs: [DatabaseID: Job] = [:]
    var policies: [ShardID: RestartPolicy] = [:]
    /// When the end of a shard was last told.
    private var toldAt: [ShardID: ContinuousClock.Instant] = [:]
    /// Replicas that were not in step with their primaries when they were looked at last.
    var behind: Set<ShardID> = []
    /// All databases with a fence up to here are applied by the proxy; only ever grows.
    var confirmedFence = Epoch.zero
    /// The fence for which each shard's gate has opened last.
    var openGates: [ShardID: Epoch] = [:]
    /// Where the newest whole configuration stands, for databases that don't concern this node.
    private var epochs: [DatabaseID: Epoch] = [:]
    private var highestDatabase = DatabaseID(0)
    var nodes: [NodeID: NodeRecord] = [:]
    private var hasConfiguration = false
    private var hasCleanedUp = false
    private var mayCleanUp = false

    /// Woken when a job's state changed, for ``progress(of:epoch:within:)``.
    private var progressWaits = WaitList<DatabaseID>()
    /// A job that pauses between two passes.
    private var pauses = WaitList<DatabaseID>()
    private let calls: AsyncStream<DatabaseID>
    private let call: AsyncStream<DatabaseID>.Continuation
    private let exits: AsyncStream<ShardExit>.Continuation
    let promotion: AsyncStream<ShardPromotion>.Continuation

    /// Ends of shards that nobody asked for, each at once; those of held primaries again every two or three seconds
    /// until something is decided. One reader.
    package nonisolated let shardExits: AsyncStream<ShardExit>

    /// Shards that became primaries as transitions want it; told until the transition is gone. One reader.
    package nonisolated let promotions: AsyncStream<ShardPromotion>

    package init(
        node: NodeID, address: String, prefix: String, watchdog: WatchdogClient, proxy: ProxyLink,
        group: any EventLoopGroup, logger: Logger
    ) {
        self.node = node
        self.address = address
        paths = NodePaths(prefix: prefix)
        self.watchdog = watchdog
        self.proxy = proxy
        self.group = group
        self.logger = logger
        links = ShardLinks(paths: paths, group: group)
        (calls, call) = AsyncStream.makeStream()
        (shardExits, exits) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(10_000))
        (promotions, promotion) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(10_000))
    }

    /// Runs until cancelled. Call once; `WatchdogClient.run` and `ProxyLink.run` are the caller's to run.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followWatchdog() }
            group.addTask { await self.openProxy() }
            for await database in calls {
                if Task.isCancelled { break }
                group.addTask { await self.work(on: database) }
            }
            group.cancelAll()
            pauses.wakeAll()
            progressWaits.wakeAll()
        }
    }

    /// The newest whole configuration. Call it for every change, in order; what does not concern this node costs a
    /// comparison of epochs. A database with an older epoch than the one known is left as it is.
    /// - Parameter isProvisional: It may be older than the cluster's: nothing is removed because of it.
    package func adopt(
        databases: [DatabaseID: DatabaseConfiguration], nodes: [NodeID: NodeRecord], isProvisional: Bool = false
    ) {
        let haveNodesMoved = self.nodes.mapValues(\.reachability) != nodes.mapValues(\.reachability)
        self.nodes = nodes
        for (id, database) in databases {
            adopt(database)
            if id > highestDatabase { highestDatabase = id }
        }
        for (id, job) in jobs where job.wanted != nil && databases[id] == nil {
            jobs[id]?.wanted = nil
            jobs[id]?.settled = nil
            jobs[id]?.adoptedAt = .now
            poke(id)
        }
        for id in epochs.keys where databases[id] == nil { epochs[id] = nil }
        if haveNodesMoved && hasConfiguration { for id in jobs.keys { poke(id) } }
        hasConfiguration = true
        mayCleanUp = !isProvisional
        cleanUpOnce()
    }

    private func adopt(_ database: DatabaseConfiguration) {
        let id = database.id
        if let known = epochs[id], database.epoch < known { return }
        let isNewEpoch = epochs[id] != database.epoch
        epochs[id] = database.epoch
        guard jobs[id] != nil || database.involvedNodes.contains(node) else { return }
        let own = database.shards.filter { $0.node == node }.map(\.id)
        var job = jobs[id] ?? Job(epoch: database.epoch, adoptedAt: .now)
        // Between pending and active nothing changes for a node.
        let isChanged = isNewEpoch || job.wanted?.isWanted != database.isWanted
        job.wanted = database
        if isChanged {
            job.settled = nil
            job.epoch = database.epoch
            job.adoptedAt = .now
            job.failure = nil
            for shard in own { policies[shard]?.reconfigured() }
        }
        job.shards.formUnion(own)
        jobs[id] = job
        if isChanged { poke(id) }
    }
}

// MARK: - Progress and reports

extension NodeAgent {
    /// Answers when this node has made `epoch` (or a newer one) of the database true, at once when it can't be, and
    /// after `within` with what is missing.
    package func progress(of database: DatabaseID, epoch: Epoch, within: Duration) async -> NodeProgress {
        let deadline = ContinuousClock.now + within
        while true {
            if let answer = answer(database, epoch) { return answer }
            let left = deadline - .now
            guard left > .zero, !Task.isCancelled else { break }
            let token = progressWaits.nextToken()
            let timer = Task {
                try? await Task.sleep(for: left)
                self.progressWaits.wake(database, token)
            }
            await withCheckedContinuation { progressWaits.add(database, token, $0) }
            timer.cancel()
        }
        guard let job = jobs[database], job.epoch >= epoch || job.wanted == nil else {
            return .waiting("node \(node) has not seen epoch \(epoch) of database \(database) yet")
        }
        return .waiting("node \(node): \(job.missing)")
    }

    /// The configuration that was adopted last has this epoch of the database, or the database is gone from it.
    func knows(_ database: DatabaseID, _ epoch: Epoch) -> Bool {
        if let job = jobs[database], let wanted = job.wanted { return wanted.epoch >= epoch }
        if let known = epochs[database] { return known >= epoch }
        return hasConfiguration && database <= highestDatabase
    }

    func isServed(_ database: DatabaseID) -> Bool {
        jobs[database]?.wanted.map { $0.isWanted && $0.endpoint.nodes.contains(node) } ?? false
    }

    private func answer(_ database: DatabaseID, _ epoch: Epoch) -> NodeProgress? {
        guard let job = jobs[database] else {
            if let known = epochs[database] { return known >= epoch ? .applied(known) : nil }
            // Numbers are given out in order and never again: one below the highest that is not there is gone.
            return hasConfiguration && database <= highestDatabase ? .applied(epoch) : nil
        }
        let isGone = job.wanted == nil
        guard isGone || job.epoch >= epoch else { return nil }
        if !job.isStale, job.settled == job.epoch { return .applied(isGone ? max(epoch, job.epoch) : job.epoch) }
        return job.failure.map { .failed("node \(node): \($0)") }
    }

    /// Every shard that the configuration puts on this node, as it is now. Asks them all at once and waits about a
    /// second at most for those that are busy.
    /// - Parameter only: Nil: all.
    package func shardReports(of only: Set<ShardID>? = nil) async -> [ShardReport] {
        await withTaskGroup(of: ShardReport.self) { group in
            for case let database? in jobs.values.map(\.wanted) where database.isWanted {
                for shard in database.shards where shard.node == node && only?.contains(shard.id) != false {
                    group.addTask { await self.report(shard, of: database) }
                }
            }
            var reports: [ShardReport] = []
            for await report in group { reports.append(report) }
            return reports.sorted { $0.shard < $1.shard }
        }
    }

    private func report(_ shard: ShardConfiguration, of database: DatabaseConfiguration) async -> ShardReport {
        let pid = runningProcess(shard.id)
        var report = ShardReport(
            shard: shard.id, database: database.id, role: shard.role, state: .down, pid: pid ?? 0)
        guard pid != nil else {
            if case .hold = verdict(on: shard, of: database) { report.state = .held }
            return report
        }
        report.state = .busy
        guard
            let information = try? await links.inspect(
                shard.id, password: database.secrets.manager, within: .milliseconds(500))
        else { return report }
        report.role = information.role == .primary ? .primary : .replica
        let isInSync = report.role == .primary || information.isInStep
        report.state = information.isLoading ? .loading : isInSync ? .ok : .syncing
        report.usedMemoryBytes = information.usedMemoryBytes
        report.keys = information.keys
        report.linkUp = information.isLinkUp
        report.replicationOffset = information.replicationOffset
        report.uptimeSeconds = information.uptimeSeconds
        report.isPersistenceFailing = information.isPersistenceFailing
        return report
    }
}

// MARK: - Jobs

extension NodeAgent {
    /// Has the job look again, now.
    func poke(_ database: DatabaseID) {
        guard let job = jobs[database] else { return }
        jobs[database]?.isStale = true
        if job.isRunning {
            pauses.wake(database)
        } else {
            jobs[database]?.isRunning = true
            call.yield(database)
        }
    }

    private func work(on database: DatabaseID) async {
        var pause = PassPause()
        while !Task.isCancelled {
            jobs[database]?.isStale = false
            let outcome = await pass(database)
            conclude(outcome, database)
            if outcome.isSettled && jobs[database]?.isStale != true { break }
            if outcome.hasProgressed { pause = PassPause() }
            guard jobs[database]?.isStale != true else { continue }
            await rest(database, for: pause.next(atMost: outcome.retryIn))
        }
        jobs[database]?.isRunning = false
        for shard in jobs[database]?.shards ?? [] { await links.close(shard) }
        // It may have been poked during the last await, when it still looked as if it ran.
        if jobs[database]?.isStale == true, jobs[database]?.isRunning == false { poke(database) }
        if let job = jobs[database], job.wanted == nil, !job.isRunning, !job.isStale, job.shards.isEmpty {
            jobs[database] = nil
        }
    }

    private func conclude(_ outcome: PassOutcome, _ database: DatabaseID) {
        guard var job = jobs[database] else { return }
        if outcome.isSettled {
            if job.settled != outcome.epoch {
                logger.info(
                    "database is as configured", metadata: ["database": "\(database)", "epoch": "\(outcome.epoch)"])
            }
            job.settled = outcome.epoch
            job.failure = nil
            job.missing = ""
            if job.wanted?.isWanted != true && !job.isStale { job.shards = [] }
        } else {
            let missing = outcome.missing.joined(separator: "; ")
            if missing != job.missing {
                logger.debug("waiting", metadata: ["database": "\(database)", "missing": "\(missing)"])
            }
            job.missing = missing
            job.failure = outcome.failures.isEmpty ? nil : outcome.failures.joined(separator: "; ")
        }
        if outcome.hasLooked { job.hadFirstPass = true }
        jobs[database] = job
        progressWaits.wake(database)
    }

    private func rest(_ database: DatabaseID, for span: Duration) async {
        let token = pauses.nextToken()
        let timer = Task {
            try? await Task.sleep(for: span)
            self.pauses.wake(database, token)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { pauses.add(database, token, $0) }
        } onCancel: {
            timer.cancel()
        }
        timer.cancel()
    }
}

/// 1 ms after something was done (a shard is up about 10 ms after its start), then ever longer, up to a second.
private struct PassPause {
    private var span = Duration.milliseconds(1)

    mutating func next(atMost limit: Duration?) -> Duration {
        defer { span = min(span * 3 / 2, .seconds(1)) }
        return max(min(span, limit ?? span), .microseconds(500))
    }
}

// MARK: - Processes

extension NodeAgent {
    private func followWatchdog() async {
        for await event in watchdog.events {
            switch event {
            case .connected:
                // Anything may have happened in between.
                for id in jobs.keys { poke(id) }
                cleanUpOnce()
            case .exited(let status):
                if let shard = ShardProcess.shard(ofProcess: status.name) { await exited(shard, status) }
            case .restarted:
                break  // Not shards: the watchdog never restarts those.
            }
        }
    }

    private func exited(_ shard: ShardID, _ status: ProcessStatus) async {
        await links.close(shard)
        for (id, job) in jobs {
            guard let database = job.wanted, let configured = database.shards.first(where: { $0.id == shard }) else {
                continue
            }
            if configured.node == node, database.isWanted {
                noteExit(of: configured, in: database, status.lastExit ?? .unknown)
            }
            poke(id)
        }
    }

    /// Starts a primary that is held (``ShardReport/State/held``) as what it is: the order of somebody who knows that
    /// its replicas hold nothing that it would wipe.
    package func release(_ shard: ShardID) {
        policies[shard]?.release()
        for (id, job) in jobs where job.shards.contains(shard) { poke(id) }
    }

    func verdict(on shard: ShardConfiguration, of database: DatabaseConfiguration) -> RestartPolicy.Verdict {
        // What a replica has confirmed may be missing on this disk, so durability `replica` waits for the replica.
        let persists = database.policy.persistence != .none && database.policy.durability == .async
        // Replicas on lost nodes replace nobody. But without a disk to start from, theirs may be the only data left.
        let successors = database.successors(of: shard).filter { id in
            guard persists, let replica = database.shards.first(where: { $0.id == id }) else { return true }
            return nodes[replica.node]?.status != .down
        }
        return (policies[shard.id] ?? RestartPolicy()).verdict(
            at: .now, hasReplicas: !successors.isEmpty, persists: persists)
    }

    /// Tells the world once for each end of a shard.
    func noteExit(of shard: ShardConfiguration, in database: DatabaseConfiguration, _ exit: ProcessExit) {
        guard policies[shard.id]?.isDown != true else { return }
        policies[shard.id, default: RestartPolicy()].exited(at: .now)
        logger.warning(
            "shard ended",
            metadata: [
                "shard": "\(shard.id)", "database": "\(database.id)", "role": "\(shard.role.rawValue)",
                "exit": "\(exit)",
            ])
        tell(shard, database, exit)
    }

    /// Again every few seconds while a shard is held, since nobody may lead or listen at the moment.
    func remind(of shard: ShardConfiguration, in database: DatabaseConfiguration) {
        guard let told = toldAt[shard.id], .now - told >= .seconds(2) else { return }
        tell(shard, database, watchdog.processes?[shard.processName]?.lastExit ?? .unknown)
    }

    private func tell(_ shard: ShardConfiguration, _ database: DatabaseConfiguration, _ exit: ProcessExit) {
        toldAt[shard.id] = .now
        exits.yield(
            ShardExit(
                shard: shard.id, database: database.id, role: shard.role, exit: exit,
                replicaCandidates: database.successors(of: shard)))
    }

    /// Process id of a shard that runs by the watchdog's last word.
    func runningProcess(_ shard: ShardID) -> Int32? {
        guard let status = watchdog.processes?[ShardProcess.name(shard)] else { return nil }
        switch status.state {
        case .running, .stopping: return status.pid
        case .ended, .waitingToRestart: return nil
        }
    }
}

// MARK: - After a start of the manager

extension NodeAgent {
    /// Lets the proxy have its routes when every database has been looked at once, or after two seconds: then with
    /// the routes of the configuration as they are, so that one slow shard costs nobody a session.
    private func openProxy() async {
        let deadline = ContinuousClock.now + .seconds(2)
        var sawConfiguration: ContinuousClock.Instant?
        while !Task.isCancelled {
            if hasConfiguration {
                let since = sawConfiguration ?? .now
                sawConfiguration = since
                if jobs.values.allSatisfy(\.hadFirstPass) || .now >= max(deadline, since + .seconds(2)) { break }
            }
            try? await Task.sleep(for: .milliseconds(hasConfiguration ? 2 : 20))
        }
        guard !Task.isCancelled else { return }
        for job in jobs.values where !job.hadFirstPass {
            guard let database = job.wanted, database.isWanted, database.status != .pending,
                database.endpoint.nodes.contains(node)
            else { continue }
            proxy.set(planner().routes(of: database))
        }
        proxy.open()
    }

    /// Removes processes and directories of shards that the first whole configuration does not know.
    private func cleanUpOnce() {
        guard mayCleanUp, !hasCleanedUp, let processes = watchdog.processes else { return }
        hasCleanedUp = true
        var found = Set(processes.keys.compactMap(ShardProcess.shard(ofProcess:)))
        found.formUnion(HostFile.names(in: paths.shards).compactMap { Int($0).map { ShardID($0) } })
        let known = jobs.values.reduce(into: Set<ShardID>()) { $0.formUnion($1.shards) }
        for shard in found.subtracting(known) {
            logger.notice("removing a shard that is not in the configuration", metadata: ["shard": "\(shard)"])
            Task { await self.cleanUp(shard) }
        }
    }

    private func cleanUp(_ shard: ShardID) async {
        do {
            try await remove(shard, password: nil)
        } catch {
            logger.warning("could not remove a shard", metadata: ["shard": "\(shard)", "error": "\(error)"])
            hasCleanedUp = false  // The next configuration or connection tries again.
        }
    }
}

extension NodeRecord {
    /// What plans depend on.
    fileprivate var reachability: [String] { [address, status.rawValue] }
}

extension DatabaseConfiguration {
    /// Replicas that could take the shard's place; none for a replica, and none in a database that is still being
    /// created, where nobody has anything to lose.
    fileprivate func successors(of shard: ShardConfiguration) -> [ShardID] {
        guard shard.role == .primary, status != .pending else { return [] }
        return shards.filter { $0.role == .replica && $0.slots == shard.slots && !$0.isCopying }.map(\.id)
    }
}
