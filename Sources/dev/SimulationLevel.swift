/// Whole clusters in virtual time, seed after seed; and what finding nothing is worth, by bugs that are planted.
struct SimulationLevel {
    /// A minute and a half on two cores; `.ci/run` asks for more.
    private static let seeds = 1500

    let workspace: Workspace
    /// Nil: as many as a development run can wait for.
    let seeds: Int?

    func run() throws -> TestLevel {
        var level = TestLevel("simulation")
        try level.check("the simulator builds") {
            try SwiftBuild(
                workspace: workspace, name: "release-simulate",
                arguments: [
                    "-c", "release", "--static-swift-stdlib", "--scratch-path", workspace.release, "--product",
                    "simulate",
                ]
            ).run()
        }
        guard level.failed.isEmpty else { return level }
        let count = seeds ?? Self.seeds
        try level.check("\(count) seeds violate nothing") {
            let result = try command("--seeds", "\(count)").run()
            Console.step("  \(result.output.split(separator: "\n").last ?? "")")
            guard result.succeeded else { throw Failure(.product, result.output) }
        }
        // Sets and dictionaries have another order in each process.
        try level.check("two processes tell the same story") {
            let stories = try (0..<2).map { _ in try command("--seed", "3", "--story").run().output }
            guard stories[0] == stories[1], !stories[0].isEmpty else { throw Failure(.product, "they differ") }
        }
        for bug in [
            "promotion-without-fence", "lease-without-fence", "acknowledgement-before-replica", "copy-confirms",
        ] {
            try level.check("\(bug) is found within 1000 seeds") {
                let found = try command("--seeds", "1000", "--first", "--lines", "0", "--bug", bug).run()
                guard found.status == 1 else { throw Failure(.product, "not found:\n\(found.output)") }
            }
        }
        level.report()
        return level
    }

    private func command(_ arguments: String...) -> Command {
        var command = Command(["\(workspace.programs)/simulate"] + arguments)
        command.limit = .seconds(30 * 60)
        return command
    }
}
