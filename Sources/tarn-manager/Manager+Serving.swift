import ClusterModel
import ManagementAPI
import ManagerCore
import ManagerService
import NIOPosix
import ShardControl

/// What the API tells of serving: is the leader there, and does an endpoint answer?
extension Manager {
    private static let healthSpan = Duration.seconds(1)
    private static let commandSpan = Duration.seconds(2)

    func reachesLeader() async -> Bool {
        guard let membership, let leader = await state()?.leader else { return false }
        // Holding the lease is proof of the store and of the leader.
        if leader == membership.identity.node { return await membership.member.leadership.current != nil }
        guard let record = await state()?.nodes[leader] else { return false }
        let answer: Bool? = await bounded(until: .now + Self.healthSpan) {
            async let report: NodeReportObject = membership.peers.get(InternalPath.node, from: record)
            async let head = membership.store.snapshot(prefix: StoreKey.head.path)
            return await (try? (report, head)) != nil
        }
        return answer ?? false
    }

    func run(_ command: [String], on database: DatabaseConfiguration) async throws(PlanError) -> JSONValue {
        guard let state = await state(), let membership else { throw .noCluster }
        // This node's own proxy where it serves the endpoint, else any that does.
        let own = membership.identity.node
        let nodes = database.endpoint.nodes.contains(own) ? [own] : database.endpoint.nodes
        guard let address = nodes.lazy.compactMap({ state.nodes[$0]?.address }).first else {
            throw .noEndpoint("no node serves it")
        }
        do {
            let connection = try await ShardConnection.connect(
                host: address, port: database.endpoint.port, group: group, within: Self.commandSpan)
            defer { connection.close() }
            if !database.policy.password.isEmpty {
                try await connection.send(["AUTH", database.policy.password], within: Self.commandSpan)
            }
            return JSONValue(try await connection.send(command, within: Self.commandSpan))
        } catch {
            if error.code == .refused { throw PlanError("command_failed", status: 406, error.message) }
            throw .noEndpoint("\(address):\(database.endpoint.port): \(error)")
        }
    }
}

extension PlanError {
    fileprivate static func noEndpoint(_ reason: String) -> PlanError {
        PlanError("bdb_endpoint_unavailable", status: 503, "The database's endpoint doesn't answer: \(reason).")
    }
}

extension JSONValue {
    fileprivate init(_ reply: ShardReply) {
        switch reply {
        case .simple(let text), .error(let text): self = .string(text)
        case .integer(let number): self = .integer(number)
        case .bulk(let bytes): self = bytes.map { .string(String(decoding: $0, as: UTF8.self)) } ?? .null
        case .array(let elements): self = elements.map { .array($0.map(JSONValue.init)) } ?? .null
        }
    }
}
