extension ShardConnection {
    /// - Throws: A refusal `WRONGPASS` when the shard knows another password.
    package func authenticate(
        user: String, password: String, within deadline: Duration = usualDeadline
    ) async throws(ShardError) {
        try await send(["AUTH", user, password], within: deadline)
    }

    package func information(
        within deadline: Duration = usualDeadline
    ) async throws(ShardError) -> ShardInformation {
        let sections = ["server", "memory", "persistence", "replication", "keyspace"]
        let reply = try await send(["INFO"] + sections, within: deadline)
        guard let text = reply.text else { throw ShardError(.protocolViolation, "INFO answered no text") }
        return try ShardInformation(parsing: text)
    }

    /// Answers at once; keys and replication history stay.
    package func becomePrimary() async throws(ShardError) {
        try await send(["REPLICAOF", "NO", "ONE"])
    }

    /// Answers at once; the link comes up in the background and replaces the data by the primary's where it must.
    package func follow(_ primary: ShardPeer) async throws(ShardError) {
        try await send(["REPLICAOF", primary.host, String(primary.port)])
    }

    /// Has a replica tell its primary how far it is, now; no effect on a primary.
    package func acknowledge() async throws(ShardError) {
        // Redis answers nothing to the first one.
        try await send(behind: ["REPLCONF", "GETACK", "*"], ["ROLE"])
    }

    /// Closes the connections of all replicas of a primary; those that are alive connect again.
    package func detachReplicas() async throws(ShardError) {
        try await send(["CLIENT", "KILL", "TYPE", "replica"])
    }

    /// All or nothing: redis takes back the whole command when one value is refused.
    package func configure(_ parameters: [ShardParameter]) async throws(ShardError) {
        guard !parameters.isEmpty else { return }
        try await send(["CONFIG", "SET"] + parameters.flatMap { [$0.name, $0.value] }, within: .seconds(10))
    }

    /// Makes the user exactly this, whatever it was. Connections that are logged in stay.
    package func define(_ user: ShardUser) async throws(ShardError) {
        try await send(["ACL", "SETUSER", user.name, "reset"] + user.rules)
    }

    /// Ends the shard without saving or waiting for replicas: its database is being deleted.
    package func discard() async throws(ShardError) {
        do {
            try await send(["SHUTDOWN", "NOSAVE", "NOW", "FORCE"])
        } catch  where error.code == .unreachable {
            return  // It is gone, which is the answer.
        }
    }
}
