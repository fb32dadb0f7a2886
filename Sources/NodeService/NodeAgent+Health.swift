package import ClusterModel
import Glibc
import HostControl
import Logging
package import Primitives
import ShardControl

/// Asks every shard and the proxy of this node for a sign of life once a second, and kills what hangs: then it is dead,
/// which the watchdog reports, and what follows a death follows.
extension NodeAgent {
    private static let interval: Int64 = 1000
    private static let answerSpan = Duration.milliseconds(700)

    /// Runs until cancelled.
    /// - Parameter profile: Of the moment.
    package func watchHealth(
        profile: @escaping @Sendable () async -> DetectionProfile, bootTime: @escaping @Sendable () -> BootTime
    ) async {
        var shards = HangWatch<ShardID>()
        var proxies = HangWatch<Int>()
        let links = ShardLinks(paths: paths, group: group)
        while !Task.isCancelled {
            let limit = await profile().hang
            let wanted = runningShards()
            shards.begin(at: bootTime(), interval: Self.interval)
            proxies.begin(at: bootTime(), interval: Self.interval)
            async let proxyAnswers = proxy.isAnswering(within: Self.answerSpan)
            let answers = await Self.ping(wanted, over: links)
            shards.keep(Set(wanted.map(\.shard)))
            for shard in wanted {
                let hangs = shards.looked(
                    shard.shard, pid: shard.pid, hasAnswered: answers.contains(shard.shard),
                    processorTicks: ProcessorTime.ofMainThread(shard.pid), at: bootTime(),
                    limit: shard.isReplaceable ? limit : limit * 5)
                if hangs { await kill(shard.process, "shard \(shard.shard)") }
            }
            if let pid = proxy.pid, let answers = await proxyAnswers {
                let hangs = proxies.looked(
                    0, pid: pid, hasAnswered: answers, processorTicks: ProcessorTime.ofMainThread(pid),
                    at: bootTime(), limit: limit)
                if hangs { await kill("proxy", "the proxy") }
            }
            try? await Task.sleep(for: .milliseconds(Self.interval))
        }
        for shard in runningShards() { await links.close(shard.shard) }
    }

    private struct Running: Sendable {
        var shard: ShardID
        var process: String
        var pid: Int32
        var password: String
        /// Somebody can take its place, so there is nothing to wait for. What nobody can replace gets five times as
        /// long: it may wait for a disk.
        var isReplaceable: Bool
    }

    private func runningShards() -> [Running] {
        jobs.values.flatMap { job -> [Running] in
            guard let database = job.wanted, database.isWanted else { return [] }
            return database.shards.compactMap { shard in
                guard shard.node == node, let pid = runningProcess(shard.id) else { return nil }
                return Running(
                    shard: shard.id, process: shard.processName, pid: pid, password: database.secrets.manager,
                    isReplaceable: database.policy.isReplicated)
            }
        }
    }

    private nonisolated static func ping(_ shards: [Running], over links: ShardLinks) async -> Set<ShardID> {
        await withTaskGroup(of: ShardID?.self) { group in
            for shard in shards {
                group.addTask {
                    await links.isAnswering(shard.shard, password: shard.password, within: answerSpan)
                        ? shard.shard : nil
                }
            }
            var answers: Set<ShardID> = []
            for await case let shard? in group { answers.insert(shard) }
            return answers
        }
    }

    private func kill(_ process: String, _ what: String) async {
        logger.error("killing what hangs: it neither answers nor uses its processor", metadata: ["what": "\(what)"])
        do {
            try await watchdog.signal(process, number: SIGKILL)
        } catch {
            logger.warning("could not kill it, trying again", metadata: ["what": "\(what)", "error": "\(error)"])
        }
    }
}

/// Processor time as the kernel counts it.
private enum ProcessorTime {
    /// Ticks of user and system time; nil when there is no such process.
    static func ofMainThread(_ pid: Int32) -> UInt64? {
        guard let text = HostFile.content("/proc/\(pid)/task/\(pid)/stat"),
            let parenthesis = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: parenthesis)...].split(separator: " ")
        guard fields.count > 12, let user = UInt64(fields[11]), let system = UInt64(fields[12]) else { return nil }
        return user + system
    }
}
