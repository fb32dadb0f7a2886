package import ClusterModel
package import ClusterStore
package import Logging
package import ManagerCore

/// Proof that this node led when a decision was made: the revision at which it wrote the leader key. Every commit of
/// the leader is conditional on it, so one that has lost the lease without knowing can't commit.
package struct LeaderTerm: Hashable, Sendable {
    package var keyRevision: Int64
}

/// Campaigns for the leader lease and keeps it.
///
/// The lease lives ``leaseSeconds``; it is renewed three times in that span. Losing it stops planning and nothing
/// else: routes, shards and clients don't depend on a leader.
///
/// ```
/// asked for the lease (or its renewal)      this node stops leading      the store may let it expire
///     |------------------- termSpan -----------------|---- margin ----|
///                ^ answered somewhen in here: time is counted from the question, so the store's clock is later
/// ```
package actor Leadership {
    /// Raising it makes a dead leader's work wait longer; lowering it makes a slow disk cost an election.
    /// etcd grants no less than 1.5 election timeouts, 0.75 s with ours.
    package static let leaseSeconds = 2
    /// How long after a successful renewal was asked for this node takes itself for the leader. The rest of the lease
    /// is for a timer that fires late.
    package static let termSpan = Duration.milliseconds(leaseSeconds * 1000 - 250)
    /// Between two tries while nobody leads, and between two renewals when the store refuses at once.
    private static let retryPause = Duration.milliseconds(500)
    private static let renewalPause = Duration.milliseconds(50)
    /// Giving the lease back is a courtesy; a store that is away must not keep a node from stopping.
    private static let farewell = Duration.seconds(1)

    private struct Held {
        var lease: StoreLease
        var term: LeaderTerm
        var validUntil: ContinuousClock.Instant
    }

    private let node: NodeID
    private let store: any ClusterStore
    private let logger: Logger
    private let clock = ContinuousClock()
    private var held: Held?
    /// Nobody leads, as far as this node's copy of the store says.
    private var isVacant = false
    /// A node that leaves the cluster lets another lead.
    private var mayLead = true
    private var watchers: [AsyncStream<LeaderTerm?>.Continuation] = []

    package init(node: NodeID, store: any ClusterStore, logger: Logger) {
        self.node = node
        self.store = store
        self.logger = logger
    }

    /// Nil while another node leads, and as soon as the lease could have expired, whatever timers say.
    package var current: LeaderTerm? {
        guard let held, clock.now < held.validUntil else { return nil }
        return held.term
    }

    /// Every change of ``current``, the present value first.
    package func terms() -> AsyncStream<LeaderTerm?> {
        let (stream, continuation) = AsyncStream.makeStream(of: LeaderTerm?.self)
        continuation.yield(current)
        watchers.append(continuation)
        return stream
    }

    /// Runs until cancelled, then gives the lease back so that the next leader needn't wait for it to expire.
    package func run(states: AsyncStream<ClusterState>) async {
        let (vacancies, vacancy) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await state in states {
                    await self.note(state)
                    if state.leader == nil { vacancy.yield() }
                }
                vacancy.finish()
            }
            for await _ in vacancies { await leadOrWait() }
            group.cancelAll()
        }
        for watcher in watchers { watcher.finish() }
    }

    private func note(_ state: ClusterState) {
        isVacant = state.leader == nil
        mayLead = state.nodes[node].map { !$0.isLeaving } ?? mayLead
    }

    /// Campaigns until somebody leads. A store that was away brings no new state when it is back, so waiting for one
    /// would leave the cluster without a leader.
    private func leadOrWait() async {
        while isVacant, mayLead, !Task.isCancelled {
            if let won = await campaign() {
                // Not again before the copy shows the key gone, or the next try comes round.
                await hold(won)
            }
            try? await Task.sleep(for: Self.retryPause)
        }
    }

    private func campaign() async -> Held? {
        let asked = clock.now
        var granted: StoreLease?
        do {
            let lease = try await store.grantLease(seconds: Self.leaseSeconds)
            granted = lease
            let key = StoreKey.leader.path
            let result = try await store.commit(
                [.put(key: key, value: StateCoding.encodeLeader(node), lease: lease)],
                if: [.modifiedRevision(key: key, equals: 0)])
            if case .committed(let revision) = result {
                let term = LeaderTerm(keyRevision: revision)
                return Held(lease: lease, term: term, validUntil: asked + Self.termSpan)
            }
        } catch {
            logger.debug("campaign failed", metadata: ["error": "\(error)"])
        }
        if let granted { await giveBack(granted) }
        return nil
    }

    /// Leads until the lease is lost, could have expired, or the task is cancelled.
    private func hold(_ won: Held) async {
        held = won
        logger.info("became leader", metadata: ["node": "\(node)"])
        announce(won.term)
        while mayLead, !Task.isCancelled, let validUntil = held?.validUntil, clock.now < validUntil {
            let asked = clock.now
            let renewal = await bounded(until: validUntil) { [store] in await Renewal(of: won.lease, at: store) }
            switch renewal {
            case .done:
                held?.validUntil = asked + Self.termSpan
                await pause(until: asked + Self.termSpan / 3)
            case .failed(let error):
                logger.warning("could not renew the leader lease", metadata: ["error": "\(error)"])
                await pause(until: min(clock.now + Self.renewalPause, validUntil))
            case .lost, nil: held?.validUntil = asked
            }
        }
        held = nil
        logger.info("no longer leader", metadata: ["node": "\(node)"])
        announce(nil)
        await giveBack(won.lease)
    }

    /// In a task of its own: cancellation must not keep the lease from being given back.
    private func giveBack(_ lease: StoreLease) async {
        let (store, logger) = (store, logger)
        let farewell = Task.detached {
            let isGiven: Void? = await bounded(until: .now + Self.farewell) {
                do {
                    try await store.revoke(lease)
                } catch {
                    logger.warning("could not give the lease back", metadata: ["error": "\(error)"])
                }
            }
            if isGiven == nil { logger.warning("the lease is not given back in time") }
        }
        await farewell.value
    }

    private func pause(until instant: ContinuousClock.Instant) async {
        try? await Task.sleep(until: instant, clock: clock)
    }

    private func announce(_ term: LeaderTerm?) {
        for watcher in watchers { watcher.yield(term) }
    }
}

/// How an attempt to renew a lease ended.
private enum Renewal: Sendable {
    case done
    case lost
    case failed(StoreError)

    init(of lease: StoreLease, at store: any ClusterStore) async {
        do throws(StoreError) {
            try await store.renew(lease)
            self = .done
        } catch {
            self = error.code == .leaseLost ? .lost : .failed(error)
        }
    }
}

/// What `work` returns, or nil when `deadline` comes first or the task is cancelled. Work that is late is cancelled and
/// not waited for: it may be stuck in a call that takes no notice.
package func bounded<Result: Sendable>(
    until deadline: ContinuousClock.Instant, _ work: @escaping @Sendable () async -> Result
) async -> Result? {
    let (results, continuation) = AsyncStream.makeStream(of: Result.self, bufferingPolicy: .bufferingOldest(1))
    let worker = Task {
        continuation.yield(await work())
        continuation.finish()
    }
    let timer = Task {
        try? await Task.sleep(until: deadline, clock: .continuous)
        continuation.finish()
    }
    defer {
        worker.cancel()
        timer.cancel()
    }
    for await result in results { return result }
    return nil
}
