import ClusterModel
import ShardControl

/// Has replicas that have come into step say so.
///
/// A primary sends nothing to a replica that got its first copy until this has acknowledged it. Redis' replica does so
/// right behind the copy, when the primary has not noticed yet that the fork that sent it has ended, so it counts for
/// nothing; the next acknowledgement is a second away. Durability `replica` would keep all writes waiting for it.
/// ```
///   replica   ◀── copy ── fork      ── ack ──▶ (too early)           ── ack ──▶  primary streams on
///   agent            sees the link up ──────── GETACK, 7 times in 0.6 s ──┘
/// ```
extension NodeAgent {
    /// A fork of some gigabytes takes some 100 ms to end. Behind the last one the replica's own second is over.
    private static let acknowledgementPauses: [Duration] = [2, 8, 20, 40, 80, 160, 320].map { .milliseconds($0) }

    func noteSteps(of shards: [ShardID: ShardObservation], password: String) {
        for (shard, observation) in shards {
            guard let information = observation.information, information.role != .primary else { continue }
            if !information.isInStep {
                behind.insert(shard)
            } else if behind.remove(shard) != nil {
                Task { await self.acknowledge(shard, password) }
            }
        }
    }

    private func acknowledge(_ shard: ShardID, _ password: String) async {
        guard let connection = try? await links.separate(to: shard, password: password) else { return }
        defer { connection.close() }
        for pause in Self.acknowledgementPauses {
            // Whatever fails here: the replica does it by itself.
            guard (try? await Task.sleep(for: pause)) != nil, (try? await connection.acknowledge()) != nil else {
                return
            }
        }
    }
}

extension ShardInformation {
    /// Of a replica: it follows its primary's stream.
    var isInStep: Bool { isLinkUp && !isSynchronizing }
}
