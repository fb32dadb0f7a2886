import Glibc

/// The redis-servers behind all systems: started and filled when first needed, shared by all.
///
/// Every shard holds every key, so that any system finds it wherever its hashing looks; where Tarn routes to is what
/// other tests are for.
final class Shards {
    private let directory: String
    private let host: String
    private var running: [Child] = []
    private var filled: Set<[Int]> = []

    private static let firstPort = 7001

    init(directory: String, host: String) {
        self.directory = directory
        self.host = host
    }

    func address(_ index: Int) -> Address { Address(host: host, port: UInt16(Self.firstPort + index)) }
    func socket(_ index: Int) -> String { "\(directory)/s\(index)/shard.sock" }

    func first(_ count: Int) throws(BenchFailure) -> [Child] {
        while running.count < count { running.append(try start(running.count)) }
        return Array(running[..<count])
    }

    /// Starts a copy of a shard and waits until it has everything.
    func replica(of index: Int) throws(BenchFailure) -> Child {
        let primary = address(index)
        let flags = ["--replicaof", primary.host, "\(primary.port)"]
        let child = try start("\(directory)/r\(index)", Address(host: host, port: primary.port + 100), flags)
        try Waiting.until("the replica of \(primary.host):\(primary.port)", child) {
            guard let descriptor = try? primary.connect() else { return false }
            defer { close(descriptor) }
            let question = "SPUBLISH none x\r\nWAIT 1 1000\r\n"
            let last = try? primary.exchange(Array(question.utf8), replyBytes: 8, on: descriptor)
            return last?.suffix(4) == Array(":1\r\n".utf8)[...]
        }
        return child
    }

    private func start(_ index: Int) throws(BenchFailure) -> Child {
        try start("\(directory)/s\(index)", address(index), [])
    }

    private func start(_ own: String, _ address: Address, _ flags: [String]) throws(BenchFailure) -> Child {
        Files.makeDirectory(own)
        let child = try Child(
            [
                "redis-server", "--bind", host, "--port", "\(address.port)", "--dir", own, "--unixsocket", "shard.sock",
                "--save", "", "--appendonly", "no", "--maxclients", "12000", "--tcp-backlog", "4096",
                "--repl-diskless-sync-delay", "0",
            ] + flags, log: own + "/log")
        try Waiting.until("redis-server at \(address.host):\(address.port)", child) {
            guard let descriptor = try? address.connect() else { return false }
            defer { close(descriptor) }
            return (try? address.exchange(Array("PING\r\n".utf8), replyBytes: 7, on: descriptor)) != nil
        }
        return child
    }

    /// Puts all keys of this size into the first `count` shards.
    func fill(_ count: Int, valueBytes: Int) throws(BenchFailure) {
        _ = try first(count)
        let load = Load(.set, valueBytes)
        let depth = valueBytes > 4096 ? 1 : 500
        let batch = Batch(load, commandCount: depth)
        for index in 0..<count where filled.insert([index, valueBytes]).inserted {
            let descriptor = try address(index).connect()
            defer { close(descriptor) }
            var request = batch.request
            for start in stride(from: 0, to: load.keyCount, by: depth) {
                request.withUnsafeMutableBytes { bytes in
                    for (position, key) in batch.keys.enumerated() {
                        let digits = eightDigits(UInt32(start + position))
                        for offset in key.offsets {
                            bytes.storeBytes(of: digits, toByteOffset: offset, as: UInt64.self)
                        }
                    }
                }
                try address(index).exchange(request, replyBytes: batch.reply.count, on: descriptor)
            }
        }
    }
}

enum Waiting {
    /// - Throws: ``BenchFailure`` after ten seconds, or when the program has ended.
    static func until(_ what: String, _ child: Child, _ condition: () -> Bool) throws(BenchFailure) {
        let deadline = Time.nanoseconds() + 10_000_000_000
        while !condition() {
            if child.exitStatus() != nil { throw BenchFailure("\(what) has ended:\(child.lastLines)") }
            if Time.nanoseconds() > deadline { throw BenchFailure("\(what) does not answer:\(child.lastLines)") }
            usleep(10_000)
        }
    }
}
