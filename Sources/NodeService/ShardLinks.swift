import ClusterModel
import HostControl
import LocalSocket
import NIOCore
import NodeLayout
import ShardControl

/// Connections to this node's shards, as user `manager`. Opened when a shard has to be asked, closed when nothing is
/// being waited for, so that hundreds of idle shards cost nothing.
actor ShardLinks {
    private let paths: NodePaths
    private let group: any EventLoopGroup
    private var open: [ShardID: ShardConnection] = [:]

    init(paths: NodePaths, group: any EventLoopGroup) {
        self.paths = paths
        self.group = group
    }

    /// - Parameter password: The manager's. When the shard knows another one, the one in its file is tried.
    func connection(to shard: ShardID, password: String) async throws(ShardError) -> ShardConnection {
        if let connection = open[shard] { return connection }
        let connection = try await separate(to: shard, password: password)
        // Another caller may have been quicker during the await: one of the two is enough.
        if let other = open[shard] {
            connection.close()
            return other
        }
        open[shard] = connection
        return connection
    }

    func information(of shard: ShardID, password: String) async throws(ShardError) -> ShardInformation {
        let connection = try await connection(to: shard, password: password)
        do {
            return try await connection.information()
        } catch {
            if error.code != .refused { close(shard) }
            throw error
        }
    }

    /// A connection that nobody else uses, and that the caller closes.
    func separate(
        to shard: ShardID, password: String, within deadline: Duration = ShardConnection.usualDeadline
    ) async throws(ShardError) -> ShardConnection {
        try await connect(shard, password, within: deadline)
    }

    /// Asks once.
    func inspect(
        _ shard: ShardID, password: String, within deadline: Duration
    ) async throws(ShardError) -> ShardInformation {
        let connection = try await separate(to: shard, password: password, within: deadline)
        defer { connection.close() }
        return try await connection.information(within: deadline)
    }

    /// Any answer counts, an error (BUSY, LOADING) too.
    func isAnswering(_ shard: ShardID, password: String, within deadline: Duration) async -> Bool {
        do {
            let connection: ShardConnection
            if let known = open[shard] {
                connection = known
            } else {
                connection = try await connect(shard, password, within: deadline)
                open[shard] = connection
            }
            // Not PING, which is a client's where the database logs it (``MonitorLine``).
            try await connection.send(["ROLE"], within: deadline)
            return true
        } catch {
            guard error.code != .refused else { return true }
            close(shard)
            return false
        }
    }

    func close(_ shard: ShardID) {
        open.removeValue(forKey: shard)?.close()
    }

    private func connect(
        _ shard: ShardID, _ password: String, within deadline: Duration
    ) async throws(ShardError) -> ShardConnection {
        let connection = try await dial(shard)
        do {
            try await connection.authenticate(user: "manager", password: password, within: deadline)
            return connection
        } catch {
            connection.close()
            guard error.isRefusal("WRONGPASS"), let text = HostFile.content(paths.shardConfiguration(shard)),
                let former = ShardConfigurationFile.managerPassword(in: text), former != password
            else { throw error }
            let connection = try await dial(shard)
            try await connection.authenticate(user: "manager", password: former, within: deadline)
            return connection
        }
    }

    private func dial(_ shard: ShardID) async throws(ShardError) -> ShardConnection {
        let descriptor: Int32
        do {
            descriptor = try LocalSocket.connect(path: paths.shardSocket(shard))
        } catch {
            throw ShardError(.unreachable, "\(error)")
        }
        return try await ShardConnection.adopt(descriptor: descriptor, group: group)
    }
}
