extension LoopbackCluster {
    /// What runs, as the cluster itself and /proc tell it.
    func description() throws -> ClusterDescription {
        ClusterDescription(
            tarn: tarn(1), apiURL: apiURL, caFile: caFile, adminUser: Self.adminUser,
            adminPasswordFile: passwordFile, nodes: try describedNodes(), databases: try databases())
    }

    func databases() throws -> [ClusterDescription.Database] {
        try client.json("db", "list").listed("databases").map { database in
            guard let uid = database["uid"]?.int, let name = database["name"]?.text,
                let endpoint = try endpoint(of: database, uid)
            else { throw Failure(.product, "`tarn db list --json` has an entry without uid, name or endpoint") }
            return ClusterDescription.Database(uid: uid, name: name, endpoint: endpoint)
        }
    }

    /// Lists leave the password out where `db show` has it.
    private func endpoint(of listed: JSONValue, _ uid: Int) throws -> Endpoint? {
        if let endpoint = Endpoint(listed["endpoint"]) { return endpoint }
        return Endpoint(try client.json("db", "show", String(uid))["endpoint"])
    }

    private func describedNodes() throws -> [ClusterDescription.Node] {
        let listed = try client.json("node", "list").listed("nodes")
        return try nodes.map { node in
            guard
                let uid = listed.first(where: { ($0["address"] ?? $0["addr"])?.text == address(node) })?["uid"]?.int
            else { throw Failure(.product, "`tarn node list --json` does not know \(address(node))") }
            return ClusterDescription.Node(
                uid: uid, address: address(node), prefix: prefix(node),
                pids: NodeProcesses(prefix: prefix(node)).byProgram())
        }
    }
}

extension Endpoint {
    init?(_ json: JSONValue?) {
        guard let host = json?["host"]?.text, let port = json?["port"]?.int, let password = json?["password"]?.text
        else { return nil }
        self.init(host: host, port: port, password: password)
    }
}

extension JSONValue {
    /// A list that may be the whole document or a member of it.
    func listed(_ key: String) -> [JSONValue] {
        self[key]?.elements ?? elements
    }
}
