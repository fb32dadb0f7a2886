import Glibc

/// Which member leads the store.
extension FaultLab {
    /// Lets the member of a node lead: stops whichever else does until the others have elected one, and so on.
    func makeStoreLeader(_ node: Int) throws {
        for _ in 0..<20 {
            let leader = try storeLeader()
            if leader == node { return }
            let pids = pids("etcd", on: leader)
            try signal(SIGSTOP, to: pids)
            defer { try? signal(SIGCONT, to: pids) }
            // Twice the longest time after which a member stands for election.
            try Interruption.sleep(.milliseconds(2000))
        }
        throw Failure(.product, "the member of node \(node) was never elected")
    }

    private func storeLeader() throws -> Int {
        let deadline = ContinuousClock.now + .seconds(15)
        while ContinuousClock.now < deadline {
            try Interruption.check()
            for node in nodes {
                guard let status = try? storeStatus(node), let leader = status["leader"]?.text,
                    leader == status["header"]?["member_id"]?.text
                else { continue }
                return node
            }
            usleep(100_000)
        }
        throw Failure(.product, "no member says that it leads the store")
    }

    /// What a member says of itself.
    private func storeStatus(_ node: Int) throws -> JSONValue {
        let request = cluster.directory + "/store-status.request"
        try Files.write(
            "POST /v3/maintenance/status HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            to: request, mode: 0o600)
        let pki = cluster.prefix(node) + "/var/lib/tarn/pki"
        var command = Command(
            "openssl", "s_client", "-quiet", "-connect", "\(cluster.address(node)):9379", "-cert", pki + "/node.crt",
            "-key", pki + "/node.key", "-CAfile", pki + "/ca.crt")
        command.input = .file(request)
        command.limit = .seconds(2)
        let answer = try command.run().output
        guard let body = answer.split(separator: "\r\n\r\n", maxSplits: 1).last else {
            throw Failure(.product, "the store's member of node \(node) doesn't answer")
        }
        return try JSONValue(parsing: String(body))
    }
}
