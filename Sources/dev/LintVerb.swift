/// `dev lint`: the house rules that a machine can check.
struct LintVerb {
    init(_ arguments: Arguments) {}

    func run() throws {
        let level = try LintLevel(workspace: try Workspace.find()).run()
        if !level.failed.isEmpty { throw TestsFailed() }
    }
}

/// The same as a level of `dev test`: each rule is one test.
struct LintLevel {
    let workspace: Workspace

    func run() throws -> TestLevel {
        let tree = try SourceTree(workspace)
        var level = TestLevel("lint")
        for rule in LintRules.all {
            try level.check(rule.name) {
                let findings = try rule.check(tree)
                for finding in findings where finding.isWarning { Console.error("warning: \(finding.text)") }
                let errors = findings.filter { !$0.isWarning }
                guard errors.isEmpty else {
                    throw Failure(.product, errors.map { "\n  " + $0.text }.joined())
                }
            }
        }
        try runFormatter(&level)
        level.report()
        return level
    }

    /// The toolchain's own formatter with the checked-in `.swift-format`; the manifest is a table laid out by hand.
    private func runFormatter(_ level: inout TestLevel) throws {
        let probe = try? Command("swift", "format", "--version").run()
        guard let probe, probe.succeeded else {
            level.skipped.append("swift format: not part of this toolchain")
            return
        }
        try level.check("swift format lint") {
            let result = try Command(
                "swift", "format", "lint", "--strict", "--parallel", "--recursive",
                "\(workspace.root)/Sources", "\(workspace.root)/Tests"
            ).run()
            guard !result.succeeded else { return }
            let lines = result.errors.split(separator: "\n")
            let shown = lines.prefix(20).map { "\n  \($0)" }.joined()
            throw Failure(.product, "\(lines.count) lines; the first:\(shown)")
        }
    }
}
