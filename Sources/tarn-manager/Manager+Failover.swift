import ClusterModel
import Glibc
import ManagementAPI
import ManagerCore
import ManagerService
import NodeService
import Primitives

/// Liveness and failover, joined to this node's parts and to its peers.
extension Manager {
    /// How long a peer may take for what it answers from memory, and for what it asks its shards.
    private static let answerSpan = Duration.milliseconds(500)
    private static let inspectionSpan = Duration.milliseconds(800)

    func liveness(of member: ClusterMember, _ peers: Peers, _ agent: NodeAgent) -> Liveness {
        let proxy = proxy
        return Liveness(
            node: member.node, editor: member.editor, follower: member.follower,
            ports: LivenessPorts(
                beat: { watcher, message in
                    do {
                        let answer: FenceObject = try await peers.post(
                            message, to: InternalPath.heartbeat, of: watcher, deadline: .milliseconds(message.lease))
                        return .answered(fence: answer.fence)
                    } catch is PeerError {
                        return .refused
                    } catch {
                        return .silent
                    }
                },
                appliedFence: { await agent.appliedFence($0.head?.fence ?? .zero, of: $0.databases) },
                isUpToDate: { await agent.isUpToDate($0.databases) },
                grant: { proxy.grantLease(until: $0) },
                isProxyAnswering: { await proxy.isAnswering(within: Self.answerSpan) == true },
                bootTime: Self.bootTime),
            now: now, logger: logger)
    }

    func failover(of member: ClusterMember, _ peers: Peers, _ agent: NodeAgent) -> FailoverKeeper {
        FailoverKeeper(
            node: member.node, editor: member.editor,
            ports: FailoverPorts(
                copies: { await self.copies(of: $0, member, peers, agent) },
                fence: { node, database, epoch in
                    if node.id == member.node {
                        let answer = await self.fence(of: database, epoch: epoch)
                        return PromotionGate.Answer(hasApplied: answer.hasApplied, fence: answer.fence)
                    }
                    let path = "\(InternalPath.fence)?database=\(database)&epoch=\(epoch)"
                    let answer: FenceObject? = try? await peers.get(path, from: node, deadline: Self.answerSpan)
                    return answer.map { PromotionGate.Answer(hasApplied: $0.hasApplied, fence: $0.fence) }
                },
                openGate: { shard, database, fence in await agent.openGate(shard, of: database, fence: fence) },
                fresh: fresh, now: now, bootTime: Self.bootTime),
            logger: logger)
    }

    func copies(
        of shards: [ShardConfiguration], _ member: ClusterMember, _ peers: Peers, _ agent: NodeAgent
    ) async -> [ShardID: ShardCopy] {
        let nodes = await member.follower.current?.nodes ?? [:]
        let byNode = Dictionary(grouping: shards, by: \.node).mapValues { Set($0.map(\.id)) }
        return await withTaskGroup(of: [ShardReportObject].self) { group in
            for (node, ids) in byNode {
                group.addTask {
                    guard node != member.node else { return await agent.shardReports(of: ids).map(\.object) }
                    guard let record = nodes[node] else { return [] }
                    let list = ids.sorted().map(\.description).joined(separator: ",")
                    let reports: [ShardReportObject]? = try? await peers.get(
                        "\(InternalPath.shards)?only=\(list)", from: record, deadline: Self.inspectionSpan)
                    return reports ?? []
                }
            }
            var copies: [ShardID: ShardCopy] = [:]
            for await reports in group {
                for report in reports {
                    copies[report.shard] = ShardCopy(offset: report.replicationOffset, isRunning: report.pid > 0)
                }
            }
            return copies
        }
    }

    // MARK: What peers ask

    func heartbeat(_ message: HeartbeatObject) async -> FenceObject? {
        await membership?.liveness.answer(message).map { FenceObject(hasApplied: true, fence: $0) }
    }

    func counts(newcomer: NodeID) async -> Bool {
        await membership?.liveness.counts(newcomer: newcomer) ?? false
    }

    func counts(_ newcomer: NodeID, at witness: NodeID, _ membership: Membership) async -> Bool {
        guard witness != membership.identity.node else { return await counts(newcomer: newcomer) }
        guard let record = await membership.member.follower.current?.nodes[witness] else { return false }
        let path = "\(InternalPath.newcomer)?node=\(newcomer)"
        let answer: NewcomerObject? = try? await membership.peers.get(path, from: record, deadline: Self.answerSpan)
        return answer?.isCounted ?? false
    }

    func fence(of database: DatabaseID, epoch: Epoch) async -> FenceObject {
        guard let membership else { return FenceObject(hasApplied: false, fence: .zero) }
        let fence = await state()?.head?.fence ?? .zero
        return FenceObject(hasApplied: await membership.agent.routesAreApplied(database, epoch), fence: fence)
    }

    // MARK: What this node's shards do

    /// The agent says it again every few seconds as long as it is so.
    func replaceDeadPrimaries(of membership: Membership) async {
        for await exit in membership.agent.shardExits where exit.role == .primary && !exit.replicaCandidates.isEmpty {
            Task {
                for _ in 1...10 {
                    if await membership.failover.primaryEnded(exit.shard) { return }
                    try? await Task.sleep(for: .milliseconds(200))
                }
            }
        }
    }

    func endTransitions(of membership: Membership) async {
        for await promotion in membership.agent.promotions {
            await membership.failover.promoted(promotion.shard, of: promotion.database)
        }
    }

    static func bootTime() -> BootTime {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return BootTime(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
