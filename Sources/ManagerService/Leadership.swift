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
package actor Leadership {
    /// Raising it makes a dead leader's work wait longer; lowering it makes a slow disk cost an election.
    /// etcd grants no less than 1.5 election timeouts, 0.75 s with ours.
    package static let leaseSeconds = 2

    private let node: NodeID
    private let store: any ClusterStore
    private let logger: Logger
    private var term: LeaderTerm?
    private var watchers: [AsyncStream<LeaderTerm?>.Continuation] = []

    package init(node: NodeID, store: any ClusterStore, logger: Logger) {
        self.node = node
        self.store = store
        self.logger = logger
    }

    /// Nil while another node leads.
    package var current: LeaderTerm? { term }

    /// Every change of ``current``, the present value first.
    package func terms() -> AsyncStream<LeaderTerm?> {
        let (stream, continuation) = AsyncStream.makeStream(of: LeaderTerm?.self)
        continuation.yield(term)
        watchers.append(continuation)
        return stream
    }

    /// Runs until cancelled, then gives the lease back so that the next leader needn't wait for it to expire.
    package func run(states: AsyncStream<ClusterState>) async {
        var lease: StoreLease?
        for await state in states {
            if Task.isCancelled { break }
            guard state.leader == nil else { continue }
            lease = await campaign()
            if let held = lease {
                await hold(held)
                lease = nil
            }
        }
        for watcher in watchers { watcher.finish() }
    }

    private func campaign() async -> StoreLease? {
        do {
            let lease = try await store.grantLease(seconds: Self.leaseSeconds)
            let key = StoreKey.leader.path
            let result = try await store.commit(
                [.put(key: key, value: StateCoding.encodeLeader(node), lease: lease)],
                if: [.modifiedRevision(key: key, equals: 0)])
            guard case .committed(let revision) = result else {
                try? await store.revoke(lease)
                return nil
            }
            logger.info("became leader", metadata: ["node": "\(node)"])
            change(to: LeaderTerm(keyRevision: revision))
            return lease
        } catch {
            logger.debug("campaign failed", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func hold(_ lease: StoreLease) async {
        let clock = ContinuousClock()
        var renewed = clock.now
        let span = Duration.seconds(Self.leaseSeconds)
        while !Task.isCancelled, clock.now - renewed < span {
            try? await Task.sleep(for: span / 3)
            let asked = clock.now
            do {
                try await store.renew(lease)
                renewed = asked
            } catch where error.code == .leaseLost {
                break
            } catch {
                logger.warning("could not renew the leader lease", metadata: ["error": "\(error)"])
            }
        }
        logger.info("no longer leader", metadata: ["node": "\(node)"])
        change(to: nil)
        // Cancellation must not keep the lease from being given back.
        let store = store
        await Task.detached { try? await store.revoke(lease) }.value
    }

    private func change(to next: LeaderTerm?) {
        term = next
        for watcher in watchers { watcher.yield(next) }
    }
}
