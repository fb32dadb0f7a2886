import ClusterModel
import Glibc
import LocalSocket
import Primitives
import ProxyControl
import TestSupport

/// Real redis-servers on unix sockets and the real `tarn-proxy`, driven through its control socket.
final class ProxyFixture {
    let directory: TestDirectory
    let host: String
    private(set) var shards: [TestProcess] = []
    private(set) var proxy: TestProcess
    private let manager: ManagerConnection
    private static let driver = getenv("TARN_PROXY_DRIVER").map { String(cString: $0) } ?? "io_uring"

    /// - Parameters:
    ///   - host: A loopback address of this test's own.
    ///   - driver: By default each call goes through io_uring, which the few clients of most tests would not bring
    ///     about.
    init(host: String, shards count: Int, threads: Int = 2, driver: String? = nil) throws {
        self.host = host
        directory = try TestDirectory()
        _ = try directory.makeDirectory("P")
        let prefix = directory.path + "/P"
        proxy = try TestProcess(
            programDirectory + "/tarn-proxy",
            ["--prefix", prefix, "--threads", "\(threads)", "--driver", driver ?? Self.driver],
            log: directory.path + "/proxy.log")
        manager = try settled("the control socket", { try? ManagerConnection(prefix) }, is: { $0 != nil })!
        for index in 0..<count { shards.append(try startShard(index)) }
    }

    var proxyIdentifier: Int32 { proxy.pid }

    func socket(_ index: Int) -> String { "\(directory.path)/s\(index)/shard.sock" }

    private func startShard(_ index: Int) throws -> TestProcess {
        let path = "\(directory.path)/s\(index)"
        mkdir(path, 0o700)
        let process = try TestProcess(
            "redis-server",
            ["--port", "0", "--unixsocket", "shard.sock", "--dir", path, "--save", "", "--appendonly", "no"],
            log: path + "/log")
        _ = try settled("shard \(index)", { try? RedisConnection(path: self.socket(index)).command(["PING"]) }) {
            $0 == "+PONG\r\n"
        }
        return process
    }

    func restartShard(_ index: Int) throws { shards[index] = try startShard(index) }

    /// Routes over the first `shards` of this fixture's servers.
    func routes(
        _ database: Int, epoch: Int = 1, port: UInt16, shards: Int, password: String = ""
    ) -> DatabaseRoutes {
        let ranges = SlotRange.even(parts: shards)
        let routes = (0..<shards).map { index in
            ShardRoute(shard: ShardID(index + 1), slots: ranges[index], address: .local(path: socket(index)))
        }
        return DatabaseRoutes(
            database: DatabaseID(database), epoch: Epoch(epoch), name: "db\(database)", listenHost: host, port: port,
            shards: routes, password: password, shardPassword: "", maximumConnections: 0, memoryLimitBytes: 0)
    }

    /// Sends a command and returns the event that answers it.
    func tell(_ command: ProxyCommand) throws -> ProxyEvent { try manager.tell(command) }

    func send(_ command: ProxyCommand) throws { try manager.send(command) }

    /// What the proxy says next of its own accord.
    func next() throws -> ProxyEvent { try manager.next() }

    func hangUp() { manager.hangUp() }

    func connect(_ port: UInt16) throws -> RedisConnection { try RedisConnection(host: host, port: port) }
}

/// The first three numbers of loopback addresses that no other test run on this machine uses: listeners share their
/// ports (SO_REUSEPORT), so two runs on the same address would get each other's clients.
let ownNetwork = "127.52.\(getpid() % 250)"

/// What the manager does, with blocking calls.
final class ManagerConnection {
    private let descriptor: Int32
    private var frames = FrameBuffer()

    init(_ prefix: String) throws {
        descriptor = try LocalSocket.connect(path: prefix + "/run/tarn/proxy.sock")
        guard case .hello = try next() else { throw Violation("no hello from the proxy") }
    }

    deinit { close(descriptor) }

    func tell(_ command: ProxyCommand) throws -> ProxyEvent {
        try send(command)
        return try next()
    }

    func send(_ command: ProxyCommand) throws {
        let frame = command.framed()
        guard write(descriptor, frame, frame.count) == frame.count else { throw Violation("short write") }
    }

    /// Returns when the proxy has noticed.
    func hangUp() {
        shutdown(descriptor, Int32(SHUT_WR))
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) > 0 {}
    }

    func next() throws -> ProxyEvent {
        while true {
            if let frame = try frames.next() {
                var reader = WireReader(frame)
                return try ProxyEvent(from: &reader)
            }
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { throw Violation("the proxy closed its control socket") }
            frames.append(chunk[..<count])
        }
    }
}
