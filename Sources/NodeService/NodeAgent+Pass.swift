import ClusterModel
import HostControl
import Logging
import NIOCore
import NIOPosix
import ShardControl
import WatchdogProtocol

/// What one pass over a database came to.
struct PassOutcome: Sendable {
    var epoch: Epoch
    var isSettled = false
    /// False when there was nothing to look at yet.
    var hasLooked = false
    /// Something was done, so it pays to look again at once.
    var hasProgressed = false
    var missing: [String] = []
    var failures: [String] = []
    /// Something is due then.
    var retryIn: Duration?
}

extension NodeAgent {
    /// Observes once, plans once, executes once.
    func pass(_ id: DatabaseID) async -> PassOutcome {
        guard let job = jobs[id] else { return PassOutcome(epoch: .zero, isSettled: true) }
        var outcome = PassOutcome(epoch: job.epoch)
        guard watchdog.processes != nil else {
            outcome.missing = ["the watchdog can't be reached"]
            return outcome
        }
        let (shards, retryIn) = await observe(job)
        if let database = job.wanted { noteSteps(of: shards, password: database.secrets.manager) }
        let observation = NodeObservation(
            shards: shards, routes: proxy.observation(of: id), openGates: job.wanted.map(openShards) ?? [])
        // A newer configuration may have come during the observation: plan for what was observed, the next pass
        // looks anew. Executing the older plan first does no harm beyond a detour.
        let plan = planner().plan(job.wanted, epoch: job.epoch, observation)
        outcome.hasLooked = true
        outcome.isSettled = plan.isSettled
        outcome.missing = plan.missing
        outcome.failures = plan.failures
        outcome.retryIn = retryIn
        tellOfPromotions(job, shards)
        guard plan.hasSteps else { return outcome }
        let errors = await execute(plan, id, job)
        outcome.hasProgressed = errors.isEmpty && plan.failures.isEmpty
        outcome.missing += errors
        return outcome
    }

    func planner() -> NodePlanner {
        NodePlanner(
            node: node, address: address, paths: paths, addresses: nodes.mapValues(\.address),
            lost: Set(nodes.values.lazy.filter { $0.status == .down }.map(\.id)))
    }
}

// MARK: - Observing

extension NodeAgent {
    private func observe(_ job: Job) async -> ([ShardID: ShardObservation], retryIn: Duration?) {
        var retryIn: Duration?
        var found: [ShardID: ShardObservation] = [:]
        var asked: [ShardID] = []
        for shard in job.shards {
            let configuration = HostFile.content(paths.shardConfiguration(shard))
            var observation = ShardObservation(
                process: .running, configuration: configuration,
                directoryExists: configuration != nil || HostFile.exists(paths.shardDirectory(shard)),
                isFailing: policies[shard]?.isFailing ?? false)
            if runningProcess(shard) != nil {
                asked.append(shard)
            } else {
                let (process, pause) = absent(shard, job, wasConfigured: configuration != nil)
                observation.process = process
                retryIn = [retryIn, pause].compactMap { $0 }.min()
            }
            found[shard] = observation
        }
        guard let database = job.wanted, database.isWanted else { return (found, retryIn) }
        for (shard, information) in await ask(asked, password: database.secrets.manager) {
            found[shard]?.information = information
            if information != nil { found[shard]?.isFailing = false }
        }
        return (found, retryIn)
    }

    private func ask(_ shards: [ShardID], password: String) async -> [ShardID: ShardInformation?] {
        await withTaskGroup(of: (ShardID, ShardInformation?).self) { group in
            for shard in shards {
                group.addTask { [links] in
                    (shard, try? await links.information(of: shard, password: password))
                }
            }
            var answers: [ShardID: ShardInformation?] = [:]
            for await (shard, information) in group { answers[shard] = .some(information) }
            return answers
        }
    }

    /// Whether a shard that isn't running may be started.
    private func absent(
        _ id: ShardID, _ job: Job, wasConfigured: Bool
    ) -> (ShardObservation.Process, retryIn: Duration?) {
        guard let database = job.wanted, let shard = database.shards.first(where: { $0.id == id }) else {
            return (.startable, nil)
        }
        // Found dead, without an event: the node, the watchdog or we ourselves were away. A new database's shard that
        // has a file was interrupted while being created; it has nothing to lose.
        if wasConfigured && database.status != .pending {
            noteExit(of: shard, in: database, watchdog.processes?[shard.processName]?.lastExit ?? .unknown)
        }
        switch verdict(on: shard, of: database) {
        case .start:
            return (.startable, nil)
        case .backOff(let end):
            return (.waiting("is down and ends too often, it is started again in a moment"), end - .now)
        case .hold(let end):
            remind(of: shard, in: database)
            let until = end == nil ? "a failover" : "a failover, ten seconds at most"
            return (.waiting("is down; as a primary with a replica it waits for \(until)"), end.map { $0 - .now })
        }
    }
}

// MARK: - Executing

