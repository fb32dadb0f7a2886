import Glibc

/// A redis-server of the distribution, on a port that was free, to compare with.
final class PlainRedis {
    let endpoint: Endpoint
    private let pid: pid_t
    private var cleanUp = 0

    init(directory: String) throws {
        try Files.makeDirectory(directory)
        let host = "127.0.23.1"
        guard let port = try (7000...7099).first(where: { try TCP.problem(listeningAt: host, port: $0) == nil }) else {
            throw Failure(.environment, "no port of 7000 to 7099 is free at \(host)")
        }
        endpoint = Endpoint(host: host, port: port, password: "")
        var spawn = Spawn(arguments: [
            "redis-server", "--bind", host, "--port", String(port), "--dir", directory, "--save", "", "--logfile",
            directory + "/redis.log",
        ])
        spawn.descriptors = [.open("/dev/null", O_RDONLY), .open("/dev/null", O_WRONLY), .open("/dev/null", O_WRONLY)]
        let pid = try spawn.start()
        self.pid = pid
        cleanUp = CleanUp.register {
            kill(pid, SIGTERM)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while (try? RESPClient(host: host, port: port).send([["PING"]])) == nil {
            guard ContinuousClock.now < deadline else { throw Failure(.environment, "redis-server does not answer") }
            usleep(20_000)
        }
    }

    func stop() { CleanUp.runNow(cleanUp) }
}
