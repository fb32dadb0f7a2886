import Glibc

extension LoopbackCluster {
    /// Nodes without a watchdog. It keeps all else, so where it lives the rest is its business.
    var stoppedNodes: [Int] {
        nodes.filter { NodeProcesses(prefix: prefix($0)).byProgram()["tarn-watchdog"] == nil }
    }

    /// Starts the watchdogs of stopped nodes, as the machine's init would.
    func startStoppedNodes() throws {
        for node in stoppedNodes {
            Console.step("node \(node) is stopped: starting its watchdog")
            try start(node)
        }
    }

    func start(_ node: Int) throws {
        var command = Command(
            prefix(node) + "/opt/tarn/current/bin/tarn-watchdog", "--prefix", prefix(node), "--daemon")
        command.limit = .seconds(20)
        try on(node, command).outputOrFail()
    }

    /// Waits until every endpoint answers a PING.
    ///
    /// - Throws: ``Failure`` with the last thing that went wrong, after `limit`.
    func waitUntilServing(limit: Duration) throws {
        let deadline = ContinuousClock.now + limit
        while true {
            do {
                for database in try description().databases { try ping(database.endpoint) }
                return
            } catch let failure as Failure where failure.code != .interrupted {
                guard ContinuousClock.now < deadline else {
                    throw Failure(.product, "not serving after \(limit.tenths) s: \(failure.message)")
                }
                Console.progress("waiting for the endpoints: \(failure.message)")
                usleep(100_000)
            }
        }
    }

    func ping(_ endpoint: Endpoint) throws {
        let client = try RESPClient(
            host: endpoint.host, port: endpoint.port, password: endpoint.password, timeoutSeconds: 2)
        let reply = try client.send([["PING"]])[0]
        guard reply == .simple("PONG") else {
            throw Failure(.product, "PING at \(endpoint.host):\(endpoint.port) gave \(reply)")
        }
    }
}
