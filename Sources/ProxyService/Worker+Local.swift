import Glibc
import ProxyCore
import RESP
import Reactor

/// Commands that the proxy answers itself.
extension Worker {
    mutating func local(
        _ session: SessionPointer, _ arguments: [ByteSpan], _ bytes: Bytes, _ command: ScannedCommand,
        _ info: CommandInfo
    ) -> Step {
        var writer = ReplyWriter()
        let isLogged = session.pointee.database.pointee.limits.logsEverything
        switch info.handling {
        case .ping:
            if arguments.count > 2 { return reject(session, Self.arityText("ping")) }
            if session.pointee.ownUpstreams != nil {  // What is to be forgotten comes before the answer.
                return fanOut(session, bytes, command, .first, isWrite: false)
            }
            // A client that asks is to hear BUSY.
            if isLogged || hasLongScript(session.pointee.database) {
                return forward(session, toShard: 0, bytes, command, info)
            }
            if arguments.count == 2 { writer.bulk(arguments[1]) } else { writer.simple("PONG") }
        case .echo where isLogged, .time where isLogged:
            return forward(session, toShard: 0, bytes, command, info)
        case .echo: writer.bulk(arguments[1])
        case .time:
            var now = timeval()
            gettimeofday(&now, nil)
            writer.array(2)
            writer.bulk(String(now.tv_sec))
            writer.bulk(String(now.tv_usec))
        case .select: return select(session, arguments)
        case .quit:
            writer.simple("OK")
            answer(session, writer.bytes)
            closeWhenDone(session)
            return .stop
        case .reset: return reset(session)
        case .auth: return authenticate(session, arguments)
        case .hello: return hello(session, arguments)
        case .client: return measured(session, info) { $0.client(session, arguments) }
        case .config: return config(session, arguments, bytes, command)
        case .commandInfo: return forwardAnywhere(session, bytes, command, info)
        case .role:
            writer.array(3)
            writer.bulk("master")
            writer.integer(0)
            writer.array(0)
        case .acl: return accessControl(session, arguments, bytes, command, info)
        case .readonly: return reject(session, "ERR This instance has cluster support disabled")
        default: return reject(session, Self.unknownText(bytes, command))
        }
        switch info.handling {
        case .ping, .echo, .time: showOwn(session, [arguments.map(\.bytes)])
        default: break
        }
        answer(session, writer.bytes)
        return .next
    }

    /// Notes how long a command took that no shard sees, for LATENCY HISTOGRAM: the loop's time, as it is a
    /// redis-server's there, without what other loops or shards have to say.
    private mutating func measured(
        _ session: SessionPointer, _ info: CommandInfo, _ body: (inout Worker) -> Step
    ) -> Step {
        guard session.pointee.database.pointee.limits.tracksLatency, !Self.shardsSee.contains(info.name) else {
            return body(&self)
        }
        let shared = session.pointee.database.pointee.table.shared
        let start = MonotonicClock.nanoseconds()
        let step = body(&self)
        let spent = MonotonicClock.nanoseconds() - start
        if step != .parked { shared.latencies.withLock { $0.record(info.name, nanoseconds: spent) } }
        return step
    }

    /// Passed on in some form, and counted there.
    private static let shardsSee: Set<String> = ["client|caching", "client|tracking"]

    func ownLatencies(_ session: SessionPointer, _ arguments: [ByteSpan]) -> [UInt8] {
        let names = arguments.dropFirst(2).map(\.text)
        return session.pointee.database.pointee.table.shared.latencies.withLock { $0.reply(names) }
    }

    static func arityText(_ name: String) -> String { "ERR wrong number of arguments for '\(name)' command" }

    /// A sharded database has one logical database, any other one sixteen, each over upstreams that selected it.
    private mutating func select(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard let index = arguments[1].integer else {
            return reject(session, "ERR value is not an integer or out of range")
        }
        let count = session.pointee.database.pointee.slots == nil ? Lane.databaseCount : 1
        guard index >= 0, index < count else { return reject(session, "ERR DB index is out of range") }
        if index != session.pointee.lane.databaseIndex {
            if session.pointee.hasUnanswered {  // They are on their way over other upstreams.
                park(session, untilReplied: true)
                return .parked
            }
            select(session, index)
        }
        answer(session, Self.ok)
        return .next
    }

    /// - Precondition: Nothing of the session is unanswered.
    mutating func select(_ session: SessionPointer, _ index: Int) {
        let lane = Lane(databaseIndex: index, usesRESP3: session.pointee.usesRESP3)
        enter(session, lane)
        // What watches or tracks for the session goes with it.
        for upstream in ownUpstreams(session) + (session.pointee.pinned.map { [$0] } ?? []) {
            upstream.pointee.lane = lane
            if upstream.pointee.descriptor >= 0 { sendErrand(upstream, ["SELECT", "\(index)"]) }
        }
    }
}
