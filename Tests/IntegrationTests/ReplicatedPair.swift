import ClusterModel
import Glibc
import ProxyControl
import TestSupport

/// Two redis-servers, one the other's replica, that change places.
final class ReplicatedPair {
    private let fixture: ProxyFixture
    private let processes: [TestProcess]
    private let servers: [RedisConnection]
    private(set) var primary = 0

    init(_ fixture: ProxyFixture) throws {
        self.fixture = fixture
        var processes: [TestProcess] = []
        for index in 0..<2 {
            let path = try fixture.directory.makeDirectory("r\(index)")
            processes.append(
                try TestProcess(
                    "redis-server",
                    [
                        "--port", "\(7000 + index)", "--bind", fixture.host, "--unixsocket", "shard.sock", "--dir",
                        path,
                        "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
                    ], log: path + "/log"))
        }
        self.processes = processes
        servers = try (0..<2).map { index in
            try settled("server \(index)", { try? fixture.connect(UInt16(7000 + index)) }, is: { $0 != nil })!
        }
        try follow(1, 0)
    }

    var old: RedisConnection { servers[primary] }
    var oldProcess: TestProcess { processes[primary] }
    var other: RedisConnection { servers[1 - primary] }

    private func follow(_ replica: Int, _ primary: Int) throws {
        _ = try servers[replica].command(["REPLICAOF", fixture.host, "\(7000 + primary)"])
        try settled("the replica's link", { try field("master_link_status", replica) }, is: { $0 == "up" })
        // Only then it gets the stream.
        try settled("the replica online", { try field("slave0", primary) }, is: { $0.contains("state=online") })
    }

    private func field(_ name: String, _ server: Int) throws -> String {
        let info = try servers[server].command(["INFO", "replication"])
        return info.split(separator: "\r\n").first { $0.hasPrefix(name + ":") }.map {
            String($0.dropFirst(name.count + 1))
        } ?? ""
    }

    /// Routes to the primary of the moment.
    func routes(epoch: Int, isHeld: Bool = false, needsLease: Bool = false) -> DatabaseRoutes {
        var routes = fixture.routes(1, epoch: epoch, port: 10001, shards: 1)
        routes.shards[0].shard = ShardID(primary + 1)
        routes.shards[0].address = .local(path: "\(fixture.directory.path)/r\(primary)/shard.sock")
        routes.shards[0].isHeld = isHeld
        routes.needsLease = needsLease
        return routes
    }

    /// The replica has all that the primary has, and takes its place.
    func promote() throws {
        let offset = try field("master_repl_offset", primary)
        try settled("the replica's offset", { try field("master_repl_offset", 1 - primary) }, is: { $0 == offset })
        _ = try other.command(["REPLICAOF", "NO", "ONE"])
        primary = 1 - primary
    }

    /// The one that was primary becomes the replica.
    func demote() throws { try follow(1 - primary, primary) }

    func calls(of command: String) throws -> Int {
        let info = try old.command(["INFO", "commandstats"])
        let line = info.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_\(command):calls=") }
        return line.flatMap { Int($0.dropFirst("cmdstat_\(command):calls=".count).prefix { $0 != "," }) } ?? 0
    }
}
