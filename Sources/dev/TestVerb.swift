/// `dev test`: builds what is needed, runs the levels from the cheap to the dear one, ends with one line of sums.
struct TestVerb {
    private let arguments: Arguments
    private let workspace: Workspace
    /// Tests that talk to something over sockets. They run one after the other: beside hundreds of others that keep
    /// both cores busy, a server that shares their threads doesn't answer in any sensible time.
    private static let withPeers = "(IntegrationTests|HTTPTransportTests)"
    private var only: String? { arguments.value("only") }

    init(_ arguments: Arguments) throws {
        self.arguments = arguments
        workspace = try Workspace.find()
    }

    func run() throws {
        var levels: [TestLevel] = []
        var packages = DebianPackages.forBuilding + .forPackaging + .forData + .forTests
        if !arguments.has("quick") { packages = packages + .forContainers }
        try packages.ensure(isApproved: arguments.has("yes"))
        if isWanted("lint") { levels.append(try LintLevel(workspace: workspace).run()) }
        // A build that fails is a failure of the run, with its sums, like any other.
        var build = TestLevel("build")
        try build.check("tests build") { try buildTests() }
        if build.failed.isEmpty {
            levels.append(try swiftTest("unit", skipping: ["SystemTests", Self.withPeers]))
        }
        if build.failed.isEmpty, !arguments.has("quick") {
            var package = ""
            try build.check("release builds") {
                package = try Release(workspace: workspace).make(isApproved: arguments.has("yes"))
            }
            if build.failed.isEmpty { levels += try slowLevels(package) }
        }
        if isWanted("build") || !build.failed.isEmpty { levels.append(build) }
        try conclude(levels)
    }

    private func slowLevels(_ package: String) throws -> [TestLevel] {
        let release = Release(workspace: workspace)
        var environment = [
            "TARN_PROGRAMS": workspace.programs, "TARN_RELEASE": workspace.package, "TARN_PACKAGE": package,
        ]
        var levels: [TestLevel] = []
        if isWanted("simulation") {
            let seeds = try arguments.number("seeds", in: 1...10_000_000)
            levels.append(try SimulationLevel(workspace: workspace, seeds: seeds).run())
        }
        levels.append(try swiftTest("integration", filter: Self.withPeers, environment: environment))
        if isWanted("loopback cluster") {
            levels.append(try MainJobLevel(workspace: workspace, release: release, package: package).run())
        }
        let engine = ContainerEngine(workspace: workspace)
        defer { engine.stopIfOurs() }
        var image = TestLevel("image")
        try image.check("the node image builds") {
            do {
                try engine.ensureRunning()
                environment["TARN_NODE_IMAGE"] = try NodeImage(workspace: workspace).build(
                    release: release, package: package)
            } catch let failure as Failure where failure.code == .environment {
                // No engine or no base image to be had here: skipped with this reason, not failed.
                environment["TARN_NO_CONTAINERS"] = failure.message
            }
        }
        if environment["TARN_NO_CONTAINERS"] == nil { levels.append(image) }
        levels.append(try swiftTest("system", filter: "SystemTests", environment: environment))
        return levels
    }

    private func isWanted(_ name: String) -> Bool { only.map { name.contains($0) } ?? true }

    private func buildTests() throws {
        Console.step("building the tests")
        let started = ContinuousClock.now
        _ = try SwiftBuild.checkCompiler()
        try SwiftBuild(workspace: workspace, name: "test-build", arguments: ["--build-tests"]).run()
        Console.step("tests built in \((ContinuousClock.now - started).tenths) s")
    }

    private func swiftTest(
        _ name: String, filter: String? = nil, skipping: [String] = [], environment: [String: String] = [:]
    ) throws -> TestLevel {
        let filters = [filter, only].compactMap { $0 }
        // One at a time: Swift Testing runs tests on as many threads as there are cores, and on two of them a test that
        // blocks (a child process, a socket) made leases of another expire, and once the whole run hang.
        var command = Command(["swift", "test", "--skip-build", "--no-parallel", "--package-path", workspace.root])
        // Both must match, in this order in the test's identifier; several --filter would mean either.
        if !filters.isEmpty { command.arguments += ["--filter", filters.joined(separator: ".*")] }
        command.arguments += skipping.flatMap { ["--skip", $0] }
        command.environment = environment
        command.limit = .seconds(15 * 60)
        var output = TestOutput()
        command.onLine = { line in
            output.add(line)
            if line.hasPrefix("✘") || line.contains(": error: ") { Console.error(line) } else { Console.progress(line) }
        }
        let result = try command.run()
        output.finish(status: result.status)
        try Files.write(result.output + result.errors, to: "\(workspace.stamps)/test-\(name).log")
        var level = TestLevel(name)
        level.passed = output.passed
        level.failed = output.failed
        level.skipped = output.skipped
        level.duration = result.duration
        level.report()
        return level
    }

    /// The closing line is read by other programs: alone on its line, always the last.
    private func conclude(_ levels: [TestLevel]) throws {
        let failed = levels.reduce(0) { $0 + $1.failed.count }
        let passed = levels.reduce(0) { $0 + $1.passed }
        let skipped = levels.reduce(0) { $0 + $1.skipped.count }
        for level in levels { level.failed.forEach { Console.error("failed in \(level.name): \($0)") } }
        if failed + passed + skipped == 0 {
            throw Failure(.usage, "no test matches --only \(only ?? "")")
        }
        Console.out("\(passed) passed, \(failed) failed, \(skipped) skipped")
        if failed > 0 { throw TestsFailed() }
    }
}

/// Ends dev with exit code 1 and no further word: the sums have been printed, and are the last line.
struct TestsFailed: Error {}
