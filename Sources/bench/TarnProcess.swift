import ClusterModel
import Glibc
import LocalSocket
import NodeLayout
import Primitives
import ProxyControl

/// A `tarn-proxy` of the benchmark's own, told its routes as a manager would tell it.
final class TarnProcess {
    let process: Child
    private let control: Int32
    private var frames = FrameBuffer()

    init(_ program: String, directory: String, _ flags: [String]) throws(BenchFailure) {
        Files.makeDirectory(directory)
        process = try Child([program, "--prefix", directory, "--threads", "1"] + flags, log: directory + "/log")
        let path = NodePaths(prefix: directory).proxySocket
        var connected: Int32 = -1
        try Waiting.until("tarn-proxy", process) {
            connected = (try? LocalSocket.connect(path: path)) ?? -1
            return connected >= 0
        }
        control = connected
        guard case .hello = try next() else { throw BenchFailure("tarn-proxy does not say hello") }
    }

    deinit { close(control) }

    /// Adds a database and waits until every loop serves it.
    func serve(
        database: Int, at address: Address, shards sockets: [String], durability: Durability = .async
    ) throws(BenchFailure) {
        let ranges = SlotRange.even(parts: sockets.count)
        let routes = DatabaseRoutes(
            database: DatabaseID(database), epoch: Epoch(1), name: "bench\(database)", listenHost: address.host,
            port: address.port,
            shards: sockets.enumerated().map { index, path in
                ShardRoute(shard: ShardID(index + 1), slots: ranges[index], address: .local(path: path))
            },
            password: "", shardPassword: "", maximumConnections: 0, memoryLimitBytes: 0,
            durability: durability)
        let frame = ProxyCommand.update(routes).framed()
        guard write(control, frame, frame.count) == frame.count else {
            throw BenchFailure("tarn-proxy does not listen")
        }
        let answer = try next()
        guard case .applied = answer else {
            throw BenchFailure("tarn-proxy refused the routes: \(answer)\(process.lastLines)")
        }
    }

    private func next() throws(BenchFailure) -> ProxyEvent {
        while true {
            if let event = try parsed() { return event }
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let count = read(control, &chunk, chunk.count)
            guard count > 0 else { throw BenchFailure("tarn-proxy closed its control socket:\(process.lastLines)") }
            frames.append(chunk[..<count])
        }
    }

    private func parsed() throws(BenchFailure) -> ProxyEvent? {
        do {
            guard let frame = try frames.next() else { return nil }
            var reader = WireReader(frame)
            return try ProxyEvent(from: &reader)
        } catch {
            throw BenchFailure("tarn-proxy says what this benchmark does not understand: \(error)")
        }
    }
}
