/// Brings one loopback cluster to where `up` promises it: serving, with the sample data in it.
struct ClusterRun {
    let cluster: LoopbackCluster
    /// The release.
    let tarn: String
    let package: String
    let loadsData: Bool

    static let defaultNodeCount = 3

    /// - Parameter nodes: How many are wanted; nil: as many as there are, or three.
    func run(nodes wanted: Int?) throws {
        var inputs = Fingerprint()
        inputs.add(file: package)
        try removeUnlessCurrent(inputs)
        if cluster.exists {
            try bringBack(wanted)
        } else {
            let started = ContinuousClock.now
            try cluster.make(of: wanted ?? Self.defaultNodeCount, tarn: tarn, package: package)
            try createDatabase(nodes: wanted ?? Self.defaultNodeCount)
            try cluster.waitUntilServing(limit: .seconds(30))
            Console.step("first PONG \((ContinuousClock.now - started).tenths) s after the start of the installation")
        }
        try loadData()
        try cluster.completion.save(inputs)
    }

    /// A cluster of another build, or one that never became ready, is made anew. (Upgrading it in place is what
    /// `tarn upgrade` will be for.)
    private func removeUnlessCurrent(_ inputs: Fingerprint) throws {
        guard cluster.exists, !cluster.completion.matches(inputs) else { return }
        let reason = Files.exists(cluster.completion.path) ? "is of another build" : "was never finished"
        Console.step("the cluster in \(cluster.directory) \(reason): removing it")
        try cluster.remove()
    }

    private func bringBack(_ wanted: Int?) throws {
        let present = cluster.nodes.count
        if let wanted, wanted != present {
            throw Failure(
                .usage, "the cluster has \(present) nodes, not \(wanted); `swift run dev down` first, then `up` again")
        }
        try cluster.startStoppedNodes()
        try cluster.waitUntilServing(limit: .seconds(60))
        Console.step("the cluster of \(present) is serving")
    }

    private func createDatabase(nodes: Int) throws {
        let passwordFile = cluster.directory + "/demo.password"
        try Files.write(Secrets.password() + "\n", to: passwordFile, mode: 0o600)
        var command = ["db", "create", "demo", "--memory", "300mb", "--shards", "3", "--json"]
        command += ["--password-file", passwordFile]
        // A replica lives on another node than its primary.
        if nodes > 1 { command.append("--replication") }
        try cluster.client.command(command).outputOrFail()
        Console.step("database demo created: 3 primaries" + (nodes > 1 ? ", 3 replicas" : ""))
    }

    private func loadData() throws {
        guard loadsData else { return }
        guard let demo = try cluster.databases().first(where: { $0.name == "demo" }) else {
            throw Failure(.product, "the database demo is gone; `swift run dev down`, then `up`, makes it again")
        }
        let run = DataRun(endpoint: demo.endpoint, directory: cluster.directory)
        let isLoaded = Files.exists(cluster.completion.path)
        let data = try SampleData.load()
        if isLoaded, try run.isThere(data) {
            Console.step("the sample data is there")
        } else {
            try run.run(data)
        }
    }
}
