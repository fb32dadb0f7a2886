extension LoopbackCluster {
    /// Installs, creates and joins: from no directory to a cluster of `count` nodes.
    func make(of count: Int, tarn program: String, package: String) throws {
        try Files.makeDirectory(directory)
        try refuseBusyAddresses(count)
        Console.step("installing \(count) nodes at \(address(1)) to \(address(count))")
        let installer = TarnCommand(program: program, environment: client.environment)
        try Command.runTogether(
            (1...count).map { node in
                on(
                    node,
                    installer.command([
                        "install", "--package", package, "--prefix", prefix(node), "--address", address(node), "--yes",
                    ]))
            })
        let started = ContinuousClock.now
        try create()
        try join(Array(2..<(count + 1)))
        Console.step("cluster of \(count) made in \((ContinuousClock.now - started).tenths) s")
    }

    func create() throws {
        try Files.write(Secrets.password() + "\n", to: passwordFile, mode: 0o600)
        let command = client.command([
            "cluster", "create", "--name", Self.name, "--admin", Self.adminUser, "--password-file", passwordFile,
            "--prefix", prefix(1),
        ])
        try on(1, command).outputOrFail()
        Console.step("cluster \(Self.name) created on node 1")
    }

    /// One after another: each join may have to move the cluster store to more voters, which it does one at a time.
    func join(_ nodes: [Int]) throws {
        guard !nodes.isEmpty else { return }
        let create = client.command(["token", "create", "--prefix", prefix(1), "--json"])
        guard let token = try JSONValue(parsing: try on(1, create).outputOrFail())["token"]?.text else {
            throw Failure(.product, "`tarn token create --json` printed no token")
        }
        for node in nodes {
            try on(node, client.command(["cluster", "join", address(1), "--token", token, "--prefix", prefix(node)]))
                .outputOrFail()
            Console.step("node \(node) joined")
        }
    }

    private func refuseBusyAddresses(_ count: Int) throws {
        // In a namespace of its own nobody else has an address.
        if namespaces != nil { return }
        for node in 1...count {
            for port in [9443, 9379, 9380] {
                guard let problem = try TCP.problem(listeningAt: address(node), port: port) else { continue }
                throw Failure(
                    .environment,
                    "\(address(node)):\(port) can't be had (\(problem)): another cluster runs there. Stop it, or give "
                        + "this one other addresses: --network 127.0.31")
            }
        }
    }
}
