import Glibc

/// A server that one file of the suite runs against; every file gets a fresh one, since files leave settings behind.
struct SuiteServer {
    let host: String
    let port: Int

    /// A redis-server of the machine, for as long as `body` takes.
    static func plain<Value>(host: String, directory: String, _ body: (SuiteServer) throws -> Value) throws -> Value {
        try Files.remove(directory)
        try Files.makeDirectory(directory)
        let port = 6390
        if let problem = try TCP.problem(listeningAt: host, port: port) {
            throw Failure(.environment, "\(host):\(port) can't be had (\(problem)); choose another --network")
        }
        var spawn = Spawn(arguments: [
            "redis-server", "--bind", host, "--port", String(port), "--protected-mode", "no", "--dir", directory,
            "--logfile", directory + "/log",
        ])
        spawn.descriptors = [.open("/dev/null", O_RDONLY), .open("/dev/null", O_WRONLY), .open("/dev/null", O_WRONLY)]
        let pid = try spawn.start()
        defer {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        let server = SuiteServer(host: host, port: port)
        try server.awaitPong()
        return try body(server)
    }

    /// A database of the loopback cluster, so that CONFIG SET goes the way that it goes for everybody.
    static func endpoint<Value>(
        of cluster: LoopbackCluster, shards: Int, _ body: (SuiteServer) throws -> Value
    ) throws -> Value {
        let name = "redis-suite-\(shards)"
        if try cluster.databases().contains(where: { $0.name == name }) {
            try cluster.client.run("db", "delete", name, "--yes")  // Of a run that was killed.
        }
        // No limit, as the plain server has none.
        try cluster.client.run("db", "create", name, "--memory", "0", "--shards", String(shards))
        defer { _ = try? cluster.client.run("db", "delete", name, "--yes") }
        guard let endpoint = try cluster.databases().first(where: { $0.name == name })?.endpoint else {
            throw Failure(.product, "`tarn db list` does not show the database \(name) that was just made")
        }
        let server = SuiteServer(host: endpoint.host, port: endpoint.port)
        try server.awaitPong()
        return try body(server)
    }

    private func awaitPong() throws {
        let limit = ContinuousClock.now + .seconds(10)
        while true {
            if let client = try? RESPClient(host: host, port: port), let reply = try? client.send([["PING"]]),
                reply == [.simple("PONG")]
            {
                return
            }
            try Interruption.check()
            guard ContinuousClock.now < limit else { throw Failure(.product, "no PONG at \(host):\(port)") }
            usleep(20_000)
        }
    }
}
