import Glibc
import ProxyCore
import RESP

/// MONITOR: every command that any shard of the database executes, whatever proxy it came by.
///
/// A shard knows its proxies, not their clients, so the address in a line is the endpoint's. What proxies and managers
/// ask for themselves is left out. A command that was split appears once for each part.
extension Worker {
    mutating func monitor(_ session: SessionPointer) -> Step {
        if session.pointee.hasUnanswered {
            park(session, untilReplied: true)
            return .parked
        }
        let details = details(session)
        if details.isMonitor {
            answer(session, Array("+OK\r\n".utf8))
            return .next
        }
        details.isMonitor = true
        session.pointee.database.pointee.table.shared.monitors.add(1, ordering: .relaxed)
        let database = session.pointee.database
        for index in 0..<database.pointee.shardCount {
            attach(session, to: database.pointee.shards[index], .monitor)
        }
        awaitConfirmations(session, Array("+OK\r\n".utf8))
        return .nextAfterReplies
    }

    /// Commands that were executed here: what no shard sees, no shard shows. Told to every loop, since monitors may be
    /// there.
    mutating func showOwn(_ session: SessionPointer, _ commands: [[[UInt8]]]) {
        let table = session.pointee.database.pointee.table
        guard table.shared.monitors.load(ordering: .relaxed) > 0 else { return }
        var now = timeval()
        gettimeofday(&now, nil)
        let endpoint = "\(table.routes.listenHost ?? "?"):\(table.routes.port)"
        for words in commands {
            let line = MonitorLine.line(
                seconds: now.tv_sec, microseconds: Int(now.tv_usec), database: session.pointee.lane.databaseIndex,
                endpoint: endpoint, words)
            let query = ClientQuery(database: table.routes.database, body: .monitored(line: line))
            for mailbox in loops { mailbox.post(.query(query, origin: index, ticket: 0)) }
        }
    }

    /// `+1700000000.123456 [0 address] "command" "argument" …`
    mutating func takeMonitored(
        _ upstream: UpstreamPointer, _ session: SessionPointer, _ bytes: Bytes, _ length: Int
    ) {
        guard bytes[0] == UInt8(ascii: "+") else { return lose(upstream) }
        if upstream.pointee.confirmationsDue > 0 {
            confirm(upstream)
            return answerIfConfirmed(session)
        }
        let line = UnsafeBufferPointer(start: bytes, count: length)
        let routes = session.pointee.database.pointee.table.routes
        let endpoint = "\(routes.listenHost ?? "?"):\(routes.port)"
        guard var shown = MonitorLine.shown(line, endpoint: endpoint) else { return }
        shown.withUnsafeMutableBufferPointer { tell(session, $0.baseAddress!, $0.count) }
    }
}
