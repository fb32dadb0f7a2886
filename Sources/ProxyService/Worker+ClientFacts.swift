import ProxyCore
import RESP
import Reactor

/// How CLIENT LIST and CLIENT INFO describe a session: fields and order of redis-server 7.
extension Worker {
    func facts(_ session: SessionPointer) -> ClientFilter.Facts {
        ClientFilter.Facts(
            identifier: session.pointee.identifier, address: Sockets.peer(of: session.pointee.descriptor),
            localAddress: Sockets.local(of: session.pointee.descriptor),
            kind: session.pointee.isSubscribed ? .pubsub : .normal,
            ageSeconds: Int(now &- session.pointee.connectedAt))
    }

    /// One line with its line feed. Memory is what the session holds at the moment.
    func describe(_ session: SessionPointer) -> [UInt8] {
        let facts = facts(session)
        let details = session.pointee.details
        let subscriptions = details?.subscriptions ?? Subscriptions()
        let isInTransaction = session.pointee.mode.contains(.transaction)
        let input = session.pointee.input
        let transaction = details?.transaction ?? Transaction()
        let held = input.capacity + session.pointee.output.capacity + transaction.byteCount
        let start =
            "id=\(facts.identifier) addr=\(facts.address) laddr=\(facts.localAddress) "
            + "fd=\(session.pointee.descriptor) name="
        let middle =
            " age=\(facts.ageSeconds) idle=\(now &- session.pointee.lastActiveAt) flags=\(flags(session)) "
            + "db=\(session.pointee.lane.databaseIndex) sub=\(subscriptions.channelCount) "
            + "psub=\(subscriptions.patternCount) ssub=\(subscriptions.shardChannelCount) "
            + "multi=\(isInTransaction ? transaction.parts.count : -1) qbuf=\(session.pointee.commandBytes) "
            + "qbuf-free=\(input.capacity - input.count) argv-mem=0 multi-mem=\(transaction.byteCount) rbs=0 "
            + "rbp=0 obl=0 oll=0 omem=\(session.pointee.output.capacity) "
            + "tot-mem=\(MemoryLayout<Session>.size + held) events=\(session.pointee.output.isEmpty ? "r" : "rw") "
            + "cmd=\(lastCommand(session)) user=default redir=\(details?.tracking.map { $0.redirect ?? 0 } ?? -1) "
            + "resp=\(session.pointee.usesRESP3 ? 3 : 2) lib-name="
        return Array(start.utf8) + (details?.name ?? []) + Array(middle.utf8) + (details?.libraryName ?? [])
            + Array(" lib-ver=".utf8) + (details?.libraryVersion ?? []) + [10]
    }

    private func flags(_ session: SessionPointer) -> String {
        let details = session.pointee.details
        var flags = ""
        if details?.isMonitor == true { flags += "O" }
        if session.pointee.isSubscribed { flags += "P" }
        if session.pointee.mode.contains(.transaction) { flags += "x" }
        if session.pointee.pinned?.pointee.pending.isEmpty == false && details?.isWatching != true { flags += "b" }
        if let tracking = details?.tracking {
            flags += "t" + (tracking.isRedirectBroken ? "R" : "") + (tracking.isBroadcast ? "B" : "")
        }
        if session.pointee.isClosing { flags += "c" }
        return flags.isEmpty ? "N" : flags
    }

    private func lastCommand(_ session: SessionPointer) -> String {
        session.pointee.lastCommand?.pointee.name ?? "NULL"
    }
}
