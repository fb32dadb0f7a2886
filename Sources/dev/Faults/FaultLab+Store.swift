import Glibc

/// Which member leads the store.
extension FaultLab {
    /// Hands the lead to the member of a node.
    func makeStoreLeader(_ node: Int) throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let leader = try storeLeader()
            if leader == node { return }
            if let member = try storeStatus(node)["header"]?["member_id"]?.text {
                // Refused while another election is under way; then it is asked for again.
                _ = try? callStore("transfer-leadership", "{\"targetID\":\"\(member)\"}", at: leader)
            }
            try Interruption.sleep(.milliseconds(100))
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
    private func storeStatus(_ node: Int) throws -> JSONValue { try callStore("status", "{}", at: node) }

    private func callStore(_ call: String, _ body: String, at node: Int) throws -> JSONValue {
        let request = cluster.directory + "/store.request"
        try Files.write(
            "POST /v3/maintenance/\(call) HTTP/1.0\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)",
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
