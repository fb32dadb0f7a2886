/// What one level of tests came to.
struct TestLevel {
    let name: String
    var passed = 0
    var failed: [String] = []
    var skipped: [String] = []
    var duration = Duration.zero

    init(_ name: String) { self.name = name }

    /// Runs one check as one test; what it throws is its failure.
    mutating func check(_ test: String, _ body: () throws -> Void) throws {
        let started = ContinuousClock.now
        defer { duration += ContinuousClock.now - started }
        do {
            try body()
            passed += 1
        } catch let failure as Failure where failure.code != .interrupted {
            failed.append(test)
            Console.error("✘ \(test): \(failure.message)")
        }
    }

    func report() {
        let counts = "\(passed) passed, \(failed.count) failed, \(skipped.count) skipped"
        Console.step("\(name): \(counts) in \(duration.tenths) s")
        for test in failed { Console.error("             failed: \(test)") }
        for test in skipped { Console.error("             skipped: \(test)") }
    }
}
