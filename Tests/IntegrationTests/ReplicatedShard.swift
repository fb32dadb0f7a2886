import ClusterModel
import Glibc
import ProxyControl
import TestSupport

/// A primary and a replica that copies it, of which either may be stopped or killed.
final class ReplicatedShard {
    let path: String
    private let host: String
    private let port: UInt16
    private(set) var primary: TestProcess
    private(set) var replica: TestProcess

    /// - Parameter path: An existing directory.
    /// - Parameter port: The next one is the replica's.
    init(path: String, host: String, port: UInt16) throws {
        self.path = path
        self.host = host
        self.port = port
        primary = try Self.start(path + "/primary", host, port, [])
        replica = try Self.start(path + "/replica", host, port + 1, ["--replicaof", host, "\(port)"])
        try awaitReplica()
    }

    var primarySocket: String { path + "/primary/shard.sock" }
    var replicaSocket: String { path + "/replica/shard.sock" }

    private static func start(
        _ path: String, _ host: String, _ port: UInt16, _ role: [String]
    ) throws -> TestProcess {
        mkdir(path, 0o700)
        return try TestProcess(
            "redis-server",
            [
                "--port", "\(port)", "--bind", host, "--unixsocket", "shard.sock", "--dir", path, "--save", "",
                "--repl-diskless-sync-delay", "0",
            ] + role, log: path + "/log")
    }

    /// The primary begins anew, with nothing.
    func restartPrimary() throws {
        primary = try Self.start(path + "/primary", host, port, [])
        try awaitReplica()
    }

    func awaitReplica() throws {
        _ = try settled(
            "an online replica", within: 20,
            { try? RedisConnection(path: self.primarySocket).command(["INFO", "replication"]) },
            is: { $0?.contains("state=online") == true })
    }

    /// What the cluster does when the primary is dead.
    func promote() throws -> RedisConnection {
        let connection = try RedisConnection(path: replicaSocket)
        guard try connection.command(["REPLICAOF", "NO", "ONE"]) == "+OK\r\n" else { throw Violation("no promotion") }
        return connection
    }
}

extension ProxyFixture {
    /// One database on shards with replicas.
    func routes(
        _ database: Int, epoch: Int = 1, port: UInt16, over shards: [ReplicatedShard], _ durability: Durability
    ) -> DatabaseRoutes {
        let ranges = SlotRange.even(parts: shards.count)
        var routes = routes(database, epoch: epoch, port: port, shards: 1)
        routes.shards = shards.enumerated().map { index, shard in
            ShardRoute(
                shard: ShardID(epoch * 100 + index), slots: ranges[index], address: .local(path: shard.primarySocket))
        }
        routes.durability = durability
        return routes
    }

    func statistics(_ database: Int) throws -> DatabaseStatistics {
        guard case .statistics(let list) = try tell(.reportStatistics),
            let found = list.first(where: { $0.database == DatabaseID(database) })
        else { throw Violation("no statistics of database \(database)") }
        return found
    }
}
