import Glibc
import Synchronization

/// One application: appends, writes and reads in turn over all shards of a database, and notes every command.
///
/// It does what a careful client does: it knows the endpoints on all nodes, tries the next one when a connection is
/// lost or does not answer, or says that its node is cut off, and repeats nothing whose fate it does not know.
final class LoadClient: Sendable {
    struct Plan: Sendable {
        var number: Int
        /// Of all clients of this database: whose registers it reads.
        var clientCount: Int
        /// Its own node's address first.
        var hosts: [String]
        var port: Int
        var password: String
        var keys: LoadKeys
        /// Commands that are sent in one write.
        var depth: Int
        /// Between two writes to the socket.
        var pause: Duration
        /// Time 0 of the notes.
        var began: ContinuousClock.Instant
    }

    struct Notes: Sendable {
        var operations: [Operation] = []
        /// By kind; connections that could not be had are among them.
        var errors: [String: Int] = [:]
        var successes = 0
    }

    private let plan: Plan
    private let notes = Mutex(Notes())
    private let isStopped = Atomic(false)

    init(_ plan: Plan) { self.plan = plan }

    func start() -> WorkThread { WorkThread { [self] in run() } }
    func stop() { isStopped.store(true, ordering: .relaxed) }
    var successes: Int { notes.withLock { $0.successes } }
    func taken() -> Notes { notes.withLock { $0 } }

    private func run() {
        var client: RESPClient?
        var host = 0
        var cycle = OperationCycle(plan)
        while !isStopped.load(ordering: .relaxed) {
            var isWell = true
            do {
                let connection = try client ?? connect(plan.hosts[host])
                client = connection
                isWell = try send((0..<plan.depth).map { _ in cycle.next() }, connection)
            } catch {
                isWell = false
                client = nil
            }
            if isWell {
                usleep(UInt32(plan.pause.milliseconds) * 1000)
            } else {
                host = (host + 1) % plan.hosts.count
                client = nil
                usleep(10_000)
            }
        }
    }

    /// - Returns: Whether to stay with this node.
    private func send(_ planned: [OperationCycle.Step], _ connection: RESPClient) throws -> Bool {
        let start = now
        var answered = 0
        var isWell = true
        do {
            try connection.write(planned.map(\.command))
            for step in planned {
                let reply = try connection.reply()
                answered += 1
                isWell = note(step, reply, start: start) && isWell
            }
        } catch {
            let kind = Self.kind(of: error)
            for step in planned[answered...] { note(step, .unknown, start: start, error: kind) }
            throw error
        }
        return isWell
    }

    private func connect(_ host: String) throws -> RESPClient {
        do {
            let descriptor = try LoadConnection.open(host: host, port: plan.port)
            let client = RESPClient(adopting: descriptor)
            guard !plan.password.isEmpty else { return client }
            try client.write([["AUTH", plan.password]])
            let reply = try client.reply()
            guard reply == .simple("OK") else { throw Failure(.product, "AUTH: \(reply)") }
            return client
        } catch {
            notes.withLock { $0.errors["connect: " + Self.kind(of: error), default: 0] += 1 }
            throw error
        }
    }

    // MARK: - Notes

    private var now: Int64 { (ContinuousClock.now - plan.began).nanoseconds }

    /// - Returns: False where another node may do better.
    private func note(_ step: OperationCycle.Step, _ reply: RESPClient.Reply, start: Int64) -> Bool {
        switch (step.kind, reply) {
        case (_, .error(let text)):
            note(step, ErrorReply.outcome(text), start: start, error: ErrorReply.kind(text))
            return !text.contains("cut off")
        case (.append, .integer), (.write, .simple("OK")): note(step, .done, start: start)
        case (.last, .null), (.read, .null): note(step, .value(nil), start: start)
        case (.last, .bulk), (.read, .bulk): note(step, .value(reply.text.flatMap { Int($0) } ?? -1), start: start)
        default:
            note(step, .unknown, start: start, error: "odd reply \(reply)")
            return false
        }
        return true
    }

    private func note(
        _ step: OperationCycle.Step, _ outcome: Operation.Outcome, start: Int64, error: String? = nil
    ) {
        let operation = Operation(
            client: plan.number, shard: step.shard, kind: step.kind, outcome: outcome, start: start, end: now)
        notes.withLock { notes in
            notes.operations.append(operation)
            if operation.isSuccess { notes.successes += 1 }
            if let error { notes.errors[error, default: 0] += 1 }
        }
    }

    private static func kind(of error: any Error) -> String {
        guard let failure = error as? Failure else { return "\(error)" }
        // "cannot connect to 198.18.7.12:10000: Connection refused": the address is not of the kind.
        guard failure.message.hasPrefix("cannot connect") else { return failure.message }
        return failure.message.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? failure.message
    }
}

/// What one client does, step by step: the same mix on every shard.
private struct OperationCycle {
    struct Step {
        var shard: Int
        var kind: Operation.Kind
        var command: [String]
    }

    private enum Part: CaseIterable {
        case append, last, write, read, appendAgain, readAgain
    }

    private let plan: LoadClient.Plan
    private var step: Int
    private var element: Int

    init(_ plan: LoadClient.Plan) {
        self.plan = plan
        // Clients begin at different places.
        step = plan.number
        element = plan.number * 10_000_000
    }

    mutating func next() -> Step {
        defer { step += 1 }
        let shards = plan.keys.shardCount
        let shard = step % shards
        let round = step / shards
        let parts = Part.allCases
        let list = shard * LoadKeys.listsPerShard + round / parts.count % LoadKeys.listsPerShard
        switch parts[round % parts.count] {
        case .append, .appendAgain:
            element += 1
            return Step(
                shard: shard, kind: .append(list: list, element: element),
                command: ["RPUSH", plan.keys.list(list), String(element)])
        case .last:
            return Step(shard: shard, kind: .last(list: list), command: ["LINDEX", plan.keys.list(list), "-1"])
        case .write:
            element += 1
            let register = LoadKeys.register(of: plan.number, shard: shard)
            return Step(
                shard: shard, kind: .write(register: register, version: element),
                command: ["SET", plan.keys.register(register), String(element)])
        case .read, .readAgain:
            let register = LoadKeys.register(of: round / parts.count % plan.clientCount, shard: shard)
            return Step(shard: shard, kind: .read(register: register), command: ["GET", plan.keys.register(register)])
        }
    }
}
