/// `dev bench proxy`: rounds of redis-benchmark through the endpoint of the running cluster and against a plain
/// redis-server, with the CPU time that the proxy took.
///
/// The client shares the machine with what it measures, so the figures compare the two ways and say little about
/// the most that either can do.
struct BenchVerb {
    private let arguments: Arguments
    private let cluster: LoopbackCluster
    private let workspace: Workspace

    private static let requests = 200_000
    private static let pipelines = [1, 16, 64]

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        workspace = try Workspace.find()
        cluster = try LoopbackCluster(arguments, workspace)
    }

    func run() throws {
        guard arguments.words == ["proxy"] else { throw Failure(.usage, "dev bench proxy: the only one there is now") }
        guard cluster.exists, let demo = try cluster.databases().first(where: { $0.name == "demo" }) else {
            throw Failure(.environment, "no cluster with the database demo here; `swift run dev up` makes it")
        }
        let plain = try PlainRedis(directory: workspace.build + "/bench")
        defer { plain.stop() }
        Console.out("           through the proxy                     plain redis-server")
        Console.out("           GET/s     SET/s     proxy us/request  GET/s     SET/s")
        for pipeline in Self.pipelines {
            let before = try proxyMicroseconds()
            let through = try measure(demo.endpoint, pipeline)
            let perRequest = Double(try proxyMicroseconds() - before) / Double(2 * Self.requests)
            let direct = try measure(plain.endpoint, pipeline)
            let columns =
                [through.get, through.set].map { Console.pad(String(Int($0)), 8) }
                + [Console.pad(String(Double(Int(perRequest * 100)) / 100), 16)]
                + [direct.get, direct.set].map { Console.pad(String(Int($0)), 8) }
            Console.out("pipeline \(Console.pad(String(pipeline), 2))" + columns.joined(separator: "  "))
        }
    }

    private func measure(_ endpoint: Endpoint, _ pipeline: Int) throws -> (get: Double, set: Double) {
        Console.step("pipeline \(pipeline) at \(endpoint.host):\(endpoint.port)")
        var command = Command(
            "redis-benchmark", "-h", endpoint.host, "-p", String(endpoint.port), "-n", String(Self.requests),
            "-P", String(pipeline), "-c", "50", "-r", "100000", "-t", "set,get", "--csv")
        if !endpoint.password.isEmpty { command.arguments += ["-a", endpoint.password] }
        command.limit = .seconds(300)
        var rates: [String: Double] = [:]
        for line in try command.outputOrFail().split(separator: "\n") {
            let columns = line.split(separator: ",").map { $0.filter { $0 != "\"" } }
            if columns.count > 1, let rate = Double(columns[1]) { rates[columns[0]] = rate }
        }
        guard let get = rates["GET"], let set = rates["SET"] else {
            throw Failure(.product, "redis-benchmark printed no rates for \(endpoint.host):\(endpoint.port)")
        }
        return (get, set)
    }

    /// User and system time of all proxies of the cluster: utime and stime of proc_pid_stat(5), in ticks of 10 ms.
    private func proxyMicroseconds() throws -> Int {
        let pids = cluster.nodes.flatMap { NodeProcesses(prefix: cluster.prefix($0)).byProgram()["tarn-proxy"] ?? [] }
        return pids.reduce(0) { sum, pid in
            // The name in parentheses may hold spaces, so fields are counted from behind it.
            let fields = (Files.text("/proc/\(pid)/stat") ?? "").split(separator: ")").last?.split(separator: " ") ?? []
            guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return sum }
            return sum + (user + system) * 10_000
        }
    }
}
