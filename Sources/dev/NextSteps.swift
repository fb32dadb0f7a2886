/// What `up` leaves its reader with.
enum NextSteps {
    static func text(_ cluster: ClusterDescription) -> String {
        guard let demo = cluster.databases.first(where: { $0.name == "demo" }) else {
            return "cluster: \(cluster.apiURL)"
        }
        let endpoint = demo.endpoint
        let other = cluster.nodes.last?.address ?? endpoint.host
        let environment =
            "TARN_URL=\(cluster.apiURL) TARN_CA=\(cluster.caFile) TARN_USER=\(cluster.adminUser) "
            + "TARN_PASSWORD_FILE=\(cluster.adminPasswordFile)"
        return """
            demo is at \(endpoint.host):\(endpoint.port), password \(endpoint.password)

            1. export \(environment); alias tarn=\(cluster.tarn)
            2. tarn status
            3. export REDISCLI_AUTH=\(endpoint.password); redis-cli -h \(other) -p \(endpoint.port) hgetall language:deu
            4. tarn db create mine --memory 100mb --replication
            5. kill -9 any process of \(cluster.nodes[0].prefix), look at `tarn status`; the end: swift run dev down
            """
    }
}
