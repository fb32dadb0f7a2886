/// The main job as a test: what `dev up` does, on addresses and in a directory of its own.
struct MainJobLevel {
    let workspace: Workspace
    let release: Release
    let package: String

    func run() throws -> TestLevel {
        var level = TestLevel("loopback cluster")
        let cluster = LoopbackCluster(directory: workspace.build + "/test-cluster", network: "127.0.22")
        let run = ClusterRun(cluster: cluster, tarn: release.tarn, package: package, loadsData: true)
        try cluster.remove()
        let cleanUp = CleanUp.register { try? cluster.remove() }
        defer { CleanUp.runNow(cleanUp) }
        try level.check("a cluster of three takes the data and gives it back") { try run.run(nodes: 3) }
        if level.failed.isEmpty { try checkAgain(run, &level) }
        try level.check("down leaves no process") {
            let roots = cluster.nodes.map(cluster.prefix)
            try cluster.remove()
            let left = roots.flatMap { NodeProcesses(prefix: $0).pids }
            guard left.isEmpty else { throw Failure(.product, "still running: \(left)") }
        }
        level.report()
        return level
    }

    private func checkAgain(_ run: ClusterRun, _ level: inout TestLevel) throws {
        try level.check("every node serves the database") {
            let cluster = run.cluster
            for database in try cluster.databases() {
                for node in cluster.nodes {
                    var endpoint = database.endpoint
                    endpoint.host = cluster.address(node)
                    try cluster.ping(endpoint)
                }
            }
        }
        try level.check("a second up takes seconds") {
            let started = ContinuousClock.now
            try run.run(nodes: nil)
            let duration = ContinuousClock.now - started
            guard duration < .seconds(15) else { throw Failure(.product, "it took \(duration.tenths) s") }
        }
    }
}