extension NodeAgent {
    /// - Returns: What went wrong, in words.
    private func execute(_ plan: NodePlan, _ database: DatabaseID, _ job: Job) async -> [String] {
        if case .remove(let epoch) = plan.routes { proxy.remove(database, epoch: epoch) }
        if case .set(let routes) = plan.routes, plan.routesGoFirst {
            proxy.set(routes)
            pokeWhenApplied(database, routes.epoch)
        }
        let password = job.wanted?.secrets.manager
        var errors = await withTaskGroup(of: (ShardID, String?).self) { group in
            for (shard, steps) in plan.shards {
                group.addTask { (shard, await self.execute(steps, shard, database, password: password)) }
            }
            var errors: [ShardID: String] = [:]
            for await (shard, error) in group { errors[shard] = error }
            return errors
        }
        switch plan.routes {
        case nil: break
        case .set where plan.routesGoFirst: break
        case .set(let routes):
            let primaries = Set(routes.shards.map(\.shard))
            // Don't send clients to a shard that could not be brought to where they need it.
            guard primaries.isDisjoint(with: errors.keys) else { break }
            proxy.set(routes)
            await confirm(database, routes.epoch, &errors)
        case .remove(let epoch):
            await confirm(database, epoch, &errors)
        }
        return errors.sorted { $0.key < $1.key }.map(\.value)
    }

    private func confirm(_ database: DatabaseID, _ epoch: Epoch, _ errors: inout [ShardID: String]) async {
        // The link opens only after the first pass of every database, so this pass must not wait for it.
        guard proxy.isOpen else { return }
        do {
            try await proxy.waitApplied(database, epoch: epoch, deadline: .seconds(1))
        } catch {
            errors[ShardID(0)] = "\(error)"
        }
    }

    private func execute(
        _ steps: [NodeStep], _ shard: ShardID, _ database: DatabaseID, password: String?
    ) async -> String? {
        do {
            for step in steps { try await execute(step, shard, database, password: password) }
            return nil
        } catch {
            return "shard \(shard): \(error)"
        }
    }

    private func execute(
        _ step: NodeStep, _ shard: ShardID, _ database: DatabaseID, password: String?
    ) async throws {
        switch step {
        case .awaitPeer(let peer):
            await awaitListener(peer)
        case .writeConfiguration(let settings):
            try HostFile.makeDirectory(settings.directory, mode: 0o700)
            // Not durable: it is made again from the configuration whenever it isn't as it should be.
            try HostFile.write(
                ShardConfigurationFile.text(settings).utf8, to: paths.shardConfiguration(shard), mode: 0o600,
                isDurable: false)
        case .start(let role):
            if role == .replica { behind.insert(shard) }
            try await start(shard, role, database)
        case .promote:
            logger.notice("promoting a replica", metadata: ["shard": "\(shard)", "database": "\(database)"])
            try await connection(shard, password).becomePrimary()
        case .follow(let primary):
            logger.notice("following a primary", metadata: ["shard": "\(shard)", "primary": "\(primary)"])
            behind.insert(shard)
            try await connection(shard, password).follow(primary)
        case .change(let changes):
            let connection = try await connection(shard, password)
            try await connection.configure(changes.parameters)
            for user in changes.users { try await connection.define(user) }
        case .detachReplicas:
            logger.notice("detaching replicas of lost nodes", metadata: ["shard": "\(shard)"])
            try await connection(shard, password).detachReplicas()
        case .remove:
            try await remove(shard, password: password)
            jobs[database]?.shards.remove(shard)
        }
    }

    private func connection(_ shard: ShardID, _ password: String?) async throws -> ShardConnection {
        try await links.connection(to: shard, password: password ?? "")
    }

    private func start(_ shard: ShardID, _ role: ShardRole, _ database: DatabaseID) async throws {
        // Deleted while this pass was on its way: don't bring it back.
        guard jobs[database]?.wanted?.isWanted == true else { return }
        let former = policies[shard]
        // Before the start, since the news of a quick end may overtake the answer.
        policies[shard, default: RestartPolicy()].started(at: .now)
        let status: ProcessStatus
        do {
            status = try await watchdog.start(ShardProcess.specification(of: shard, role: role, paths: paths))
        } catch {
            policies[shard] = former
            throw error
        }
        logger.info("shard started", metadata: ["shard": "\(shard)", "pid": "\(status.pid)"])
    }

    /// Ends the process, if any, and removes its directory.
    func remove(_ shard: ShardID, password: String?) async throws {
        if runningProcess(shard) != nil {
            // Spares the shard its last snapshot and the wait for its replicas. It is only a courtesy: the watchdog
            // ends it in any case.
            let known =
                password
                ?? HostFile.content(paths.shardConfiguration(shard))
                .flatMap(ShardConfigurationFile.managerPassword)
            if let connection = try? await links.connection(to: shard, password: known ?? "") {
                // It confirms no more writes from now on, however long it takes to give its memory back.
                try? await connection.becomePrimary()
                try? await connection.discard()
            }
        }
        await links.close(shard)
        if watchdog.processes?[ShardProcess.name(shard)] != nil {
            try await watchdog.stop(ShardProcess.name(shard))
        }
        try HostFile.removeTree(paths.shardDirectory(shard))
        policies[shard] = nil
        openGates[shard] = nil
        behind.remove(shard)
        logger.info("shard removed", metadata: ["shard": "\(shard)"])
    }

    /// Returns when something listens there, or after two seconds: a replica does without.
    private func awaitListener(_ peer: ShardPeer) async {
        let deadline = ContinuousClock.now + .seconds(2)
        let bootstrap = ClientBootstrap(group: group).connectTimeout(.milliseconds(500))
        while !Task.isCancelled, .now < deadline {
            if let channel = try? await bootstrap.connect(host: peer.host, port: Int(peer.port)).get() {
                try? await channel.close()
                return
            }
            try? await Task.sleep(for: .milliseconds(3))
        }
    }
}
