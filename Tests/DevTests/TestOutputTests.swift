import Testing

@testable import dev

@Suite struct TestOutputTests {
    private func output(_ text: String, status: Int32) -> TestOutput {
        var output = TestOutput()
        for line in text.split(separator: "\n") { output.add(String(line)) }
        output.finish(status: status)
        return output
    }

    @Test func countsWhatSwiftTestingPrints() {
        let found = output(
            """
            Test Suite 'All tests' passed at 2026-11-23 04:00:00.000.
            \t Executed 0 tests, with 0 failures (0 unexpected) in 0.0 (0.0) seconds
            ◇ Test run started.
            ◇ Suite Slots started.
            ◇ Test ok() started.
            ◇ Test cases(_:) started.
            ◇ Test bad() started.
            ➜ Test later() skipped: "no engine"
            ✔ Test ok() passed after 0.001 seconds.
            ✔ Test cases(_:) with 3 test cases passed after 0.001 seconds.
            ✘ Test bad() recorded an issue at A.swift:4:2: Expectation failed: 1 == 2
            ✘ Test bad() failed after 0.002 seconds with 1 issue.
            ✘ Suite Slots failed after 0.003 seconds with 1 issue.
            ✘ Test run with 4 tests in 1 suite failed after 0.003 seconds with 1 issue.
            """, status: 1)
        #expect(found.passed == 2)
        #expect(found.failed == ["bad()"])
        #expect(found.skipped == ["later(): \"no engine\""])
        #expect(found.issues.count == 1)
    }

    @Test func namesTheTestsThatACrashInterrupted() {
        let found = output(
            """
            ◇ Test first() started.
            ✔ Test first() passed after 0.001 seconds.
            ◇ Test second() started.
            error: Exited with unexpected signal code 11
            """, status: 1)
        #expect(found.passed == 1)
        #expect(found.failed.count == 1)
        #expect(found.failed.first?.contains("second()") == true)
    }

    @Test func aCrashIsToldBesideFailures() {
        let found = output(
            """
            ◇ Test first() started.
            ✘ Test first() failed after 0.001 seconds with 1 issue.
            ◇ Test second() started.
            """, status: 1)
        #expect(found.failed.count == 2)
    }

    @Test func aBadStatusIsNeverASuccess() {
        let found = output("✔ Test run with 0 tests in 0 suites passed after 0.001 seconds.", status: 1)
        #expect(found.failed.count == 1)
    }

    @Test func takesTheLastSumOfXCTest() {
        let found = output(
            """
            \t Executed 2 tests, with 0 failures (0 unexpected) in 0.0 (0.0) seconds
            \t Executed 7 tests, with 2 tests skipped and 1 failure (0 unexpected) in 0.0 (0.0) seconds
            """, status: 1)
        #expect(found.passed == 4)
        #expect(found.failed.count == 1)
        #expect(found.skipped.count == 2)
    }
}
