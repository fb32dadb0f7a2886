import Glibc

/// The clients of one database in one run: one on every node that sends a command at a time, and one that sends
/// several in one write.
final class Load {
    let database: LabDatabase
    private let keys: LoadKeys
    private let clients: [LoadClient]
    /// Number of the node whose endpoint each client tries first.
    let homes: [Int]
    private var threads: [WorkThread] = []
    private let addresses: [String]

    init(
        _ database: LabDatabase, run: Int, addresses: [String], pause: Duration, began: ContinuousClock.Instant
    ) {
        self.database = database
        self.addresses = addresses
        keys = LoadKeys(prefix: "run\(run)", slots: database.slots)
        let count = addresses.count
        homes = Array(0..<count) + [run % count]
        let keys = keys
        let homes = homes
        clients = homes.indices.map { number in
            LoadClient(
                LoadClient.Plan(
                    number: number, clientCount: homes.count,
                    hosts: (0..<count).map { addresses[(homes[number] + $0) % count] },
                    port: database.endpoint.port, password: database.endpoint.password, keys: keys,
                    depth: number < count ? 1 : 8, pause: pause, began: began))
        }
    }

    func start() { threads = clients.map { $0.start() } }

    /// Waits until each client has had that many successes more.
    func waitForSuccesses(_ count: Int, limit: Duration) throws {
        let before = clients.map(\.successes)
        let deadline = ContinuousClock.now + limit
        while zip(clients, before).contains(where: { $0.successes < $1 + count }) {
            guard ContinuousClock.now < deadline else {
                let had = zip(clients, before).map { String($0.successes - $1) }.joined(separator: ", ")
                throw Failure(.product, "\(database.kind.name): successes of its clients after \(limit): \(had)")
            }
            try Interruption.check()
            usleep(2_000)
        }
    }

    /// Returns when no client runs any more. Fine to call again.
    func stop() {
        for client in clients { client.stop() }
        for thread in threads { thread.join() }
        threads = []
    }

    /// After `stop`: everything that they did.
    func notes() -> (operations: [Operation], errors: [String: Int]) {
        let all = clients.map { $0.taken() }
        return (
            all.flatMap(\.operations), all.reduce(into: [:]) { $0.merge($1.errors, uniquingKeysWith: +) }
        )
    }

    /// What the database holds now, read by one more client, and the notes of all.
    func history() throws -> History {
        var operations = notes().operations
        let end = (operations.map(\.end).max() ?? 0) + 1
        let client = try RESPClient(
            host: addresses[0], port: database.endpoint.port, password: database.endpoint.password)
        var lists: [Int: [Int]] = [:]
        for list in keys.lists {
            let reply = try client.send([["LRANGE", keys.list(list), "0", "-1"]])[0]
            guard case .array(let elements) = reply else {
                throw Failure(.product, "LRANGE of a list in the end: \(reply)")
            }
            lists[list] = elements.map { $0.text.flatMap { Int($0) } ?? -1 }
        }
        for client in clients.indices {
            for shard in 0..<keys.shardCount {
                operations.append(try read(LoadKeys.register(of: client, shard: shard), at: end))
            }
        }
        func read(_ register: Int, at time: Int64) throws -> Operation {
            let reply = try client.send([["GET", keys.register(register)]])[0]
            if case .error(let text) = reply { throw Failure(.product, "GET of a register in the end: \(text)") }
            return Operation(
                client: -1, shard: keys.shard(ofRegister: register), kind: .read(register: register),
                outcome: .value(reply.text.flatMap { Int($0) }), start: time, end: time + 1)
        }
        return History(operations: operations, lists: lists)
    }

    /// Takes what the run wrote away again, so that runs don't add up.
    func removeKeys() throws {
        let client = try RESPClient(
            host: addresses[0], port: database.endpoint.port, password: database.endpoint.password)
        let registers = clients.indices.flatMap { client in
            (0..<keys.shardCount).map { keys.register(LoadKeys.register(of: client, shard: $0)) }
        }
        for key in keys.lists.map(keys.list) + registers { _ = try client.send([["UNLINK", key]]) }
    }
}
