import ClusterModel
import Glibc
import ProxyControl
import Testing
import TestSupport

/// Requests that the proxy has taken and the socket of the shard has not: one is half out, the others are taken back.
@Suite struct ProxyWithheldTests {
    private static let padding = String(repeating: "x", count: 14_000)
    private static let count = 200

    /// Clients whose pipelines fill the sockets of a stopped shard, two for each strand.
    private func fill(_ fixture: ProxyFixture) throws -> [RedisConnection] {
        let before = try requests(fixture)
        fixture.shards[0].signal(SIGSTOP)
        let clients = try (0..<8).map { _ in try fixture.connect(10001) }
        for (index, client) in clients.enumerated() {
            try client.send(
                (0..<Self.count).flatMap { number -> [UInt8] in
                    let push = RedisConnection.encode(["RPUSH", "list\(index)", "\(number)", Self.padding])
                    if number % 10 != 9 { return push }
                    return RedisConnection.encode(["MULTI"]) + push + RedisConnection.encode(["EXEC"])
                })
        }
        // As many as go; the rest waits in front of the full upstream.
        var last: UInt64 = 0
        try settled("requests") {
            defer { last = (try? requests(fixture)) ?? 0 }
            return try requests(fixture)
        } is: {
            $0 > before + 100 && $0 == last
        }
        return clients
    }

    /// Replies of one client's pipeline without those of MULTI and of what is queued.
    private func replies(_ client: RedisConnection) throws -> [String] {
        try (0..<Self.count).map { number in
            if number % 10 == 9 { for _ in 0..<2 { _ = try client.reply() } }
            return String(decoding: try client.reply(), as: UTF8.self)
        }
    }

    private func numbers(_ shard: RedisConnection, _ list: String) throws -> [Int] {
        let text = try shard.command(["LRANGE", list, "0", "-1"])
        return text.split(separator: "\r\n").compactMap { Int($0) }
    }

    @Test(arguments: [true, false]) func whatWasNotSentGoesToTheSuccessor(isKilled: Bool) throws {
        let fixture = try ProxyFixture(host: isKilled ? "127.0.63.40" : "127.0.63.41", shards: 2, threads: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let old = try RedisConnection(path: fixture.socket(0))
        let clients = try fill(fixture)
        var routes = fixture.routes(1, epoch: 2, port: 10001, shards: 1)
        routes.shards[0].isHeld = true
        try fixture.send(.update(routes))
        var sent: [[Int]] = []
        if isKilled {
            fixture.shards[0].kill()
        } else {
            fixture.shards[0].signal(SIGCONT)
        }
        #expect(try fixture.next() == .applied(DatabaseID(1), Epoch(2)))
        if !isKilled { sent = try clients.indices.map { try numbers(old, "list\($0)") } }
        routes.shards[0] = ShardRoute(
            shard: ShardID(2), slots: routes.shards[0].slots, address: .local(path: fixture.socket(1)))
        routes.epoch = Epoch(3)
        routes.fenced = isKilled ? [ShardID(1)] : []
        #expect(try fixture.tell(.update(routes)) == .applied(DatabaseID(1), Epoch(3)))
        let new = try RedisConnection(path: fixture.socket(1))
        var moved = 0
        for (index, client) in clients.enumerated() {
            let outcomes = try replies(client)
            let lost = outcomes.filter { $0.hasPrefix("-ERR upstream connection lost, the write may") }.count
            let acknowledged = outcomes.filter { $0.hasPrefix(":") || $0.hasPrefix("*1\r\n:") }.count
            #expect(lost + acknowledged == Self.count)
            let there = try numbers(new, "list\(index)")
            if isKilled {
                #expect(outcomes[lost...].allSatisfy { !$0.hasPrefix("-") }, "no write overtook another")
                #expect(there == Array(lost..<Self.count))
            } else {
                #expect(lost == 0)
                #expect(sent[index] + there == Array(0..<Self.count))
            }
            moved += there.count
        }
        #expect(moved > 0)
    }

    @Test func whatWasNotSentWaitsForTheLease() throws {
        let fixture = try ProxyFixture(host: "127.0.63.42", shards: 1, threads: 1)
        var routes = fixture.routes(1, port: 10001, shards: 1)
        routes.needsLease = true
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        _ = try fixture.tell(.update(routes))
        let shard = try RedisConnection(path: fixture.socket(0))
        let reader = try fixture.connect(10001)
        let clients = try fill(fixture)
        try fixture.send(.lease(until: 1))
        _ = try requests(fixture)
        fixture.shards[0].signal(SIGCONT)
        #expect(try reader.command(["GET", "nothing"]) == "$-1\r\n")
        try fixture.send(.lease(until: bootMilliseconds() + 60_000))
        var executed = 0
        var lostCount = 0
        for (index, client) in clients.enumerated() {
            let outcomes = try replies(client)
            let lost = outcomes.filter { $0.hasPrefix("-ERR upstream connection lost, the write may") }.count
            lostCount += lost
            #expect(outcomes[lost...].allSatisfy { !$0.hasPrefix("-") })
            let there = try numbers(shard, "list\(index)")
            // Some of those in doubt were executed, all others were, once and in order.
            #expect(Array(there.suffix(Self.count - lost)) == Array(lost..<Self.count))
            #expect(there == there.sorted() && Set(there).count == there.count)
            executed += Self.count - lost
        }
        #expect(executed > 0)
        #expect(lostCount > 0)
    }

    private func requests(_ fixture: ProxyFixture) throws -> UInt64 {
        guard case .statistics(let list) = try fixture.tell(.reportStatistics) else { return 0 }
        return list.reduce(0) { $0 + $1.requests }
    }
}
