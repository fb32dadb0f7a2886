import ClusterModel
import ManagementAPI
import ManagerCore
import ManagerService
import NodeService
import Primitives

/// CONFIG SET of clients: from the node's proxy to the leader, and back when the nodes have done it.
extension Manager {
    /// How long a client waits. The proxy waits a second longer, so that it hears why.
    private static let settingsPatience = Duration.seconds(5)

    func serveSettingsRequests(of membership: Membership) async {
        await withDiscardingTaskGroup { group in
            for await request in proxy.settingsRequests {
                group.addTask {
                    let change = SettingsChangeObject(database: request.database, settings: request.settings)
                    request.answer(await self.change(change, membership))
                }
            }
        }
    }

    /// - Returns: Nil when every node of the database has the settings, else what a client should know.
    private func change(_ change: SettingsChangeObject, _ membership: Membership) async -> String? {
        let deadline = ContinuousClock.now + Self.settingsPatience
        let epoch: Epoch
        do throws(PlanError) {
            epoch = try await store(change, membership, until: deadline)
        } catch {
            logger.warning(
                "could not change settings", metadata: ["database": "\(change.database)", "error": "\(error)"])
            return error.message
        }
        // It is in the store; what this node knows of the database follows by the watch.
        var last = "the cluster is slow to follow"
        while ContinuousClock.now < deadline {
            guard let state = await membership.member.follower.current, let database = state.databases[change.database]
            else { return "the database is gone" }
            guard database.epoch >= epoch else {
                try? await Task.sleep(for: .milliseconds(2))
                continue
            }
            let open = await nodesWithout(epoch, of: database, in: state, membership, until: deadline)
            guard let first = open.first else { return nil }
            last = first
            try? await Task.sleep(for: .milliseconds(20))
        }
        return "the settings are kept and not in force everywhere yet: \(last)"
    }

    /// Waits for a leader as every forwarded change does; asking twice is harmless.
    private func store(
        _ change: SettingsChangeObject, _ membership: Membership, until deadline: ContinuousClock.Instant
    ) async throws(PlanError) -> Epoch {
        var last = PlanError.noLeader
        while ContinuousClock.now < deadline {
            do throws(PlanError) {
                if await membership.member.leadership.current != nil { return try await changeSettingsAsLeader(change) }
                return try await changeByLeader(change, membership)
            } catch {
                guard error.status == 503 else { throw error }
                last = error
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        throw last
    }

    private func changeByLeader(
        _ change: SettingsChangeObject, _ membership: Membership
    ) async throws(PlanError) -> Epoch {
        guard let state = await state(), let leader = state.leader, leader != membership.identity.node,
            let record = state.nodes[leader]
        else { throw .noLeader }
        do {
            return try await membership.peers.post(change, to: InternalPath.settings, of: record)
        } catch let error as PeerError {
            throw PlanError(code: error.code, status: error.status, message: error.message)
        } catch {
            throw PlanError(code: "no_leader", status: 503, message: "The leader can't be reached: \(error).")
        }
    }

    func changeSettingsAsLeader(_ change: SettingsChangeObject) async throws(PlanError) -> Epoch {
        let time = now()
        let (plan, _) = try await edit { state throws(PlanError) in
            try Planner.changeSettings(change.settings, of: change.database, in: state, now: time)
        }
        return plan?.database?.epoch ?? .zero
    }

    /// What keeps the nodes from having the epoch, in words; empty when all that matter have it. A node that only
    /// serves the endpoint and can't be reached serves nobody: it catches up when it comes back.
    private func nodesWithout(
        _ epoch: Epoch, of database: DatabaseConfiguration, in state: ClusterState, _ membership: Membership,
        until deadline: ContinuousClock.Instant
    ) async -> [String] {
        let hosts = Set(database.primaries.map(\.node))
        let span = deadline - .now
        return await withTaskGroup(of: String?.self) { group in
            for node in database.involvedNodes where state.nodes[node] != nil {
                group.addTask {
                    switch await self.probe(node, database.id, epoch, within: span, membership) {
                    case .applied: nil
                    case .failed(let message), .waiting(let message): message
                    case .unreachable(let message): hosts.contains(node) ? message : nil
                    }
                }
            }
            var open: [String] = []
            for await case let message? in group { open.append(message) }
            return open
        }
    }
}
