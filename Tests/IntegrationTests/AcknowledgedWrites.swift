import Dispatch
import Glibc
import Synchronization
import TestSupport

/// Clients that write in pipelines and remember what was acknowledged to them, as fast as they get answers.
///
/// Each has a counter and keys of its own, so whatever else happens, an acknowledged INCR says how far its counter is,
/// and an acknowledged SET that its key is there.
final class AcknowledgedWrites: Sendable {
    struct Client: Sendable {
        var counter = 0
        var keys: [String] = []
        var firstError = ""
    }

    private let clients: Mutex<[Client]>
    private let isOver = Atomic<Bool>(false)
    private let group = DispatchGroup()
    private let value: String

    /// - Parameter valueBytes: Large values fill the sockets on the way to the replica.
    init(_ connections: [RedisConnection], depth: Int, valueBytes: Int) {
        clients = Mutex(Array(repeating: Client(), count: connections.count))
        value = String(repeating: "v", count: valueBytes)
        for (index, connection) in connections.enumerated() {
            let box = Box(connection)
            DispatchQueue(label: "client \(index)").async(group: group) { [self] in
                run(index, box.connection, depth)
            }
        }
    }

    private struct Box: @unchecked Sendable {
        let connection: RedisConnection
        init(_ connection: RedisConnection) { self.connection = connection }
    }

    private func run(_ index: Int, _ connection: RedisConnection, _ depth: Int) {
        var round = 0
        while !isOver.load(ordering: .relaxed) {
            round += 1
            let keys = (0..<depth).map { "k:\(index):\(round):\($0)" }
            let requests = keys.flatMap { key in
                RedisConnection.encode(["INCR", "c:\(index)"]) + RedisConnection.encode(["SET", key, value])
            }
            do {
                try connection.send(requests)
                for key in keys {
                    for isSet in [false, true] {
                        let text = String(decoding: try connection.reply(), as: UTF8.self)
                        note(index, isSet ? key : nil, text)
                        if text.hasPrefix("-") { return }
                    }
                }
            } catch {
                return note(index, nil, "-\(error)")
            }
        }
    }

    private func note(_ index: Int, _ key: String?, _ text: String) {
        clients.withLock { clients in
            if text.hasPrefix("-") {
                clients[index].firstError = text
            } else if let key {
                clients[index].keys.append(key)
            } else {
                clients[index].counter = Int(text.dropFirst().dropLast()) ?? -1  // CRLF is one character.
            }
        }
    }

    var count: Int { clients.withLock { $0.reduce(0) { $0 + $1.counter + $1.keys.count } } }

    /// - Returns: What was acknowledged until now; nothing is any more.
    func end() -> [Client] {
        isOver.store(true, ordering: .relaxed)
        group.wait()
        return clients.withLock { $0 }
    }

    /// Acknowledged writes that a server doesn't have.
    static func missing(_ clients: [Client], at server: RedisConnection) throws -> Int {
        var missing = 0
        for (index, client) in clients.enumerated() {
            let text = try server.command(["GET", "c:\(index)"])
            let counter = Int(text.split(separator: "\r\n").dropFirst().first ?? "0") ?? 0
            missing += max(0, client.counter - counter)
            for start in stride(from: 0, to: client.keys.count, by: 500) {
                let keys = Array(client.keys[start..<min(start + 500, client.keys.count)])
                let found = try server.command(["EXISTS"] + keys)
                missing += keys.count - (Int(found.dropFirst().dropLast()) ?? 0)
            }
        }
        return missing
    }
}
