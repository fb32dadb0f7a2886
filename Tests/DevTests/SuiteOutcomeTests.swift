import Testing

@testable import dev

@Suite struct SuiteOutcomeTests {
    private let plain = """
        [ready]: 4711
        \u{1B}[1;37;49mTesting unit/x\u{1B}[0m
        [\u{1B}[0;32;49mok\u{1B}[0m]: one (with brackets) works (3 ms)
        [\u{1B}[0;32;49mok\u{1B}[0m]: twice (0 ms)
        [\u{1B}[0;32;49mok\u{1B}[0m]: twice (1 ms)
        [\u{1B}[0;36;49mignore\u{1B}[0m]: other: Tag: needs:debug denied
        [\u{1B}[0;31;49merr\u{1B}[0m]: broken in tests/unit/x.tcl
        Expected '1' to equal or match '2'
        """

    @Test func passedAndFailed() {
        let outcome = SuiteOutcome(printed: plain)
        #expect(outcome.passed == ["one (with brackets) works", "twice", "twice"])
        #expect(
            outcome.failures == [
                .init(name: "broken in tests/unit/x.tcl", reason: "Expected '1' to equal or match '2'")
            ])
    }

    @Test func anExceptionEndsTheFile() {
        let outcome = SuiteOutcome(printed: "[exception]: Executing test client: NOPERM.\nNOPERM no\n")
        #expect(outcome.passed.isEmpty && outcome.failures.first?.reason == "NOPERM no")
    }

    /// A name that comes twice has to pass twice.
    @Test func missesAreCounted() {
        let endpoint = SuiteOutcome(printed: "[ok]: twice (9 ms)\n[ok]: new (1 ms)\n")
        let comparison = SuiteComparison(file: "unit/x", plain: SuiteOutcome(printed: plain), endpoint: endpoint)
        #expect(comparison.total == 3 && comparison.shared == 1)
        #expect(comparison.missed == ["one (with brackets) works", "twice"])
        #expect(SuiteComparison.share(1, of: 3) == "33.33 %" && SuiteComparison.share(199, of: 200) == "99.50 %")
        #expect(SuiteComparison.share(2, of: 200) == "1.00 %")
    }
}
