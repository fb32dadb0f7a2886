import ClusterModel
import EtcdStore
import Glibc
import HostControl
import ManagerCore
import ManagerService
import NodeLayout

/// This node's member of the store is replaced when it can't come up: damaged or deleted data, or no longer a member.
///
/// The node sets the data aside and says so in its record; the leader removes the member and, the node being as any
/// other then, adds it anew: it starts without data, copies the log and gets its vote. Only with the other members'
/// majority, without which there is nothing to copy from.
extension Manager {
    func repairStore(of membership: Membership) async {
        var failures = StoreFailures()
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(500))
            guard let process = watchdog.processes?[EtcdServer.processName] else { continue }
            let status: Int32? = if case .status(let number)? = process.lastExit { number } else { nil }
            guard failures.note(restarts: process.restarts, status: status, at: .now) else { continue }
            guard let role = await ownStoreRole(membership), role == .voter || role == .learner else { continue }
            if await replaceMember(of: membership) { failures = StoreFailures() }
        }
    }

    private func ownStoreRole(_ membership: Membership) async -> NodeRecord.StoreRole? {
        await state()?.nodes[membership.identity.node]?.storeRole
    }

    /// Each step may be repeated; false when it is to be.
    private func replaceMember(of membership: Membership) async -> Bool {
        if let hindrance = StoreFailures.hindrance(in: tail(of: paths.log(of: EtcdServer.processName))) {
            logger.error("the member of the store can't start", metadata: ["reason": "\(hindrance)"])
            try? await Task.sleep(for: .seconds(10))
            return true
        }
        do {
            // The proof that the others have the majority, and that it is our store that they keep.
            let entries = try await membership.store.snapshot(prefix: StoreKey.recovery.path).entries
            let recovery = try entries.first.flatMap { try StateCoding.decode($0) }
            let store: StoreIdentity = if case .recovery(let record)? = recovery { record.store } else { .first }
            guard store == membership.identity.store else { return false }
            try await watchdog.stop(EtcdServer.processName)
            let directory = paths.store(named: membership.identity.store.description)
            if HostFile.exists("\(directory)/member") {
                let aside = try HostFile.setAside(directory, reason: "broken", at: now())
                logger.critical(
                    "the member of the store is broken, its data is set aside", metadata: ["data": "\(aside)"])
            }
            let node = membership.identity.node
            try await membership.member.editor.edit(as: .anyNode) { state throws(PlanError) in
                Planner.setStoreRole(.broken, of: node, in: state)
            }
            return true
        } catch {
            logger.error("could not replace the member of the store, trying again", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func tail(of path: String) -> String {
        guard let handle = LogTail(path: path) else { return "" }
        return handle.text
    }
}

/// The last few kilobytes of a log.
private struct LogTail {
    private static let size = 4096
    let text: String

    init?(path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let end = lseek(descriptor, 0, SEEK_END)
        lseek(descriptor, max(0, end - off_t(Self.size)), SEEK_SET)
        var buffer = [UInt8](repeating: 0, count: Self.size)
        let count = read(descriptor, &buffer, buffer.count)
        text = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
