import Glibc

/// `dev redis-suite`: Redis' own test suite against a plain redis-server and against an endpoint, file by file, and
/// which tests the endpoint misses that the plain server passes.
///
/// The suite is not ours and not in this repository: `--suite` names a checkout of redis of the server's version.
struct RedisSuiteVerb {
    private let suite: String
    private let shards: Int
    private let only: String?
    private let tags: String
    private let cluster: LoopbackCluster
    private let scratch: String

    /// Nothing in it takes longer on a plain server, on two busy cores.
    private static let limitSeconds = 240

    init(_ arguments: Arguments) throws {
        let workspace = try Workspace.find()
        guard let suite = arguments.value("suite") else {
            throw Failure(.usage, "--suite PATH is missing: a checkout of redis 7.0, whose tests/ are run")
        }
        guard Files.exists(suite + "/tests/test_helper.tcl") else {
            throw Failure(.usage, "\(suite)/tests/test_helper.tcl is not there: give a checkout of redis 7.0")
        }
        self.suite = suite
        shards = try arguments.number("shards", in: 1...64) ?? 1
        only = arguments.value("only")
        // Commands that a tenant does not have, as the suite itself names them.
        tags = arguments.value("tags") ?? "-needs:debug -needs:pfdebug -needs:repl -needs:save -needs:config-maxmemory"
        cluster = try LoopbackCluster(arguments, workspace)
        scratch = workspace.build + "/redis-suite"
    }

    func run() throws {
        guard cluster.exists else {
            throw Failure(
                .environment,
                "no cluster in \(cluster.directory): `swift run dev up --nodes 1 --no-data` makes one")
        }
        let files = try unitFiles().filter { only == nil || $0 == only || $0 == "unit/\(only ?? "")" }
        guard !files.isEmpty else { throw Failure(.usage, "--only \(only ?? ""): no such file below tests/unit") }
        var comparisons: [SuiteComparison] = []
        for file in files {
            Console.progress(file)
            let plain = try SuiteServer.plain(host: "\(cluster.network).5", directory: scratch + "/plain") {
                try outcome(of: file, at: $0, name: "plain")
            }
            guard !plain.passed.isEmpty else { continue }  // Needs servers of its own.
            let endpoint = try SuiteServer.endpoint(of: cluster, shards: shards) {
                try outcome(of: file, at: $0, name: "endpoint")
            }
            let comparison = SuiteComparison(file: file, plain: plain, endpoint: endpoint)
            comparisons.append(comparison)
            Console.out(line(comparison))
        }
        report(comparisons)
    }

    /// As the suite lists them itself; what is below `integration` starts servers of its own.
    private func unitFiles() throws -> [String] {
        let text = Files.text(suite + "/tests/test_helper.tcl") ?? ""
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
        return words.drop { $0 != "::all_tests" }.prefix { $0 != "}" }.filter { $0.hasPrefix("unit/") }
    }

    private func outcome(of file: String, at server: SuiteServer, name: String) throws -> SuiteOutcome {
        // `timeout` ends the suite's children as well.
        var words = [
            "env", "-C", suite, "timeout", "-k", "5", String(Self.limitSeconds), "tclsh", "tests/test_helper.tcl",
            "--host", server.host, "--port", String(server.port), "--single", file, "--durable", "--tags", tags,
            "--baseport", String(21_200 + Int(getpid()) % 250 * 40),
        ]
        // Plain and endpoint under the same terms: what cannot fit one slot is not run on either.
        if shards > 1 { words += ["--singledb", "--cluster-mode"] }
        let result = try Command(words).run()
        try Files.makeDirectory(scratch + "/logs")
        let log = scratch + "/logs/\(file.replacing("/", with: "-")).\(name)"
        try Files.write(result.output + result.errors, to: log)
        return SuiteOutcome(printed: result.output)
    }

    // MARK: Report

    private func line(_ comparison: SuiteComparison) -> String {
        let counts = Console.pad("\(comparison.shared)/\(comparison.total)", 9)
        let share = Console.pad(SuiteComparison.share(comparison.shared, of: comparison.total), 9)
        return "\(counts)\(share)  \(comparison.file)"
    }

    private func report(_ comparisons: [SuiteComparison]) {
        for comparison in comparisons where !comparison.missed.isEmpty {
            Console.out("\n\(comparison.file):")
            for name in comparison.missed { Console.out("  missed: \(name)") }
            for failed in comparison.endpoint.failures {
                Console.out("  said:   \(failed.name)\n          \(failed.reason.prefix(200))")
            }
        }
        let total = comparisons.reduce(0) { $0 + $1.total }
        let shared = comparisons.reduce(0) { $0 + $1.shared }
        Console.out(
            "\n\(shared) of \(total) tests that redis-server passes, \(SuiteComparison.share(shared, of: total)), with "
                + "\(shards) shard\(shards > 1 ? "s" : ""), tags \(tags); output in \(scratch)/logs")
    }
}
