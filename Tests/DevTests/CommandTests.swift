import Testing

@testable import dev

@Suite struct CommandTests {
    @Test func keepsBothOutputsAndTheExitCode() throws {
        let result = try Command("sh", "-c", "echo out; echo err >&2; exit 7").run()
        #expect(result.output == "out\n")
        #expect(result.errors == "err\n")
        #expect(result.status == 7)
    }

    @Test func comesBackThoughADaemonHoldsThePipe() throws {
        let started = ContinuousClock.now
        let result = try Command("sh", "-c", "sleep 30 & echo $!").run()
        #expect(ContinuousClock.now - started < .seconds(10))
        try Command("kill", result.output.filter(\.isNumber)).outputOrFail()
    }

    @Test func endsACommandThatTakesTooLong() throws {
        var command = Command("sleep", "30")
        command.limit = .milliseconds(100)
        #expect(try command.run().status == 128 + 15)
    }

    @Test func reportsLinesWhole() throws {
        var lines: [String] = []
        var command = Command("sh", "-c", "printf 'a\\nb'; printf 'c\\nd'")
        command.onLine = { lines.append($0) }
        _ = try command.run()
        #expect(lines == ["a", "bc", "d"])
    }
}
